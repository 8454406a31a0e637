// Queue: what an operator does with dead letters.
#include <algorithm>

#include "broker/queue/state.h"

namespace telpher::queue {

namespace {

/// Calls take(Segment) for the dead letters of `range`, lowest first; it says how many of that run it took, from its
/// beginning. Ends when it took none, or at the bounds.
template <class Take>
void each_dead(const Ledger& ledger, Range range, std::uint64_t messages_max, std::uint64_t runs_max, Take take) {
    Offset at = range.first;
    const Offset end = without_overflow(range).end();
    for (; messages_max > 0 && runs_max > 0; --runs_max) {
        const auto run = ledger.next_in(Where::kDead, at);
        if (!run || run->range.first >= end) return;
        const std::uint64_t inside = end - run->range.first;
        const Range shown{run->range.first, std::min({run->range.count, inside, messages_max})};
        const std::uint64_t taken = take(Segment{shown, run->standing});
        if (taken == 0) return;
        messages_max -= taken;
        at = shown.first + taken;
    }
}

}  // namespace

std::vector<ReturnedRange> Queue::redrive(Range range, std::uint64_t messages_max, std::uint64_t runs_max) {
    State& state = *state_;
    std::vector<ReturnedRange> returned;
    each_dead(state.ledger, range, messages_max, runs_max, [&](Segment dead) {
        // With a bound in bytes in parts of one batch, whose messages weigh the same.
        const BatchIndex::Place place = state.ledger.place(dead.range);
        const std::uint64_t left = state.options.max_bytes == 0 ? dead.range.count : place.range.count;
        dead.range.count = state.fitting(place.mean, place.at, left, state.ledger.live(), state.ledger.bytes());
        if (dead.range.count > 0) state.give_back(dead, {dead.standing.tries.deliveries, 0}, returned);
        return dead.range.count;
    });
    state.raise_high_water();
    return returned;
}

std::vector<Range> Queue::drop_dead(Range range, std::uint64_t messages_max, std::uint64_t runs_max) {
    State& state = *state_;
    std::vector<Range> dropped;
    each_dead(state.ledger, range, messages_max, runs_max, [&](const Segment& dead) {
        state.ledger.move(dead, Standing::gone());
        state.counters.dropped += dead.range.count;
        append(dropped, dead.range);
        return dead.range.count;
    });
    return dropped;
}

}  // namespace telpher::queue
