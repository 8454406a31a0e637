// Queue: the line, the bound and who comes in.
#include <algorithm>

#include "broker/queue/state.h"
#include "proto/base/check.h"
#include "proto/base/mutant.h"

namespace telpher::queue {

namespace {

std::uint64_t minus(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; }

}  // namespace

Offered Queue::offer(const Put& put) {
    State& state = *state_;
    if (state.line.sealing() && !(put.under && state.ledger.in_hands(put.under->first))) return Offered::kSealed;
    state.line.add(put);
    return Offered::kInLine;
}

/// Messages that stay whoever comes: with drop-oldest all but those in somebody's hands can go.
std::uint64_t Queue::State::staying() const {
    if (TELPHER_MUTANT("bound-without-held")) return ledger.live() - ledger.held();
    return options.on_full == OnFull::kDropOldest ? ledger.leased() + ledger.held() : ledger.live();
}

/// Messages that a turn can let in.
std::uint64_t Queue::State::room_for_turn() const { return minus(options.maxsize, staying()); }

/// How many of the ticket's next messages can come in now.
std::uint32_t Queue::State::fitting(const Line::Ticket& ticket) const {
    const bool drops = options.on_full == OnFull::kDropOldest;
    return static_cast<std::uint32_t>(
        fitting(ticket.mean, ticket.taken, ticket.left(), staying(), drops ? ledger.leased_bytes() : ledger.bytes()));
}

std::uint64_t Queue::State::fitting(const MeanBytes& mean, std::uint64_t index, std::uint64_t left, std::uint64_t stays,
                                    std::uint64_t bytes) const {
    const std::uint64_t room = minus(options.maxsize, stays);
    if (room == 0 || options.max_bytes == 0) return std::min(left, room);
    const std::uint64_t alone = stays == 0 ? 1 : 0;
    if (bytes > options.max_bytes) return alone;
    const std::uint64_t fit = mean.fitting(index, options.max_bytes - bytes);
    return fit > 0 ? std::min({left, room, fit}) : alone;
}

std::optional<TicketId> Queue::State::deadlocked() const {
    // Somebody can take what is ready, or what is ready once it is committed: that makes room.
    if (ledger.ready() > 0 && consumers.hungry() > 0) return std::nullopt;
    return line.waits_for_itself(ledger);
}

auto Queue::State::plan() const -> std::optional<Step> {
    if (line.empty()) return std::nullopt;
    if (options.on_full == OnFull::kReject) {
        const Line::Ticket& first = line.first();
        const std::uint32_t count = fitting(first);
        return count > 0 ? Step{first.id, count} : Step{first.id, first.left(), Code::kFull};
    }
    const auto [ticket, quota] = line.next(room_for_turn());
    const std::uint64_t count = std::min<std::uint64_t>(fitting(*ticket), quota);
    if (count > 0) return Step{ticket->id, static_cast<std::uint32_t>(count)};
    if (const auto stuck = deadlocked()) return Step{*stuck, line.at(*stuck).left(), Code::kDeadlock};
    return std::nullopt;
}

std::optional<TicketId> Queue::next_admission() const {
    const auto step = state_->plan();
    if (!step) return std::nullopt;
    return step->ticket;
}

std::optional<Admission> Queue::admit_next() {
    State& state = *state_;
    TELPHER_CHECK_MSG(!state.ledger.pending(), "stored() comes before the next admission");
    const auto step = state.plan();
    if (!step) return std::nullopt;
    Admission admission{step->ticket, step->count, {}, step->refused, true, {}};
    if (step->refused != Code::kOk) {
        state.line.remove(step->ticket);
        if (step->refused == Code::kFull) state.counters.rejected += step->count;
        return admission;
    }
    const Line::Ticket ticket = state.line.at(step->ticket);
    const std::uint64_t room = state.room_for_turn();
    const std::uint64_t bytes = ticket.mean.of(ticket.taken, step->count);
    if (state.options.on_full == OnFull::kDropOldest) admission.dropped = state.make_room(step->count, bytes);
    const Options& bound = state.options;
    TELPHER_CHECK(state.ledger.live() + step->count <= bound.maxsize);
    TELPHER_CHECK(bound.max_bytes == 0 || state.ledger.bytes() + bytes <= bound.max_bytes || state.ledger.live() == 0);
    admission.first = state.ledger.admit(step->count, bytes).first;
    admission.finished = bound.on_full == OnFull::kReject ? state.line.take(ticket.id, step->count)
                                                          : state.line.serve(ticket.id, step->count, room);
    state.counters.put += step->count;
    state.raise_high_water();
    return admission;
}

std::uint64_t Queue::State::excess_messages(std::uint64_t count) const {
    return minus(ledger.live() + count, options.maxsize);
}

std::uint64_t Queue::State::excess_bytes(std::uint64_t bytes) const {
    return options.max_bytes == 0 ? 0 : minus(ledger.bytes() + bytes, options.max_bytes);
}

/// Drops ready messages, oldest first, then delayed ones, until `count` messages of `bytes` fit.
std::vector<Range> Queue::State::make_room(std::uint64_t count, std::uint64_t bytes) {
    std::vector<Range> dropped;
    for (;;) {
        const std::uint64_t messages_over = excess_messages(count);
        const std::uint64_t bytes_over = excess_bytes(bytes);
        if (messages_over == 0 && bytes_over == 0) break;
        auto oldest = ledger.first_ready();
        if (!oldest) oldest = ledger.first_delayed();
        if (!oldest) break;  // one message larger than the bound, into the empty queue
        const BatchIndex::Place place = ledger.place(oldest->range);
        const std::uint64_t need = std::max(messages_over, place.mean.reaching(place.at, bytes_over));
        const Segment drop{{place.range.first, std::min(need, place.range.count)}, oldest->standing};
        ledger.move(drop, Standing::gone());
        counters.dropped += drop.range.count;
        dropped.push_back(drop.range);
    }
    return in_order(std::move(dropped));
}

void Queue::stored(const StoredBatch& batch) { state_->ledger.stored(batch); }

void Queue::move_to_end(TicketId ticket, TicketId renamed) { state_->line.move_to_end(ticket, renamed); }

void Queue::forget_lease(TicketId ticket) { state_->line.forget_lease(ticket); }

std::uint32_t Queue::cancel(TicketId ticket) { return state_->line.remove(ticket); }

void Queue::shrink(TicketId ticket, std::uint32_t count, std::uint64_t bytes) {
    state_->line.shrink(ticket, count, bytes);
}

std::size_t Queue::waiters() const { return state_->line.size(); }

std::uint64_t Queue::room() const {
    const State& state = *state_;
    const Options& bound = state.options;
    if (bound.max_bytes > 0 && state.ledger.bytes() >= bound.max_bytes) return 0;
    return minus(bound.maxsize, state.ledger.live());
}

bool Queue::seal() { return state_->line.seal(); }
bool Queue::sealed() const { return state_->line.sealed(); }
bool Queue::take_sealed_now() { return state_->line.take_sealed_now(); }
void Queue::reopen() { state_->line.reopen(); }

}  // namespace telpher::queue
