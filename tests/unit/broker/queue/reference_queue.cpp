#include "reference_queue.h"

#include <algorithm>

namespace telpher::queue {

namespace {

Range one(std::uint64_t offset) { return {Offset(offset), 1}; }

}  // namespace

std::uint64_t ReferenceQueue::count(Where where) const {
    return static_cast<std::uint64_t>(
        std::ranges::count_if(messages, [&](const Message& message) { return message.where == where; }));
}

std::uint64_t ReferenceQueue::bytes() const {
    std::uint64_t bytes = 0;
    for (const Message& message : messages) bytes += message.live() ? message.bytes : 0;
    return bytes;
}

std::uint64_t ReferenceQueue::floor() const {
    std::uint64_t floor = 0;
    while (floor < messages.size() && messages[floor].gone()) ++floor;
    return floor;
}

template <class Visit>
Range ReferenceQueue::each(Range range, Visit visit) {
    const std::uint64_t first = range.first.value();
    const std::uint64_t end = range.count > UINT64_MAX - first ? UINT64_MAX : first + range.count;
    for (std::uint64_t at = first; at < std::min<std::uint64_t>(end, messages.size()); ++at) visit(at, messages[at]);
    const std::uint64_t above = std::max<std::uint64_t>(first, messages.size());
    return {Offset(above), minus(end, above)};
}

// --- consumers ---

Instant ReferenceQueue::lease_end(Instant now) const {
    return options.lease_ms == 0 ? Instant::never() : now + std::chrono::milliseconds(options.lease_ms);
}

auto ReferenceQueue::first_ready(std::uint64_t below) -> Message* {
    for (std::size_t at = 0; at < below; ++at) {
        if (messages[at].where == Where::kReady) return &messages[at];
    }
    return nullptr;
}

std::vector<ReturnedRange> ReferenceQueue::detach(ConsumerId consumer) {
    consumers.erase(consumer);
    std::vector<ReturnedRange> returned;
    for (std::size_t at = 0; at < messages.size(); ++at) {
        Message& message = messages[at];
        if (message.where != Where::kLeased || message.consumer != consumer) continue;
        message.where = Where::kReady;
        append(returned, one(at), message.tries);
    }
    return returned;
}

void ReferenceQueue::hold(ConsumerId consumer, Instant until) {
    consumers.erase(consumer);
    for (Message& message : messages) {
        if (message.where != Where::kLeased || message.consumer != consumer) continue;
        message.where = Where::kHeld;
        message.at = until;
        --message.tries.deliveries;
    }
}

auto ReferenceQueue::deliver(Instant now, std::uint64_t messages_max) -> std::vector<Given> {
    std::vector<Given> given;
    if (paused) return given;
    for (;;) {
        std::vector<ConsumerId> turn;  // those with credit, beginning after the one that had the last turn
        for (const auto& [id, credit] : consumers) {
            if (credit.left() && id > last_consumer_) turn.push_back(id);
        }
        for (const auto& [id, credit] : consumers) {
            if (credit.left() && id <= last_consumer_) turn.push_back(id);
        }
        std::uint64_t ready = 0;
        for (std::size_t at = 0; at < visible; ++at) ready += messages[at].where == Where::kReady ? 1 : 0;
        if (turn.empty() || ready == 0 || given.size() == messages_max) return given;
        const std::uint64_t slice = (ready + turn.size() - 1) / turn.size();
        for (const ConsumerId id : turn) {
            Credit& credit = consumers.at(id);
            for (std::uint64_t i = 0; i < slice && credit.left() && given.size() < messages_max; ++i) {
                Message* message = first_ready(visible);
                if (message == nullptr) break;
                const auto offset = static_cast<std::uint64_t>(message - messages.data());
                last_consumer_ = id;
                ++message->tries.deliveries;
                counters.redelivered += message->tries.deliveries > 1 ? 1 : 0;
                message->where = Where::kLeased;
                message->consumer = id;
                message->at = lease_end(now);
                message->unclaimed = false;
                ++credit.messages;
                credit.bytes += message->bytes;
                delivered_mark = std::max(delivered_mark, offset + 1);
                given.push_back({id.value(), offset, message->batch, message->index, message->tries, message->bytes});
            }
        }
    }
}

void ReferenceQueue::bury(std::uint64_t at, const DeathNote& note, std::vector<Died>& died) {
    Message& message = messages[at];
    message.where = Where::kDead;
    message.note = note;
    ++counters.died;
    append(died, Died{one(at), message.tries, note});
}

Settled ReferenceQueue::settle(ConsumerId consumer, Range range, std::uint32_t delivery, const Ruling& ruling,
                               Instant now) {
    Settled result;
    const Verdict verdict = ruling.verdict;
    const bool waits = verdict == Verdict::kNack && ruling.delay.count() > 0;
    const Range above = each(range, [&](std::uint64_t at, Message& message) {
        const bool mine =
            message.where == Where::kLeased && message.consumer == consumer && message.tries.deliveries == delivery;
        const bool held = message.where == Where::kHeld && message.tries.deliveries + 1 == delivery;
        const bool idle =
            !message.gone() && !message.in_hands() && delivery != 0 && message.tries.deliveries == delivery;
        if (verdict == Verdict::kAck) {
            if (message.gone()) return append(result.repeated, one(at));
            if (!mine && !held && !idle) return append(result.lost, one(at));
            message.where = Where::kGone;
            ++counters.acked;
            ++result.count;
            return append(result.done, one(at));
        }
        const bool kills = verdict == Verdict::kDead && message.where != Where::kDead;
        if (idle && !kills) return append(result.repeated, one(at));
        if (!mine && !held && !idle) return append(result.lost, one(at));
        message.tries.deliveries = delivery;
        ++result.count;
        if (verdict != Verdict::kRelease) ++message.tries.attempts;
        if (verdict == Verdict::kNack) ++counters.nacked;
        if (verdict == Verdict::kDead || (verdict == Verdict::kNack && worn_out(message)))
            return bury(at, ruling.note, result.died);
        message.where = waits ? Where::kDelayed : Where::kReady;
        message.at = now + ruling.delay;
        if (waits) return append(result.delayed, Delayed{one(at), message.tries, message.at});
        append(result.returned, one(at), message.tries);
    });
    if (above.count > 0) append(result.lost, above);
    return result;
}

std::vector<Range> ReferenceQueue::extend(ConsumerId consumer, Range range, std::uint32_t delivery, Instant now,
                                          Duration lease) {
    std::vector<Range> lost;
    const Range above = each(range, [&](std::uint64_t at, Message& message) {
        if (message.where == Where::kLeased && message.consumer == consumer && message.tries.deliveries == delivery) {
            message.at = std::max(message.at, now + lease);
        } else {
            append(lost, one(at));
        }
    });
    if (above.count > 0) append(lost, above);
    return lost;
}

std::vector<Range> ReferenceQueue::claim(ConsumerId consumer, Range range, std::uint32_t delivery, Instant now) {
    std::vector<Range> lost;
    const Range above = each(range, [&](std::uint64_t at, Message& message) {
        if (message.where == Where::kHeld && message.tries.deliveries + 1 == delivery) {
            message.where = Where::kLeased;
            message.consumer = consumer;
            message.tries.deliveries = delivery;
            message.at = lease_end(now);
            message.unclaimed = false;
        } else if (message.where == Where::kLeased && message.consumer == consumer &&
                   message.tries.deliveries == delivery) {
            message.unclaimed = false;
        } else {
            append(lost, one(at));
        }
    });
    if (above.count > 0) append(lost, above);
    return lost;
}

void ReferenceQueue::claim_begin(ConsumerId consumer) {
    for (Message& message : messages) message.unclaimed = message.unclaimed || message.consumer == consumer;
}

std::vector<ReturnedRange> ReferenceQueue::claim_end(ConsumerId consumer) {
    std::vector<ReturnedRange> returned;
    for (std::size_t at = 0; at < messages.size(); ++at) {
        Message& message = messages[at];
        if (message.where != Where::kLeased || message.consumer != consumer || !message.unclaimed) continue;
        message.where = Where::kReady;
        append(returned, one(at), message.tries);
    }
    return returned;
}

auto ReferenceQueue::recall(std::uint64_t messages_max) const -> std::vector<Given> {
    std::map<ConsumerId, std::uint64_t> holds;
    for (const auto& [id, credit] : consumers) holds[id] = 0;
    std::uint64_t leased = 0;
    for (std::size_t at = 0; at < messages.size(); ++at) {
        if (messages[at].where == Where::kReady && at < visible) return {};
        if (messages[at].where != Where::kLeased) continue;
        ++holds[messages[at].consumer];
        ++leased;
    }
    bool idle = false;
    std::uint64_t sharing = 0;
    ConsumerId richest;
    std::uint64_t most = 0;
    for (const auto& [id, count] : holds) {
        const bool wants = consumers.at(id).left();
        idle = idle || (wants && count == 0);
        sharing += wants || count > 0 ? 1 : 0;
        if (count > most) {
            most = count;
            richest = id;
        }
    }
    if (paused || !idle || most == 0) return {};
    std::uint64_t want = std::min(messages_max, (minus(most, (leased + sharing - 1) / sharing) + 1) / 2);
    std::vector<Given> asked;
    for (std::size_t at = messages.size(); at-- > 0 && want > 0;) {
        const Message& message = messages[at];
        if (message.where != Where::kLeased || message.consumer != richest) continue;
        asked.push_back({richest.value(), at, message.batch, message.index, message.tries, message.bytes});
        --want;
    }
    return asked;
}

// --- dead letters ---

std::vector<ReturnedRange> ReferenceQueue::redrive(Range range, std::uint64_t messages_max) {
    std::vector<ReturnedRange> returned;
    bool full = false;
    each(range, [&](std::uint64_t at, Message& message) {
        if (full || message.where != Where::kDead || messages_max == 0) return;
        const bool alone = live() == 0;
        full = live() >= options.maxsize ||
               (options.max_bytes > 0 && bytes() + message.bytes > options.max_bytes && !alone);
        if (full) return;
        message.where = Where::kReady;
        message.tries.attempts = 0;
        message.note = nullptr;
        append(returned, one(at), message.tries);
        --messages_max;
    });
    counters.high_water = std::max(counters.high_water, live());
    return returned;
}

std::vector<Range> ReferenceQueue::drop_dead(Range range, std::uint64_t messages_max) {
    std::vector<Range> dropped;
    each(range, [&](std::uint64_t at, Message& message) {
        if (message.where != Where::kDead || messages_max == 0) return;
        message.where = Where::kGone;
        ++counters.dropped;
        append(dropped, one(at));
        --messages_max;
    });
    return dropped;
}

// --- time ---

Queue::Ended ReferenceQueue::run_timers(Instant now, const DeathNote& note) {
    Queue::Ended ended;
    for (std::size_t at = 0; at < messages.size(); ++at) {
        Message& message = messages[at];
        const bool lease_ends = message.where == Where::kLeased && message.at <= now;
        const bool hold_ends = message.where == Where::kHeld && message.at <= now;
        const bool delay_ends = message.where == Where::kDelayed && message.at <= now;
        if (!lease_ends && !hold_ends && !delay_ends) continue;
        message.where = Where::kReady;
        message.tries.attempts += lease_ends ? 1 : 0;
        message.tries.deliveries += hold_ends ? 1 : 0;
        if (lease_ends && worn_out(message)) {
            bury(at, note, ended.died);
        } else if (!delay_ends) {
            append(ended.returned, one(at), message.tries);
        }
    }
    return ended;
}

Instant ReferenceQueue::next_due() const {
    Instant due = Instant::never();
    for (const Message& message : messages) {
        if (message.in_hands() || message.where == Where::kDelayed) due = std::min(due, message.at);
    }
    return due;
}

void ReferenceQueue::restart(Offset mark, Offset again, Instant hold_end, Instant now) {
    for (std::size_t at = 0; at < messages.size(); ++at) {
        Message& message = messages[at];
        if (!message.live()) continue;
        if (message.where == Where::kLeased) --message.tries.deliveries;  // grants are not in the log
        if (message.where == Where::kDelayed && message.at > now) continue;
        const Offset known = message.tries.deliveries == 0 ? mark : again;
        message.where = at < known.value() ? Where::kHeld : Where::kReady;
        message.at = hold_end;
    }
    const bool was_sealed = sealed();
    line.clear();
    consumers.clear();
    seal_asked = was_sealed;
    turn_quota_ = 0;
    last_consumer_ = {};
    visible = messages.size();
    delivered_mark = mark.value();
}

}  // namespace telpher::queue
