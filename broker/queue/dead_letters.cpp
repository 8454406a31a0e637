// Queue: what an operator does with dead letters.
#include <algorithm>

#include "broker/queue/state.h"

namespace telpher::queue {

namespace {

/// The part of a run that lies in `range`, and at most `count` messages of it; nothing if there is none.
std::optional<Segment> part_of(const std::optional<Segment>& run, Range range, std::uint64_t count) {
    if (!run || run->range.first >= without_overflow(range).end()) return std::nullopt;
    const std::uint64_t inside = without_overflow(range).end() - run->range.first;
    return Segment{{run->range.first, std::min({run->range.count, inside, count})}, run->standing};
}

}  // namespace

/// Messages of `run` that fit in the queue now: in parts of one batch each, whose messages weigh the same.
std::uint64_t Queue::State::fitting(Range run) const {
    const std::uint64_t room = options.maxsize > ledger.live() ? options.maxsize - ledger.live() : 0;
    if (room == 0 || options.max_bytes == 0) return std::min(room, run.count);
    const BatchIndex::Place place = ledger.place(run);
    // One that is larger than the whole bound goes in alone, as a put does.
    const std::uint64_t alone = ledger.live() == 0 ? 1 : 0;
    if (ledger.bytes() > options.max_bytes) return alone;
    const std::uint64_t fit = place.mean.fitting(place.index, options.max_bytes - ledger.bytes());
    return fit > 0 ? std::min({room, place.range.count, fit}) : alone;
}

std::vector<ReturnedRange> Queue::redrive(Range range, std::uint64_t messages_max, std::uint64_t runs_max) {
    State& state = *state_;
    std::vector<ReturnedRange> returned;
    for (; messages_max > 0 && runs_max > 0; --runs_max) {
        auto part = part_of(state.ledger.next_in(Where::kDead, range.first), range, messages_max);
        if (part) part->range.count = state.fitting(part->range);
        if (!part || part->range.count == 0) break;
        state.give_back(*part, {part->standing.tries.deliveries, 0}, returned);
        messages_max -= part->range.count;
        range.count -= part->range.end() - range.first;
        range.first = part->range.end();
    }
    state.raise_high_water();
    return returned;
}

std::vector<Range> Queue::drop_dead(Range range, std::uint64_t messages_max, std::uint64_t runs_max) {
    State& state = *state_;
    std::vector<Range> dropped;
    for (; messages_max > 0 && runs_max > 0; --runs_max) {
        const auto part = part_of(state.ledger.next_in(Where::kDead, range.first), range, messages_max);
        if (!part) break;
        state.ledger.move(*part, Standing::gone());
        state.counters.dropped += part->range.count;
        append(dropped, part->range);
        messages_max -= part->range.count;
        range.count -= part->range.end() - range.first;
        range.first = part->range.end();
    }
    return dropped;
}

}  // namespace telpher::queue
