#include "broker/hosted_queue.h"

#include <algorithm>

#include "broker/queue_options.h"
#include "proto/base/check.h"

namespace telpher::broker {

void Producer::begin_named(std::string called, Sequence first) {
    name = std::move(called);
    stored_below = first;
    window.skip_to(first);
    window.known_below(first);
    committed_below = first;
    confirm_from = first;
}

void HostedQueue::set_open(Producer& producer, bool open) {
    if (std::exchange(producer.open, open) == open) return;
    open ? ++open_producers : --open_producers;
}

void HostedQueue::forget(ProducerId producer) {
    const auto found = producers.find(producer);
    if (found == producers.end()) return;
    TELPHER_CHECK(found->second.line.empty());
    set_open(found->second, false);
    if (!found->second.name.empty()) producer_names.erase(found->second.name);
    producers.erase(found);
}

queue::DeathNote HostedQueue::note(queue::Death death) const {
    if (*reason_bytes + death.reason.size() > limits::kReasonsKeptBytes) death.reason = std::string();
    *reason_bytes += death.reason.size();
    const auto forget = [kept = reason_bytes](const queue::Death* gone) {
        *kept -= gone->reason.size();
        delete gone;
    };
    return {new queue::Death(std::move(death)), forget};
}

v1::QueueState HostedQueue::state() const {
    const queue::Counters& counters = queue.counters();
    v1::QueueState state;
    state.set_name(name);
    state.set_owner(owner);
    encode_options(queue.options(), *state.mutable_options());
    state.set_ready(queue.ready());
    state.set_leased(queue.leased());
    state.set_delayed(queue.delayed());
    state.set_dead(queue.dead());
    state.set_died(counters.died);
    state.set_bytes(queue.bytes());
    state.set_sealed(queue.sealed());
    state.set_paused(queue.paused());
    state.set_generation(generation);
    state.set_producers(open_producers);
    state.set_blocked_producers(static_cast<std::uint32_t>(blocked_producers));
    state.set_consumers(static_cast<std::uint32_t>(subscriptions.size()));
    state.set_put(counters.put);
    state.set_acked(counters.acked);
    state.set_nacked(counters.nacked);
    state.set_redelivered(counters.redelivered);
    state.set_dropped(counters.dropped);
    state.set_expired(counters.expired);
    state.set_rejected(counters.rejected);
    state.set_high_water(counters.high_water);
    state.set_lost(lost);
    state.set_blocked_ms(
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(blocked).count()));
    return state;
}

Offset HostedQueue::mark_wanted() const {
    const Offset needed = mark_needed();
    if (!durable()) return needed;
    const std::uint64_t lately = queue.delivered_mark() - std::min(mark_base, queue.delivered_mark());
    return needed + std::min(queue.next_offset() - needed, lately);
}

}  // namespace telpher::broker
