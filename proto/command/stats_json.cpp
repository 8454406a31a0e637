#include "proto/command/stats_json.h"

#include "proto/command/queue_flags.h"

namespace telpher::command {

Json to_json(const QueueStats& queue) {
    return Json{{"name", queue.name},
                {"maxsize", queue.maxsize},
                {"max_bytes", queue.max_bytes},
                {"on_full", name_of(queue.on_full)},
                {"durability", name_of(queue.durability)},
                {"lease_ms", queue.lease.count()},
                {"max_attempts", queue.max_attempts},
                {"backoff_ms", queue.backoff.count()},
                {"backoff_max_ms", queue.backoff_max.count()},
                {"ready", queue.ready},
                {"leased", queue.leased},
                {"delayed", queue.delayed},
                {"dead", queue.dead},
                {"unfinished", queue.unfinished()},
                {"bytes", queue.bytes},
                {"sealed", queue.sealed},
                {"paused", queue.paused},
                {"generation", queue.generation},
                {"producers", queue.producers},
                {"blocked_producers", queue.blocked_producers},
                {"consumers", queue.consumers},
                {"put", queue.put},
                {"acked", queue.acked},
                {"nacked", queue.nacked},
                {"redelivered", queue.redelivered},
                {"dropped", queue.dropped},
                {"expired", queue.expired},
                {"rejected", queue.rejected},
                {"lost", queue.lost},
                {"died", queue.died},
                {"high_water", queue.high_water},
                {"blocked_ms", queue.blocked_ms},
                {"owner", queue.owner}};
}

Json to_json(const BrokerStats& broker) {
    Json refused = Json::object();
    for (const auto& [reason, count] : broker.refused) refused[reason] = count;
    return Json{{"version", broker.version},
                {"data_dir", broker.data_dir},
                {"boot", broker.boot},
                {"uptime_ms", broker.uptime_ms},
                {"sessions", broker.sessions},
                {"connections", broker.connections},
                {"kicked", broker.kicked},
                {"refused", std::move(refused)},
                {"queues", broker.queues},
                {"log_bytes", broker.log_bytes},
                {"resident_bytes", broker.resident_bytes},
                {"cpu_us", broker.cpu_us},
                {"commits", broker.commits},
                {"committed_lsn", broker.committed_lsn}};
}

}  // namespace telpher::command
