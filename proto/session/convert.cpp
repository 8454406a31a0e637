#include "proto/session/convert.h"

#include "proto/base/bytes.h"
#include "proto/batch.h"

namespace telpher::session {
namespace {

Peeked peeked_message(const v1::Peeked::Run& run, std::uint32_t index, const batch::RecordView& record) {
    Peeked message;
    message.id = run.first_offset() + index;
    message.body = as_text(record.payload);
    message.key = as_text(record.key);
    for (const auto& [name, value] : record.headers) message.headers.emplace_back(name, as_text(value));
    message.state = static_cast<Peeked::State>(run.state());
    message.deliveries = run.delivery();
    message.attempts = run.attempt();
    message.put_ms = static_cast<std::int64_t>(run.put_ms());
    message.cause = static_cast<DeathCause>(run.cause());
    message.dead_ms = static_cast<std::int64_t>(run.dead_ms());
    message.reason = run.reason();
    return message;
}

std::uint64_t wire_ms(Millis time) { return static_cast<std::uint64_t>(std::max<Millis::rep>(time.count(), 0)); }
Millis from_wire_ms(std::uint64_t ms) { return Millis{static_cast<Millis::rep>(ms)}; }

}  // namespace

v1::QueueOptions to_wire(const QueueOptions& options) {
    v1::QueueOptions wire;
    if (options.maxsize) wire.set_maxsize(*options.maxsize);
    if (options.max_bytes) wire.set_max_bytes(*options.max_bytes);
    if (options.on_full) wire.set_on_full(static_cast<std::uint32_t>(*options.on_full));
    if (options.durability) wire.set_durability(static_cast<std::uint32_t>(*options.durability));
    if (options.lease) wire.set_lease_ms(wire_ms(*options.lease));
    if (options.max_attempts) wire.set_max_attempts(*options.max_attempts);
    if (options.backoff) wire.set_backoff_ms(wire_ms(*options.backoff));
    if (options.backoff_max) wire.set_backoff_max_ms(wire_ms(*options.backoff_max));
    return wire;
}

QueueStats from_wire(const v1::QueueState& state) {
    QueueStats stats;
    stats.name = state.name();
    stats.maxsize = state.options().maxsize();
    stats.max_bytes = state.options().max_bytes();
    stats.on_full = static_cast<OnFull>(state.options().on_full());
    stats.durability = static_cast<Durability>(state.options().durability());
    stats.lease = from_wire_ms(state.options().lease_ms());
    stats.max_attempts = state.options().max_attempts();
    stats.backoff = from_wire_ms(state.options().backoff_ms());
    stats.backoff_max = from_wire_ms(state.options().backoff_max_ms());
    stats.ready = state.ready();
    stats.leased = state.leased();
    stats.delayed = state.delayed();
    stats.dead = state.dead();
    stats.bytes = state.bytes();
    stats.sealed = state.sealed();
    stats.paused = state.paused();
    stats.owner = state.owner();
    stats.generation = state.generation();
    stats.producers = state.producers();
    stats.blocked_producers = state.blocked_producers();
    stats.consumers = state.consumers();
    stats.put = state.put();
    stats.acked = state.acked();
    stats.nacked = state.nacked();
    stats.redelivered = state.redelivered();
    stats.dropped = state.dropped();
    stats.expired = state.expired();
    stats.rejected = state.rejected();
    stats.high_water = state.high_water();
    stats.lost = state.lost();
    stats.died = state.died();
    stats.blocked_ms = state.blocked_ms();
    return stats;
}

BrokerStats from_wire(const v1::StatusIs& status) {
    BrokerStats stats;
    stats.version = status.version();
    stats.data_dir = status.data_dir();
    stats.boot = status.boot();
    stats.uptime_ms = status.uptime_ms();
    stats.log_bytes = status.log_bytes();
    stats.resident_bytes = status.resident_bytes();
    stats.cpu_us = status.cpu_us();
    stats.commits = status.commits();
    stats.committed_lsn = status.committed_lsn();
    stats.sessions = status.sessions();
    stats.queues = status.queues();
    stats.connections = status.connections();
    stats.kicked = status.kicked();
    for (const auto& refused : status.refused()) stats.refused.emplace_back(refused.reason(), refused.count());
    return stats;
}

Result<std::vector<Peeked>> from_wire(const v1::Peeked& peeked, std::span<const Slice> bodies) {
    if (bodies.size() != 2) return fail(Code::kProtocol, "PEEKED without bodies");
    const Slice& lengths = bodies[0];
    const Slice& records = bodies[1];
    std::vector<Peeked> messages;
    std::size_t index = 0;
    std::size_t from = 0;
    for (const auto& run : peeked.runs()) {
        for (std::uint32_t i = 0; i < run.count(); ++i, ++index) {
            if ((index + 1) * sizeof(std::uint32_t) > lengths.size()) return fail(Code::kProtocol, "PEEKED: lengths");
            const auto bytes = load_le<std::uint32_t>(lengths.data() + index * sizeof(std::uint32_t));
            if (bytes > records.size() - from) return fail(Code::kProtocol, "PEEKED: records");
            const auto record = batch::decode_record(records.bytes().subspan(from, bytes));
            if (!record) return fail(record.error());
            messages.push_back(peeked_message(run, i, *record));
            from += bytes;
        }
    }
    return messages;
}

}  // namespace telpher::session
