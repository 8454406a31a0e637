// Queue: looking at messages without touching them.
#include <algorithm>
#include <array>
#include <span>

#include "broker/queue/state.h"

namespace telpher::queue {

namespace {

using Seen = Queue::Peeked::State;

struct Shown {
    Where where;
    Seen state;
};
constexpr std::array kPlaces{Shown{Where::kReady, Seen::kReady}, Shown{Where::kLeased, Seen::kLeased},
                             Shown{Where::kHeld, Seen::kLeased}, Shown{Where::kDelayed, Seen::kDelayed},
                             Shown{Where::kDead, Seen::kDead}};

bool wanted(Seen asked, Seen state) { return asked == Seen::kLive ? state != Seen::kDead : asked == state; }

}  // namespace

// It goes from run to run of the places that are asked for, so what lies between them costs nothing.
std::vector<Queue::Peeked> Queue::peek(Offset from, std::uint64_t messages_max, Peeked::State state) const {
    const Ledger& ledger = state_->ledger;
    std::vector<Peeked> seen;
    while (messages_max > 0) {
        std::optional<Segment> next;
        Seen is = Seen::kLive;
        for (const Shown& place : kPlaces) {
            if (!wanted(state, place.state)) continue;
            const auto run = ledger.next_in(place.where, from);
            if (!run || (next && next->range.first <= run->range.first)) continue;
            next = run;
            is = place.state;
        }
        if (!next || next->range.first >= ledger.visible_end()) break;
        const Range range{next->range.first,
                          std::min({next->range.count, messages_max, ledger.visible_end() - next->range.first})};
        const BatchIndex::Place place = ledger.place(range);
        seen.push_back({place.range, place.batch, place.index, next->standing.tries, is, next->standing.note});
        messages_max -= place.range.count;
        from = place.range.end();
    }
    return seen;
}

}  // namespace telpher::queue
