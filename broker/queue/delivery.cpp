// Queue: consumers, what they are given, what comes back from them by itself.
#include <algorithm>

#include "broker/queue/state.h"
#include "proto/base/check.h"
#include "proto/base/mutant.h"

namespace telpher::queue {

namespace {

std::uint64_t share_of(std::uint64_t whole, std::uint64_t parts) { return whole / parts + (whole % parts > 0 ? 1 : 0); }

/// A grant with holes spans at most so many offsets a message: each costs the four bytes of its length on the wire, and
/// a grant of its own a frame.
constexpr std::uint64_t kSpanMax = 64;

}  // namespace

void Queue::attach(ConsumerId consumer, bool holes) { state_->consumers.attach(consumer, holes); }

std::vector<ReturnedRange> Queue::detach(ConsumerId consumer) {
    State& state = *state_;
    std::vector<ReturnedRange> returned;
    for (const Segment& lease : state.ledger.leases(consumer)) state.give_back(lease, lease.standing.tries, returned);
    state.consumers.detach(consumer);
    return returned;
}

void Queue::hold(ConsumerId consumer, Instant until) {
    State& state = *state_;
    for (const Segment& lease : state.ledger.leases(consumer)) {
        const Tries& tries = lease.standing.tries;
        const Instant end = TELPHER_MUTANT("lease-not-cleared") ? Instant::never() : until;
        state.ledger.move(lease, Standing::held({tries.deliveries - 1, tries.attempts}, end));
    }
    state.consumers.detach(consumer);
}

void Queue::set_credit(ConsumerId consumer, std::uint64_t messages, std::uint64_t bytes) {
    state_->consumers.raise(consumer, messages, bytes);
}

void Queue::refund(ConsumerId consumer, std::uint64_t messages, std::uint64_t bytes) {
    state_->consumers.refund(consumer, messages, bytes);
}

void Queue::State::give_back(const Segment& segment, Tries tries, std::vector<ReturnedRange>& returned) {
    ledger.move(segment, Standing::ready(tries));
    append(returned, segment.range, tries);
}

/// A turn gives every consumer with credit one slice; turns follow until nothing is ready or nobody has credit. A slice
/// is an equal share of what is ready, so that none waits idle while another is given more than its share (policy of
/// work queues with a prefetch, bounded by fairness instead of by a fixed prefetch).
void Queue::deliver(Instant now, std::uint64_t messages_max, std::vector<Grant>& out) {
    State& state = *state_;
    if (state.paused) return;
    while (messages_max > 0) {
        const std::uint64_t ready = state.grantable();
        const std::uint64_t hungry = state.consumers.hungry();
        if (ready == 0 || hungry == 0) return;
        const std::uint64_t slice = share_of(ready, hungry);
        std::uint64_t left = std::min(ready, messages_max);
        const std::uint64_t before = messages_max;
        for (std::uint64_t turn = 0; turn < hungry && left > 0; ++turn) {
            const std::uint64_t given = state.serve(state.consumers.next_turn(), std::min(slice, left), now, out);
            left -= given;
            messages_max -= given;
        }
        if (messages_max == before) return;  // who has credit holds as much as anybody may
    }
}

std::uint64_t Queue::State::grantable() const {
    const auto first = ledger.first_ready();
    const std::uint64_t ready = ledger.ready_visible();
    if (ready == 0 || first->range.first >= allowed) return 0;
    if (allowed >= ledger.visible_end()) return ready;
    const std::uint64_t beyond = ledger.visible_end() - allowed;
    return ready > beyond ? ready - beyond : 1;
}

void Queue::allow(Offset end) { state_->allowed = end; }

bool Queue::held_back() const {
    const State& state = *state_;
    return !state.paused && state.consumers.hungry() > 0 && state.ledger.ready_visible() > 0 && state.grantable() == 0;
}

Offset Queue::reach() const {
    const State& state = *state_;
    Offset from = state.delivered_mark;
    if (const auto first = state.ledger.first_ready()) from = std::max(from, first->range.first);  // some were dropped
    const std::uint64_t left = state.ledger.next_offset() - from;
    const std::uint64_t credit = state.consumers.credit_left(left);
    return credit == 0 ? state.delivered_mark : from + credit;
}

/// Gives the consumer up to `want` messages, of which at least so many are ready and visible; returns how many.
std::uint64_t Queue::State::serve(ConsumerId consumer, std::uint64_t want, Instant now, std::vector<Grant>& out) {
    std::uint64_t given = 0;
    want = std::min(want, kLeasesMax - std::min(kLeasesMax, ledger.leases_of(consumer)));
    const Consumers::Credit& credit = consumers.credit(consumer);
    while (given < want && credit.left()) {
        // What is visible lies below all that is not.
        const auto ready = ledger.first_ready();
        TELPHER_CHECK(ready);
        if (ready->range.first >= allowed) break;
        const std::uint64_t most = std::min(want - given, credit.messages_max - credit.messages);
        const Spread lot = next_lot(*ready, credit, most);
        const Tries tries{lot.standing.tries.deliveries + 1, lot.standing.tries.attempts};
        const BatchIndex::Place place = ledger.place(lot.span);
        const std::uint64_t bytes = ledger.move(lot, Standing::leased(consumer, tries, lease_end(now)));
        consumers.gave(consumer, lot.messages, bytes);
        if (tries.deliveries > 1) counters.redelivered += lot.messages;
        delivered_mark = std::max(delivered_mark, lot.span.end());
        out.push_back({consumer, place.batch, place.index, lot.span, tries, bytes, lot.messages});
        given += lot.messages;
    }
    return given;
}

/// What is granted next: of one batch, at most `most` messages, and no more than the byte credit has room for.
Spread Queue::State::next_lot(const Segment& ready, const Consumers::Credit& credit, std::uint64_t most) const {
    // Up to the message that uses the bytes up: a byte limit smaller than a message must not stop the consumer for
    // ever.
    const std::uint64_t bytes_left = credit.bytes_max - credit.bytes;
    const BatchIndex::Place place = ledger.place(ready.range);
    const std::uint64_t fit = place.mean.reaching(place.at, bytes_left);
    const std::uint64_t count = std::min({most, place.range.count, allowed - place.range.first, fit});
    const Spread adjacent{{place.range.first, count}, count, ready.standing};
    if (!credit.holes || count < ready.range.count) return adjacent;
    // Behind them there is a hole. No message weighs more than the mean rounded up, whichever of the batch it is.
    const std::uint64_t each = share_of(place.mean.bytes(), place.mean.count());
    const std::uint64_t fit_anywhere = each == 0 ? most : share_of(bytes_left, each);
    const auto spread =
        ledger.first_ready_spread(std::min(allowed, ledger.visible_end()), std::min(most, fit_anywhere));
    if (!spread || spread->messages <= count || spread->span.count > kSpanMax * spread->messages) return adjacent;
    return *spread;
}

Instant Queue::State::lease_end(Instant now) const {
    return options.lease_ms == 0 ? Instant::never() : now + std::chrono::milliseconds(options.lease_ms);
}

std::vector<Grant> Queue::recall(std::uint64_t messages_max) {
    State& state = *state_;
    if (state.paused || state.ledger.ready_visible() > 0) return {};
    bool somebody_idle = false;
    std::uint64_t sharing = 0;
    ConsumerId richest;
    std::uint64_t most = 0;
    for (const auto& [consumer, credit] : state.consumers.all()) {
        const std::uint64_t holds = state.ledger.leases_of(consumer);
        somebody_idle = somebody_idle || (holds == 0 && credit.left());
        sharing += holds > 0 || credit.left() ? 1 : 0;
        if (holds > most) {
            most = holds;
            richest = consumer;
        }
    }
    if (!somebody_idle || most == 0) return {};
    const std::uint64_t share = share_of(state.ledger.leased(), sharing);
    const std::uint64_t excess = most > share ? most - share : 0;
    std::uint64_t want = std::min((excess + 1) / 2, messages_max);
    std::vector<Grant> asked;
    const std::vector<Segment> leases = state.ledger.leases(richest);
    for (auto lease = leases.rbegin(); lease != leases.rend() && want > 0; ++lease) {
        const std::uint64_t count = std::min(want, lease->range.count);
        want -= count;
        for (Range rest{Offset(lease->range.end().value() - count), count}; rest.count > 0;) {
            const BatchIndex::Place place = state.ledger.place(rest);
            asked.push_back({richest, place.batch, place.index, place.range, lease->standing.tries, place.bytes(),
                             place.range.count});
            rest = {place.range.end(), rest.count - place.range.count};
        }
    }
    return asked;
}

}  // namespace telpher::queue
