// Queue: what consumers say about what they hold.
#include <algorithm>

#include "broker/queue/retry.h"
#include "broker/queue/state.h"
#include "proto/base/check.h"
#include "proto/base/mutant.h"

namespace telpher::queue {

namespace {

/// The consumer's own lease of that delivery.
bool owns(const Standing& standing, ConsumerId consumer, std::uint32_t delivery) {
    return standing.where == Where::kLeased && standing.consumer == consumer && standing.tries.deliveries == delivery;
}

/// Held for whoever got it with that delivery.
bool held_for(const Standing& standing, std::uint32_t delivery) {
    return standing.where == Where::kHeld && std::uint64_t{standing.tries.deliveries} + 1 == delivery;
}

/// In nobody's hands since that delivery.
bool last_was(const Standing& standing, std::uint32_t delivery) {
    return (standing.where == Where::kReady || standing.where == Where::kDelayed || standing.where == Where::kDead) &&
           delivery > 0 && standing.tries.deliveries == delivery;
}

/// What of a client's range was not looked at: it lies above all offsets there are, or the looks were used up.
void append_rest(Range range, Offset seen_below, std::vector<Range>& lost) {
    range = without_overflow(range);
    const Offset first = std::max(range.first, seen_below);
    if (range.end() > first) append(lost, {first, range.end() - first});
}

}  // namespace

Settled Queue::settle(ConsumerId consumer, Range range, std::uint32_t delivery, const Ruling& ruling, Instant now,
                      std::uint64_t* looks) {
    State& state = *state_;
    Settled result;
    const Offset end = std::min(without_overflow(range).end(), state.ledger.next_offset());
    Offset at = range.first;
    while (at < end && (looks == nullptr || *looks > 0)) {
        // Nearly all is acks of leases: they cost runs, and what is gone in one does not matter.
        const auto lease = ruling.verdict == Verdict::kAck ? state.ledger.lease_at(at, end) : std::nullopt;
        if (lease && owns(lease->standing, consumer, delivery)) {
            state.finish(*lease, result);
            at = lease->span.end();
        } else {
            const Segment segment = state.ledger.segment(at, end);
            state.settle(segment, consumer, delivery, ruling, now, result);
            at = segment.range.end();
        }
        if (looks != nullptr) --*looks;
    }
    append_rest(range, at, result.lost);
    if (state.consumers.attached(consumer)) state.consumers.renew(consumer);
    return result;
}

void Queue::State::finish(const Spread& lease, Settled& result) {
    ledger.move(lease, Standing::gone());
    counters.acked += lease.messages;
    result.count += lease.messages;
    append(result.done, lease.span);
}

void Queue::State::settle(const Segment& segment, ConsumerId consumer, std::uint32_t delivery, const Ruling& ruling,
                          Instant now, Settled& result) {
    const Standing& standing = segment.standing;
    const bool in_hands = owns(standing, consumer, delivery) || held_for(standing, delivery);
    if (ruling.verdict == Verdict::kAck) {
        if (standing.where == Where::kGone) return append(result.repeated, segment.range);
        if (!in_hands && !last_was(standing, delivery) && !TELPHER_MUTANT("anybody-may-ack"))
            return append(result.lost, segment.range);
        ledger.move(segment, Standing::gone());
        counters.acked += segment.range.count;
        result.count += segment.range.count;
        return append(result.done, segment.range);
    }
    const bool late = last_was(standing, delivery);
    // Given back by that delivery already: nothing changes, so a nack sent again is no second attempt. Only that it is
    // dead is news, unless it is known.
    if (late && !TELPHER_MUTANT("nack-counts-twice") &&
        (ruling.verdict != Verdict::kDead || standing.where == Where::kDead))
        return append(result.repeated, segment.range);
    if (!in_hands && !late) return append(result.lost, segment.range);
    result.count += segment.range.count;
    const std::uint32_t failed = ruling.verdict == Verdict::kRelease ? 0 : 1;
    const Tries tries{delivery, standing.tries.attempts + failed};
    if (failed > 0) return fail(segment, tries, ruling, now, result);
    give_back(segment, tries, result.returned);
}

void Queue::State::fail(const Segment& segment, Tries tries, const Ruling& ruling, Instant now, Settled& result) {
    if (ruling.verdict == Verdict::kNack) counters.nacked += segment.range.count;
    if (ruling.verdict == Verdict::kDead || worn_out(tries)) return bury(segment, tries, ruling.note, result.died);
    const Duration delay =
        ruling.delay == kBackoff ? backoff(options, segment.range.first, tries.attempts) : ruling.delay;
    if (delay <= Duration::zero() || TELPHER_MUTANT("delay-forgotten"))
        return give_back(segment, tries, result.returned);
    ledger.move(segment, Standing::delayed(tries, now + delay));
    append(result.delayed, Delayed{segment.range, tries, now + delay});
}

void Queue::State::bury(const Segment& segment, Tries tries, const DeathNote& note, std::vector<Died>& died) {
    ledger.move(segment, Standing::dead(tries, note));
    counters.died += segment.range.count;
    append(died, Died{segment.range, tries, note});
}

std::vector<Range> Queue::extend(ConsumerId consumer, Range range, std::uint32_t delivery, Instant now, Duration lease,
                                 std::uint64_t* looks) {
    State& state = *state_;
    std::vector<Range> lost;
    const Offset end = std::min(without_overflow(range).end(), state.ledger.next_offset());
    Offset at = range.first;
    while (at < end && (looks == nullptr || *looks > 0)) {
        const auto own = state.ledger.lease_at(at, end);
        if (own && owns(own->standing, consumer, delivery)) {
            Standing longer = own->standing;
            longer.at = std::max(longer.at, now + lease);
            state.ledger.move(*own, longer);
            at = own->span.end();
        } else {
            const Range other = state.ledger.segment(at, end).range;
            append(lost, other);
            at = other.end();
        }
        if (looks != nullptr) --*looks;
    }
    append_rest(range, at, lost);
    return lost;
}

std::vector<Grant> Queue::still_leased(const Grant& grant) const {
    const Ledger& ledger = state_->ledger;
    const bool holes = state_->consumers.credit(grant.consumer).holes;
    std::vector<Grant> parts;
    for (Offset at = ledger.next_present(grant.range.first); at < grant.range.end();) {
        const Offset end = holes ? grant.range.end() : ledger.end_of_run(at, grant.range.end());
        const auto lease = ledger.lease_at(at, end);
        if (!lease || !owns(lease->standing, grant.consumer, grant.tries.deliveries)) {
            at = ledger.next_present(at + 1);
            continue;
        }
        parts.push_back(grant);
        parts.back().range = lease->span;
        parts.back().messages = lease->messages;
        at = ledger.next_present(lease->span.end());
    }
    return parts;
}

Offset Queue::next_present(Offset at) const { return state_->ledger.next_present(at); }

void Queue::stored_parts(Range range, std::vector<Stored>& out) const {
    out.clear();
    state_->ledger.places(range, [&out](const BatchIndex::Place& place) {
        out.push_back({place.batch, place.index, place.range});
    });
}

std::optional<ConsumerId> Queue::holder(Offset offset, std::uint32_t delivery) const {
    const Ledger& ledger = state_->ledger;
    if (delivery == 0 || offset >= ledger.next_offset()) return std::nullopt;
    const Standing standing = ledger.segment(offset, offset + 1).standing;
    if (owns(standing, standing.consumer, delivery)) return standing.consumer;
    return held_for(standing, delivery) ? std::optional(ConsumerId()) : std::nullopt;
}

std::vector<Range> Queue::claim(ConsumerId consumer, Range range, std::uint32_t delivery, Instant now,
                                std::uint64_t* looks) {
    State& state = *state_;
    TELPHER_CHECK(state.consumers.attached(consumer));
    std::vector<Range> lost;
    const auto take = [&](const Segment& segment) {
        Standing lease = segment.standing;
        if (held_for(segment.standing, delivery) && state.ledger.leases_of(consumer) < kLeasesMax) {
            lease = Standing::leased(consumer, {delivery, segment.standing.tries.attempts}, state.lease_end(now));
        } else if (!owns(segment.standing, consumer, delivery)) {
            return append(lost, segment.range);
        }
        lease.unclaimed = false;
        state.ledger.move(segment, lease);
    };
    append_rest(range, state.ledger.visit(range, take, looks), lost);
    return lost;
}

void Queue::claim_begin(ConsumerId consumer) {
    for (const Segment& segment : state_->ledger.leases(consumer)) {
        Standing lease = segment.standing;
        lease.unclaimed = true;
        state_->ledger.move(segment, lease);
    }
}

std::vector<ReturnedRange> Queue::claim_end(ConsumerId consumer) {
    std::vector<ReturnedRange> returned;
    for (const Segment& lease : state_->ledger.leases(consumer)) {
        if (lease.standing.unclaimed) state_->give_back(lease, lease.standing.tries, returned);
    }
    return returned;
}

}  // namespace telpher::queue
