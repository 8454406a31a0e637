#include "broker/admin_pages.h"

#include <array>

#include "proto/command/stats_json.h"
#include "proto/frame.h"
#include "proto/session/convert.h"

namespace telpher::broker {
namespace {

using command::Json;

constexpr std::string_view kQueuePath = "/api/v1/queues/";
/// A loop that has not turned for so long hangs: it turns twice a second at least.
constexpr auto kSilentMax = std::chrono::seconds(10);

http::Answer json(int status, const Json& document) {
    return {status, std::string(http::kJsonType), command::dump(document) + "\n"};
}

int status_of(Code code) {
    switch (code) {
        case Code::kNotFound:
            return 404;
        case Code::kBadName:
            return 400;
        case Code::kBusy:
        case Code::kTimeout:
            return 503;
        default:
            return 500;
    }
}

http::Answer failed(const Error& error) { return http::error_answer(status_of(error.code()), error); }

std::int64_t ms(Duration duration) { return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count(); }

Json to_json(const QueueSample& queue) {
    Json object = command::to_json(session::from_wire(queue.state));
    object["consumer_credit"] = queue.credit;
    object["oldest_ready_age_ms"] = ms(queue.oldest_ready);
    object["oldest_lease_age_ms"] = ms(queue.oldest_lease);
    // What consumers have to do now. A paused queue gives them nothing, however much there is.
    const std::uint64_t backlog = queue.state.ready() + queue.state.leased();
    object["scaling"] = Json{{"backlog", queue.state.paused() ? 0 : backlog}};
    return object;
}

Json to_json(const ClientSample& client) {
    return Json{{"name", client.name},
                {"connected", client.connected},
                {"producers", client.producers},
                {"consumers", client.consumers},
                {"silent_ms", ms(client.silent)}};
}

template <class List>
http::Answer list(const List& items) {
    Json all = Json::array();
    for (const auto& item : items) all.push_back(to_json(item));
    return json(200, all);
}

}  // namespace

http::Answer AdminPages::answer(std::string_view path, const http::Parameters& parameters) const {
    if (path == "/livez") return live();
    if (path == "/readyz" || path == "/healthz") return ready(parameters.verbose);
    if (path == "/metrics") return metrics(parameters);
    if (path == "/api/v1/status") return status();
    if (path == "/api/v1/queues") return queues();
    if (path == "/api/v1/clients") return clients();
    if (path.starts_with(kQueuePath)) return queue(path.substr(kQueuePath.size()));
    return http::error_answer(404, Error(Code::kUnsupported, "no such page"));
}

http::Answer AdminPages::live() const {
    const Duration silent = sources_.health().silent;
    const bool alive = silent < kSilentMax;
    return json(alive ? 200 : 503, Json{{"live", alive}, {"silent_ms", ms(silent)}});
}

http::Answer AdminPages::ready(bool verbose) const {
    const Health health = sources_.health();
    struct Check {
        std::string_view name;
        bool good;
        std::string otherwise;
    };
    const std::array checks{
        Check{"replayed", health.replayed, "the log is being read"},
        Check{"bound", health.bound, "clients cannot connect"},
        Check{"loop", health.silent < kSilentMax, "the shard hangs"},
        Check{"log", health.failure.empty(), "the log failed: " + health.failure},
        Check{"disk", !health.disk_full && !health.log_waits, "the disk is full: puts are refused"},
        Check{"serving", !health.draining, "the broker is stopping"},
    };
    Json reasons = Json::array();
    Json shown = Json::object();
    for (const Check& check : checks) {
        shown[std::string(check.name)] = check.good;
        if (!check.good) reasons.push_back(Json{{"check", check.name}, {"reason", check.otherwise}});
    }
    Json document{{"ready", reasons.empty()}};
    if (verbose) document["checks"] = shown;
    if (!reasons.empty()) document["reasons"] = reasons;
    return json(reasons.empty() ? 200 : 503, document);
}

http::Answer AdminPages::metrics(const http::Parameters& parameters) const {
    const MetricsOptions options{parameters.family, sources_.queue_series_max};
    if (!parameters.queue.empty() && !frame::legal_name(parameters.queue)) return failed(Error(Code::kBadName));
    SampleQuery query;
    query.queues = wants_queues(options);
    query.queue = parameters.queue;
    query.count_clients = wants_clients(options);
    const auto sample = sources_.sample(query);
    if (!sample) return failed(sample.error());
    if (query.queues && !query.queue.empty() && sample->queues.empty())
        return failed(Error(Code::kNotFound, query.queue));
    const ProcessSample process{full_process_usage(), sources_.log_dropped()};
    return {200, std::string(http::kMetricsType), metrics_text(*sample, process, options)};
}

http::Answer AdminPages::status() const {
    auto sample = sources_.sample({});
    if (!sample) return failed(sample.error());
    const ProcessUsage usage = process_usage();
    sample->status.set_resident_bytes(usage.resident_bytes);
    sample->status.set_cpu_us(usage.cpu_us);
    return json(200, command::to_json(session::from_wire(sample->status)));
}

http::Answer AdminPages::queues() const {
    const auto sample = sources_.sample({.queues = true});
    return sample ? list(sample->queues) : failed(sample.error());
}

http::Answer AdminPages::queue(std::string_view name) const {
    if (!frame::legal_name(name)) return failed(Error(Code::kBadName));
    const auto sample = sources_.sample({.queues = true, .queue = std::string(name)});
    if (!sample) return failed(sample.error());
    if (sample->queues.empty()) return failed(Error(Code::kNotFound, std::string(name)));
    return json(200, to_json(sample->queues.front()));
}

http::Answer AdminPages::clients() const {
    const auto sample = sources_.sample({.list_clients = true});
    return sample ? list(sample->client_list) : failed(sample.error());
}

}  // namespace telpher::broker
