#include "broker/get_desk.h"

#include <algorithm>
#include <cstring>

#include "broker/stored_batch.h"
#include "proto/base/check.h"
#include "proto/base/mutant.h"
#include "proto/frame.h"

namespace telpher::broker {
namespace {

constexpr std::size_t kLengthBytes = sizeof(std::uint32_t);  // as stored and as sent
/// Messages handed out per queue and cycle: bounds the cycle, the rest follows in the next.
constexpr std::uint64_t kDeliverMax = 8 * 1024;
/// Lost ranges told in one SETTLED: 30 bytes each at most, in a frame of 64 KiB.
constexpr std::ptrdiff_t kLostMax = 2000;
/// Runs of different standing that one ATTACH or EXTEND may look at, so that what is lost fits its answer; the rest
/// counts as lost.
constexpr std::uint64_t kLooksAnswered = 12 * 1024;
/// The same for SETTLE: more than a consumer can hold.
constexpr std::uint64_t kLooksSettled = queue::kLeasesMax + 2 * limits::kSettleRangesMax;
/// Runs that one turn of a queue's timers gives back: what is logged of them has room in any segment.
constexpr std::uint64_t kTimerRunsMax = 16 * 1024;

/// The delivery that a run names; one that no message can have is none.
std::uint32_t delivery_of(const frame::Run& run) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(run.value, UINT32_MAX));
}

Result<queue::Verdict> verdict_of(v1::Settle::Verdict verdict) {
    switch (verdict) {
        case v1::Settle::VERDICT_ACK:
            return queue::Verdict::kAck;
        case v1::Settle::VERDICT_NACK:
            return queue::Verdict::kNack;
        case v1::Settle::VERDICT_RELEASE:
            return queue::Verdict::kRelease;
        case v1::Settle::VERDICT_DEAD:
            return queue::Verdict::kDead;
        default:
            return fail(Code::kProtocol, "SETTLE verdict");
    }
}

/// The range is in nobody's hands any more, nor are the holes behind it, which came with it.
void end_lease(HostedQueue& queue, const queue::Range& range) {
    queue.lease_times.end({range.first, queue.queue.next_present(range.end()) - range.first});
}

void end_leases(HostedQueue& queue, const Returned& returned) {
    for (const auto& [range, tries] : returned) end_lease(queue, range);
}

/// Ends the leases of what was acked and counts how long they took. Of a range with holes each stretch of one age
/// counts for its part of the messages.
void end_acked(HostedQueue& queue, const queue::Settled& settled, Instant now) {
    std::uint64_t offsets = 0;
    for (const queue::Range& range : settled.done) offsets += range.count;
    for (const queue::Range& range : settled.done) {
        queue.lease_times.end(range, [&](Instant since, std::uint64_t count) {
            queue.metrics.lease.observe((now - since).count(), count * settled.count / offsets);
        });
        end_lease(queue, range);
    }
}

/// The lengths and records of messages of `range` as DELIVER has them: shared with the batch, or, where some between
/// them are left out, put together; they weigh about `bytes`.
std::array<Slice, 2> bodies_of(const batch::View& body, const queue::Range& range,
                               std::span<const queue::Queue::Stored> parts, std::uint64_t bytes) {
    if (parts.size() == 1 && parts.front().range == range) {
        const auto count = static_cast<std::uint32_t>(range.count);
        return {body.lengths(parts.front().index, count), body.records(parts.front().index, count)};
    }
    const Slice all_lengths = body.lengths(0, body.count());
    const Slice all_records = body.records(0, body.count());
    std::vector<std::byte> lengths(range.count * kLengthBytes);
    std::vector<std::byte> records;
    records.reserve(bytes);
    std::uint32_t index = parts.front().index;
    std::uint64_t at = body.bytes_before(index);
    const auto skip_to = [&](std::uint32_t to) {
        const std::uint64_t from = at;
        for (; index < to; ++index) at += load_le<std::uint32_t>(all_lengths.data() + index * kLengthBytes);
        return from;
    };
    for (const auto& part : parts) {
        const auto count = static_cast<std::uint32_t>(part.range.count);
        skip_to(part.index);
        std::memcpy(lengths.data() + (part.range.first - range.first) * kLengthBytes,
                    all_lengths.data() + part.index * kLengthBytes, count * kLengthBytes);
        const std::byte* from = all_records.data() + skip_to(part.index + count);
        records.insert(records.end(), from, all_records.data() + at);
    }
    return {Slice::own(std::move(lengths)), Slice::own(std::move(records))};
}

void count_dead(HostedQueue& queue, const std::vector<queue::Died>& died, queue::Cause cause) {
    for (const queue::Died& run : died) {
        end_lease(queue, run.range);
        queue.metrics.died_of(cause, run.range.count);
    }
}

}  // namespace

Subscription* GetDesk::find(std::uint32_t number) {
    const auto found = subscriptions_.find(number);
    return found == subscriptions_.end() ? nullptr : &found->second;
}

Subscription* GetDesk::of(const Session& session, std::uint32_t number) {
    Subscription* subscription = find(number);
    return subscription != nullptr && subscription->session == session.id ? subscription : nullptr;
}

bool GetDesk::holds(const Session& session, const HostedQueue& queue, Offset offset, std::uint32_t delivery) const {
    const auto holder = queue.queue.holder(offset, delivery);
    if (!holder) return false;
    const auto number = by_consumer_.find(*holder);
    // Held for whoever claims it, which only a consumer can.
    const bool may_claim = session.rights->on(queue.name).any_of(RightSet::kGet);
    return (*holder == ConsumerId() && may_claim) ||
           (number != by_consumer_.end() && subscriptions_.at(number->second).session == session.id);
}

void GetDesk::attach(Session& session, const v1::Attach& request) {
    const auto handle = session.handles.find(HandleId(request.handle()));
    HostedQueue* queue = handle == session.handles.end() ? nullptr : core_.catalog.find(handle->second.queue);
    if (queue == nullptr) return core_.refuse(session.peer, request.req(), Error(Code::kNotFound, "no such handle"));
    if (!handle->second.rights.any_of(RightSet::kGet)) {
        return core_.deny(session, request.req(), "ATTACH", queue->name);
    }
    const auto held = frame::read_runs(request.held(), limits::kControlHeaderBytes);
    if (!held) return core_.refuse(session.peer, request.req(), held.error());
    if (request.consumer_name().size() > limits::kNameBytesMax)
        return core_.refuse(session.peer, request.req(), Error(Code::kProtocol, "consumer name over 255 bytes"));
    if (session.subscriptions.size() >= limits::kHandlesMax) {
        return core_.refuse(session.peer, request.req(), Error(Code::kLimit, "attachments of one session"));
    }
    Subscription subscription;
    subscription.number = next_subscription_++;
    subscription.session = session.id;
    subscription.queue = queue->id;
    subscription.consumer = next_consumer_;
    subscription.name = request.consumer_name();
    next_consumer_ += 1;
    queue->queue.attach(subscription.consumer, request.holes());
    v1::Attached attached;
    attached.set_req(request.req());
    attached.set_sub(subscription.number);
    std::uint64_t end = 0;
    std::uint64_t looks = kLooksAnswered;
    for (const frame::Run& run : *held) {
        const auto lost = queue->queue.claim(subscription.consumer, {Offset(run.first), run.count}, delivery_of(run),
                                             core_.now, &looks);
        for (const queue::Range& range : lost) {
            frame::add_range(*attached.mutable_lost(), end, range.first.value(), range.count);
        }
    }
    queue->queue.set_credit(subscription.consumer, request.credit_messages(), request.credit_bytes());
    session.subscriptions.push_back(subscription.number);
    queue->subscriptions.push_back(subscription.number);
    queue->end_checked = false;
    by_consumer_.emplace(subscription.consumer, subscription.number);
    subscriptions_.emplace(subscription.number, std::move(subscription));
    core_.send(session, v1::OP_ATTACHED, attached);
    core_.catalog.touch(*queue);
}

void GetDesk::detach(Session& session, const v1::Detach& request) {
    Subscription* subscription = of(session, request.sub());
    if (subscription == nullptr)
        return core_.refuse(session.peer, request.req(), Error(Code::kNotFound, "no such attachment"));
    std::erase(session.subscriptions, request.sub());
    drop(*subscription);
    core_.ok_when_committed(session, request.req());
}

void GetDesk::drop(Subscription& subscription) {
    HostedQueue* queue = core_.catalog.find(subscription.queue);
    if (queue != nullptr) {
        const Returned returned = queue->queue.detach(subscription.consumer);
        end_leases(*queue, returned);
        if (queue->durable()) core_.journal.returned(queue->id, returned, false);
        std::erase(queue->subscriptions, subscription.number);
        core_.catalog.touch(*queue);
    }
    by_consumer_.erase(subscription.consumer);
    subscriptions_.erase(subscription.number);
}

void GetDesk::credit(Session& session, const v1::Credit& request) {
    const Subscription* subscription = of(session, request.sub());
    HostedQueue* queue = subscription == nullptr ? nullptr : core_.catalog.find(subscription->queue);
    if (queue == nullptr) return;  // detached meanwhile
    queue->queue.set_credit(subscription->consumer, request.messages(), request.bytes());
    core_.catalog.touch(*queue);
}

Result<void> GetDesk::settle(Session& session, const v1::Settle& request) {
    Subscription* subscription = of(session, request.sub());
    HostedQueue* queue = subscription == nullptr ? nullptr : core_.catalog.find(subscription->queue);
    if (queue == nullptr) return {};
    const auto verdict = verdict_of(request.verdict());
    if (!verdict) return fail(verdict.error());
    const auto runs = frame::read_runs(request.ranges(), limits::kSettleRangesMax);
    if (!runs) return fail(runs.error());
    if (request.settle() <= subscription->settle_seen) return fail(Code::kProtocol, "SETTLE numbers must rise");
    constexpr auto kDelayMaxMs = std::chrono::duration_cast<std::chrono::milliseconds>(limits::kNackDelayMax).count();
    if (request.delay_ms() > static_cast<std::uint64_t>(kDelayMaxMs))
        return fail(Code::kBadOption, "nack delay over 7 days");
    if (request.reason().size() > limits::kReasonBytesMax) return fail(Code::kTooLarge, "reason over 4 KiB");
    subscription->settle_seen = request.settle();
    const bool nacked = *verdict == queue::Verdict::kNack;
    queue::Ruling ruling{*verdict, std::chrono::milliseconds(request.delay_ms())};
    if (nacked && request.backoff()) ruling.delay = queue::kBackoff;
    const queue::Death death{nacked ? queue::Cause::kAttempts : queue::Cause::kVerdict, core_.wall, request.reason()};
    if (nacked || *verdict == queue::Verdict::kDead) ruling.note = queue->note(death);
    queue::Settled all;
    std::uint64_t looks = kLooksSettled;
    for (const frame::Run& run : *runs) {
        queue::Settled settled = queue->queue.settle(subscription->consumer, {Offset(run.first), run.count},
                                                     delivery_of(run), ruling, core_.now, &looks);
        const auto add = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
        all.count += settled.count;
        add(all.done, settled.done);
        add(all.returned, settled.returned);
        add(all.delayed, settled.delayed);
        add(all.died, settled.died);
        for (const queue::Range& lost : settled.lost) subscription->lost.emplace_back(request.settle(), lost);
    }
    end_acked(*queue, all, core_.now);
    end_leases(*queue, all.returned);
    for (const queue::Delayed& delayed : all.delayed) end_lease(*queue, delayed.range);
    count_dead(*queue, all.died, death.cause);
    if (queue->durable()) {
        const auto acked = log::v1::SettleMeta::REASON_ACKED;
        if (!TELPHER_MUTANT("settle-not-logged")) core_.journal.settled(queue->id, all.done, acked, all.count);
        core_.journal.returned(queue->id, all.returned, nacked);
        core_.journal.delayed(queue->id, all.delayed, [this](Instant due) { return core_.wall_ms(due); });
        if (!TELPHER_MUTANT("death-not-logged")) core_.journal.died(queue->id, all.died, death, nacked);
    }
    core_.account(*queue);
    core_.catalog.touch(*queue);
    if (looks == 0 || subscription->lost.size() > kLooksSettled)
        return fail(Code::kProtocol, "SETTLE of more than a consumer can hold");
    core_.gate.add(queue->queue.options().durability, core_.journal.last(),
                   [this, number = subscription->number, settle = request.settle()] {
                       Subscription* still = find(number);
                       if (still == nullptr) return;
                       still->settled = std::max(still->settled, settle);
                       HostedQueue* of = core_.catalog.find(still->queue);
                       if (of == nullptr) return;
                       if (!still->settled_due) of->settled_due.push_back(number);
                       still->settled_due = true;
                       core_.catalog.touch(*of);
                   });
    return {};
}

Result<void> GetDesk::extend(Session& session, const v1::Extend& request) {
    const Subscription* subscription = of(session, request.sub());
    HostedQueue* queue = subscription == nullptr ? nullptr : core_.catalog.find(subscription->queue);
    const auto runs = frame::read_runs(request.ranges(), limits::kSettleRangesMax);
    if (!runs) return fail(runs.error());
    v1::Extended extended;
    extended.set_req(request.req());
    std::uint64_t end = 0;
    constexpr auto kLeaseMaxMs = std::chrono::duration_cast<std::chrono::milliseconds>(limits::kNackDelayMax).count();
    const auto lease = std::chrono::milliseconds(std::min<std::uint64_t>(request.lease_ms(), kLeaseMaxMs));
    std::uint64_t looks = kLooksAnswered;
    for (const frame::Run& run : *runs) {
        std::vector<queue::Range> lost{{Offset(run.first), run.count}};
        if (queue != nullptr) {
            lost = queue->queue.extend(subscription->consumer, {Offset(run.first), run.count}, delivery_of(run),
                                       core_.now, lease, &looks);
        }
        for (const queue::Range& range : lost) {
            frame::add_range(*extended.mutable_lost(), end, range.first.value(), range.count);
        }
    }
    core_.send(session, v1::OP_EXTENDED, extended);
    if (queue != nullptr) core_.catalog.touch(*queue);
    return {};
}

void GetDesk::deliver(HostedQueue& queue) {
    if (core_.draining) return;
    grants_.clear();
    queue.queue.deliver(core_.now, kDeliverMax, grants_);
    log_again(queue);
    for (const queue::Grant& grant : grants_) {
        Subscription& subscription = subscriptions_.at(by_consumer_.at(grant.consumer));
        const bool here = want_body(queue, grant.range.first);
        // Handed out before the log knows that it came back, a crash would have it come back under the same number.
        const bool again = grant.tries.deliveries > 1 && !TELPHER_MUTANT("second-grant-not-gated");
        const Lsn safe_at = again ? core_.journal.last() : Lsn();
        const bool safe = safe_at <= core_.safe_upto(queue.queue.options().durability);
        auto& unsent = subscription.unsent;
        if (here && safe && unsent.empty()) {
            const auto rest = send_grant(queue, subscription, grant);
            TELPHER_CHECK(!rest);  // a batch of the queue's, a moment ago
            continue;
        }
        const bool gated = !unsent.empty() && unsent.back().safe_at == safe_at;  // by the one before
        unsent.push_back({grant, safe_at});
        if (!safe && !gated) {
            core_.gate.add(queue.queue.options().durability, safe_at, [this, number = subscription.number] {
                if (Subscription* still = find(number)) send_waiting(*still);
            });
        }
        if (!here && unsent.size() == 1) want_body(queue, grant.range.first, grant.consumer);
    }
    std::uint64_t granted = 0;
    for (const queue::Grant& grant : grants_) granted += grant.messages;
    if (granted > 0) queue.recall_pause = Duration::zero();
    if (granted >= kDeliverMax) core_.catalog.touch(queue);
}

/// The log says how far messages that had come back may be in hands again, before they are: the grants wait for it.
void GetDesk::log_again(HostedQueue& queue) {
    if (!queue.durable()) return;
    Offset end;
    for (const queue::Grant& grant : grants_) {
        if (grant.tries.deliveries > 1) end = std::max(end, grant.range.end());
    }
    if (end <= queue.again_logged) return;
    queue.again_logged = end;
    log::v1::MarkMeta meta;
    auto* mark = meta.add_marks();
    mark->set_queue(queue.id.value());
    mark->set_delivered(queue.mark_logged.value());
    mark->set_again(end.value());
    core_.journal.reserve(0);
    core_.journal.marks(meta);
}

bool GetDesk::want_body(const HostedQueue& queue, Offset offset, ConsumerId waiting) {
    const auto place = queue.queue.place(offset);
    TELPHER_CHECK(place.has_value());
    if (core_.store.find(place->batch) != nullptr) return true;
    const auto [asked, fresh] = cold_.try_emplace(place->batch, ColdBody{queue.id, offset, place->index, {}});
    if (fresh) ask_for(place->batch);
    if (waiting != ConsumerId()) asked->second.waiting.push_back(waiting);
    return false;
}

/// Sends what waits for a body or a record, in its order, as far as nothing is missing.
void GetDesk::send_waiting(Subscription& subscription) {
    HostedQueue* queue = core_.catalog.find(subscription.queue);
    TELPHER_CHECK(queue != nullptr);  // attachments end with their queue
    while (!subscription.unsent.empty()) {
        if (cut_ended(*queue, subscription)) continue;
        const UnsentGrant& first = subscription.unsent.front();
        if (first.safe_at > core_.safe_upto(queue->queue.options().durability)) return;  // the gate calls then
        if (!want_body(*queue, first.grant.range.first, subscription.consumer)) return;
        if (const auto rest = send_grant(*queue, subscription, first.grant)) {
            subscription.unsent.front().grant = *rest;
        } else {
            subscription.unsent.pop_front();
        }
    }
}

/// While a grant waited leases of the first grant may have ended, or a settle sent again was about them: these
/// are not sent any more and do not count. False: nothing of it ended.
bool GetDesk::cut_ended(HostedQueue& queue, Subscription& subscription) {
    const auto [whole, safe_at] = subscription.unsent.front();
    std::vector<queue::Grant> parts = queue.queue.still_leased(whole);
    std::uint64_t messages = whole.messages;
    std::uint64_t bytes = whole.bytes;
    for (queue::Grant& part : parts) {
        part.bytes = whole.bytes * part.messages / whole.messages;
        messages -= part.messages;
        bytes -= part.bytes;
    }
    if (messages == 0) return false;
    subscription.unsent.pop_front();
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) subscription.unsent.push_front({*part, safe_at});
    queue.queue.refund(whole.consumer, messages, bytes);
    core_.catalog.touch(queue);
    return true;
}

/// Sends what of the grant has its body in one place, which is all of it unless the log was rewritten meanwhile. What
/// is left has to be looked for elsewhere.
std::optional<queue::Grant> GetDesk::send_grant(HostedQueue& queue, const Subscription& subscription,
                                                const queue::Grant& grant) {
    const Session* session = core_.sessions.find(subscription.session);
    if (session == nullptr) return std::nullopt;
    queue.queue.stored_parts(grant.range, parts_);
    TELPHER_CHECK(!parts_.empty());
    const BatchStore::Entry* entry = core_.store.find(parts_.front().batch);
    TELPHER_CHECK(entry != nullptr);
    const auto elsewhere =
        std::ranges::find_if(parts_, [&](const auto& part) { return part.batch != parts_.front().batch; });
    const queue::Queue::Stored& last = *std::prev(elsewhere);
    const queue::Range range{grant.range.first, last.range.end() - grant.range.first};
    std::uint64_t messages = 0;
    for (auto part = parts_.begin(); part != elsewhere; ++part) messages += part->range.count;
    const std::uint64_t bytes = grant.bytes * messages / grant.messages;

    queue.metrics.delivered += messages;
    queue.metrics.queue_wait.observe((core_.now - entry->since).count(), messages);
    queue.lease_times.begin(range, core_.now);
    v1::Deliver message;
    message.set_epoch(session->epoch.value());
    message.set_sub(subscription.number);
    message.set_count(static_cast<std::uint32_t>(range.count));
    message.set_first_offset(range.first.value());
    message.set_delivery(grant.tries.deliveries);
    message.set_attempt(grant.tries.attempts + 1);
    message.set_put_ms(static_cast<std::uint64_t>(entry->body.header().put_time.ms));
    message.set_charged_bytes(bytes);
    core_.send(*session, v1::OP_DELIVER, message, bodies_of(entry->body, range, {parts_.begin(), elsewhere}, bytes));
    if (elsewhere == parts_.end()) return std::nullopt;
    queue::Grant rest = grant;
    rest.range = {elsewhere->range.first, grant.range.end() - elsewhere->range.first};
    rest.messages -= messages;
    rest.bytes -= bytes;
    return rest;
}

void GetDesk::ask_for(BatchRef batch) {
    background_.post(Background::Lane::kReads, [this, &reader = core_.log.reader(), batch]() -> Background::Finish {
        auto record = std::make_shared<Result<log::StoredRecord>>(reader.read(*position_of(batch)));
        return [this, batch, record = std::move(record)] { take_loaded(batch, *record); };
    });
}

void GetDesk::take_loaded(BatchRef batch, const Result<log::StoredRecord>& record) {
    ++bodies_read_;
    auto node = cold_.extract(batch);
    TELPHER_CHECK(!node.empty());
    const ColdBody& cold = node.mapped();
    if (auto done = take_body(batch, cold, record); !done) {
        damage_ = done.error();
        return;
    }
    for (const ConsumerId consumer : cold.waiting) {
        const auto number = by_consumer_.find(consumer);
        if (number != by_consumer_.end()) send_waiting(subscriptions_.at(number->second));
    }
}

Result<void> GetDesk::take_body(BatchRef batch, const ColdBody& cold, const Result<log::StoredRecord>& record) {
    const HostedQueue* queue = core_.catalog.find(cold.queue);
    const auto place = queue != nullptr ? queue->queue.place(cold.offset) : std::nullopt;
    // Settled meanwhile, or stored elsewhere: even its segment may be gone. Who still wants one of it asks again.
    if (!place || place->batch != batch) return {};
    if (!record) return fail(record.error());
    auto view = open_stored(*record, cold.queue, cold.offset, cold.index);
    if (!view) return fail(view.error());
    const Instant since = core_.instant_of(view->header().put_time);
    core_.store.loaded(batch, std::move(*view), since);
    return {};
}

void GetDesk::tell(HostedQueue& queue) {
    std::vector<std::uint32_t> due;
    due.swap(queue.settled_due);
    for (const std::uint32_t number : due) {
        Subscription* found = find(number);
        if (found == nullptr) continue;
        Subscription& subscription = *found;
        subscription.settled_due = false;
        const Session* session = core_.sessions.find(subscription.session);
        if (session == nullptr) continue;
        v1::Settled message;
        message.set_sub(number);
        message.set_settle(subscription.settled);
        auto& lost = subscription.lost;
        auto told =
            std::find_if(lost.begin(), lost.end(), [&](const auto& row) { return row.first > subscription.settled; });
        if (told - lost.begin() > kLostMax) {  // more than a frame holds: the rest with the next, and `settle` with it
            told = lost.begin() + kLostMax;
            message.set_settle(told->first - 1);
            subscription.settled_due = true;
            queue.settled_due.push_back(number);
            core_.catalog.touch(queue);
        }
        for (auto row = lost.begin(); row != told; ++row) {
            message.add_lost(row->first);
            message.add_lost(row->second.first.value());
            message.add_lost(row->second.count);
        }
        lost.erase(lost.begin(), told);
        core_.send(*session, v1::OP_SETTLED, message);
    }
}

void GetDesk::run_timers(HostedQueue& queue) {
    core_.journal.reserve(0);
    const queue::Death death{queue::Cause::kLease, core_.wall, {}};
    const auto ended = queue.queue.run_timers(core_.now, kTimerRunsMax, queue.note(death));
    end_leases(queue, ended.returned);
    count_dead(queue, ended.died, death.cause);
    if (queue.durable()) {
        core_.journal.returned(queue.id, ended.returned, false);
        core_.journal.died(queue.id, ended.died, death, false);
    }
    core_.catalog.touch(queue);
}

void GetDesk::disconnected(const Session& session) {
    for (const std::uint32_t number : session.subscriptions) {
        const Subscription& subscription = subscriptions_.at(number);
        if (HostedQueue* queue = core_.catalog.find(subscription.queue)) {
            const Duration grace = TELPHER_MUTANT("no-resume-grace") ? Duration::zero() : core_.settings.resume_grace;
            queue->queue.hold(subscription.consumer, core_.now + grace);
            std::erase(queue->subscriptions, number);
            core_.catalog.touch(*queue);
        }
        by_consumer_.erase(subscription.consumer);
        subscriptions_.erase(number);
    }
}

void GetDesk::session_over(const Session& session) {
    for (const std::uint32_t number : session.subscriptions) {
        core_.journal.reserve(0);
        drop(subscriptions_.at(number));
    }
}

void GetDesk::queue_removed(HostedQueue& queue) {
    for (const std::uint32_t number : queue.subscriptions) {
        const Subscription& subscription = subscriptions_.at(number);
        if (Session* session = core_.sessions.find(subscription.session)) std::erase(session->subscriptions, number);
        by_consumer_.erase(subscription.consumer);
        subscriptions_.erase(number);
    }
    queue.subscriptions.clear();
}

}  // namespace telpher::broker
