#include "broker/metrics.h"

#include <algorithm>
#include <array>
#include <vector>

#include "proto/http/exposition.h"
#include "proto/version.h"

namespace telpher::broker {
namespace {

constexpr std::string_view kOther = "_other";
constexpr double kSecond = 1e9;  // in nanoseconds

double seconds(Duration duration) { return static_cast<double>(duration.count()) / kSecond; }
template <class T>
double number(T value) {
    return static_cast<double>(value);
}

// --- one number a queue ---

struct QueueFamily {
    MetricFamily family;
    double (*value)(const QueueSample& queue);
    bool oldest = false;  ///< Of several queues the highest counts, not the sum.
};

/// A field of QueueState.
template <auto kField>
double state(const QueueSample& queue) {
    return number((queue.state.*kField)());
}

constexpr std::array kQueueFamilies{
    QueueFamily{{"telpher_queue_ready_messages", "gauge", "queue", "Messages to be handed out."},
                state<&v1::QueueState::ready>},
    QueueFamily{{"telpher_queue_leased_messages", "gauge", "queue", "Messages in consumers' hands."},
                state<&v1::QueueState::leased>},
    QueueFamily{{"telpher_queue_delayed_messages", "gauge", "queue", "Messages that wait for their time."},
                state<&v1::QueueState::delayed>},
    QueueFamily{{"telpher_queue_dead_messages", "gauge", "queue", "Dead letters."}, state<&v1::QueueState::dead>},
    QueueFamily{{"telpher_queue_limit_messages", "gauge", "queue", "The queue's maxsize."},
                [](const QueueSample& q) { return number(q.state.options().maxsize()); }},
    QueueFamily{{"telpher_queue_bytes", "gauge", "queue", "Bytes of the messages in the queue."},
                state<&v1::QueueState::bytes>},
    QueueFamily{{"telpher_queue_oldest_ready_age_seconds", "gauge", "queue",
                 "Time since the oldest ready message was admitted; 0 if none is ready."},
                [](const QueueSample& q) { return seconds(q.oldest_ready); },
                true},
    QueueFamily{{"telpher_queue_oldest_lease_age_seconds", "gauge", "queue",
                 "Time since the message longest in a consumer's hands was handed out; 0 if none is."},
                [](const QueueSample& q) { return seconds(q.oldest_lease); },
                true},
    QueueFamily{{"telpher_queue_consumers", "gauge", "queue", "Consumers attached."},
                state<&v1::QueueState::consumers>},
    QueueFamily{{"telpher_queue_consumer_credit", "gauge", "queue", "Messages the consumers would still take."},
                [](const QueueSample& q) { return number(q.credit); }},
    QueueFamily{{"telpher_queue_blocked_producers", "gauge", "queue", "Producers whose put waits for room."},
                state<&v1::QueueState::blocked_producers>},
    QueueFamily{{"telpher_queue_paused", "gauge", "queue", "1 while the queue hands out nothing."},
                state<&v1::QueueState::paused>},
    QueueFamily{{"telpher_queue_sealed", "gauge", "queue", "1 while the queue takes no more puts."},
                state<&v1::QueueState::sealed>},
    QueueFamily{{"telpher_queue_unfinished", "gauge", "queue", "Messages ready, leased or delayed."},
                [](const QueueSample& q) { return number(q.state.ready() + q.state.leased() + q.state.delayed()); }},
    QueueFamily{{"telpher_messages_put_total", "counter", "queue", "Messages admitted."}, state<&v1::QueueState::put>},
    QueueFamily{{"telpher_messages_delivered_total", "counter", "queue", "Messages handed out, again included."},
                [](const QueueSample& q) { return number(q.metrics.delivered); }},
    QueueFamily{{"telpher_messages_acked_total", "counter", "queue", "Messages done."}, state<&v1::QueueState::acked>},
    QueueFamily{
        {"telpher_messages_redelivered_total", "counter", "queue", "Messages handed out not for the first time."},
        state<&v1::QueueState::redelivered>},
    QueueFamily{{"telpher_messages_expired_total", "counter", "queue", "Messages that outlived their time."},
                state<&v1::QueueState::expired>},
    QueueFamily{{"telpher_messages_dropped_total", "counter", "queue",
                 "Messages dropped: to make room (drop-oldest), or dead letters by `telpher dead drop`."},
                state<&v1::QueueState::dropped>},
};

// --- several numbers a queue ---

constexpr MetricFamily kNacked{"telpher_messages_nacked_total", "counter", "queue, reason",
                               "Failed handlings: the consumer said so, or its lease ran out of time."};
constexpr MetricFamily kDead{"telpher_messages_dead_total", "counter", "queue, reason", "Messages that died."};
constexpr MetricFamily kRejected{"telpher_messages_rejected_total", "counter", "queue, reason",
                                 "Messages of puts that were refused."};

struct QueueHistogram {
    MetricFamily family;
    TimeHistogram QueueMetrics::*histogram;
};
constexpr std::array kQueueHistograms{
    QueueHistogram{{"telpher_put_wait_seconds", "histogram", "queue", "Time a message waited in line for room."},
                   &QueueMetrics::put_wait},
    QueueHistogram{{"telpher_queue_wait_seconds", "histogram", "queue", "Time from admission to being handed out."},
                   &QueueMetrics::queue_wait},
    QueueHistogram{{"telpher_lease_seconds", "histogram", "queue", "Time from being handed out to the ack."},
                   &QueueMetrics::lease},
};

// --- the broker ---

constexpr MetricFamily kSync{"telpher_storage_fsync_seconds", "histogram", "", "Time of one fdatasync of the log."};
constexpr MetricFamily kSyncMessages{"telpher_storage_batch_messages", "histogram", "",
                                     "Messages that one fdatasync made durable."};
constexpr MetricFamily kStorageBytes{"telpher_storage_bytes", "gauge", "", "Bytes of the log's segments."};
constexpr MetricFamily kStorageFree{"telpher_storage_free_bytes", "gauge", "", "Bytes the log can grow by."};
constexpr MetricFamily kStorageFailed{
    "telpher_storage_failed", "gauge", "",
    "1 once a write or sync of the log failed, or the log is damaged: the shard stopped."};
constexpr MetricFamily kCheckpoints{"telpher_checkpoints_total", "counter", "", "Checkpoints written."};
constexpr MetricFamily kCheckpointFailures{"telpher_checkpoint_failures_total", "counter", "",
                                           "Checkpoints that could not be written: the next start takes longer."};
constexpr MetricFamily kRewritten{
    "telpher_rewritten_bytes_total", "counter", "",
    "Bytes of live messages that were written again, so that their old segments could go."};
constexpr MetricFamily kScrubbed{"telpher_scrub_bytes_total", "counter", "",
                                 "Bytes of sealed segments that were read again and found as they were written."};
constexpr MetricFamily kScrubErrors{"telpher_scrub_errors_total", "counter", "",
                                    "Places where they were not, or could not be read: the shard stops at the first."};
constexpr MetricFamily kWatermark{"telpher_watermark_active", "gauge", "kind",
                                  "1 while puts are refused for want of it."};
constexpr MetricFamily kLogDropped{"telpher_log_dropped_total", "counter", "",
                                   "Log lines dropped: nobody wrote them fast enough."};
constexpr MetricFamily kClients{"telpher_clients", "gauge", "role", "Sessions, by what they do."};
constexpr MetricFamily kProtocolErrors{"telpher_protocol_errors_total", "counter", "code",
                                       "Frames that broke the protocol."};
constexpr MetricFamily kAuthFailures{"telpher_auth_failures_total", "counter", "reason",
                                     "Who was not let in, or not allowed to."};
constexpr MetricFamily kNetBytes{"telpher_net_bytes_total", "counter", "direction",
                                 "Bytes of messages, with their framing."};
constexpr MetricFamily kLoopLag{"telpher_loop_lag_seconds", "histogram", "thread",
                                "Time of one turn of a loop: what comes meanwhile waits so long."};
constexpr MetricFamily kBuildInfo{"telpher_build_info", "gauge", "version, revision", "1."};
constexpr MetricFamily kCpu{"process_cpu_seconds_total", "counter", "", "User and system time."};
constexpr MetricFamily kResident{"process_resident_memory_bytes", "gauge", "", "Resident memory."};
constexpr MetricFamily kVirtual{"process_virtual_memory_bytes", "gauge", "", "Virtual memory."};
constexpr MetricFamily kDescriptors{"process_open_fds", "gauge", "", "Open descriptors."};
constexpr MetricFamily kDescriptorsMax{"process_max_fds", "gauge", "", "Descriptors allowed."};
constexpr MetricFamily kThreads{"process_threads", "gauge", "", "Threads."};
constexpr MetricFamily kStarted{"process_start_time_seconds", "gauge", "", "Start, in seconds since 1970-01-01 UTC."};

constexpr auto kFamilies = [] {
    constexpr std::array kRest{kNacked,         kDead,
                               kRejected,       kSync,
                               kSyncMessages,   kStorageBytes,
                               kStorageFree,    kStorageFailed,
                               kCheckpoints,    kCheckpointFailures,
                               kRewritten,      kScrubbed,
                               kScrubErrors,    kWatermark,
                               kLogDropped,     kClients,
                               kProtocolErrors, kAuthFailures,
                               kNetBytes,       kLoopLag,
                               kBuildInfo,      kCpu,
                               kResident,       kVirtual,
                               kDescriptors,    kDescriptorsMax,
                               kThreads,        kStarted};
    std::array<MetricFamily, kQueueFamilies.size() + kQueueHistograms.size() + kRest.size()> all;
    auto out = all.begin();
    for (const QueueFamily& one : kQueueFamilies) *out++ = one.family;
    for (const QueueHistogram& one : kQueueHistograms) *out++ = one.family;
    for (const MetricFamily& one : kRest) *out++ = one;
    return all;
}();

bool wanted(const MetricFamily& family, const MetricsOptions& options) {
    constexpr std::string_view kPrefix = "telpher_";
    const std::string_view asked = options.family;
    return family.name.starts_with(asked) ||
           (family.name.starts_with(kPrefix) && family.name.substr(kPrefix.size()).starts_with(asked));
}

/// A queue, or the sum of many, as numbers.
struct Row {
    std::string labels;
    std::array<double, kQueueFamilies.size()> values{};
    std::array<std::pair<std::string_view, double>, 2> nacked{{{"consumer", 0}, {"lease_ended", 0}}};
    QueueMetrics metrics;
};

void add(Row& row, const QueueSample& queue) {
    for (std::size_t i = 0; i < kQueueFamilies.size(); ++i) {
        const double value = kQueueFamilies[i].value(queue);
        row.values[i] = kQueueFamilies[i].oldest ? std::max(row.values[i], value) : row.values[i] + value;
    }
    row.nacked[0].second += number(queue.state.nacked());
    row.nacked[1].second += number(queue.lease_ended);
    row.metrics.add(queue.metrics);
}

/// The highest id that still has series of its own. By age, so that a new queue takes none from another.
QueueId last_shown(const std::vector<QueueSample>& queues, std::size_t series_max) {
    std::vector<QueueId> ids;
    for (const QueueSample& queue : queues) ids.push_back(queue.id);
    if (ids.size() <= series_max) return QueueId(UINT64_MAX);
    if (series_max == 0) return QueueId();
    std::nth_element(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(series_max - 1), ids.end());
    return ids[series_max - 1];
}

std::vector<Row> rows_of(const std::vector<QueueSample>& queues, std::size_t series_max) {
    const QueueId last = last_shown(queues, series_max);
    std::vector<Row> rows;
    rows.reserve(std::min(queues.size(), series_max) + 1);
    Row other;
    other.labels = http::Exposition::labels({{"queue", kOther}});
    bool others = false;
    for (const QueueSample& queue : queues) {
        const bool shown = queue.id <= last && queue.state.name() != kOther;
        others = others || !shown;
        if (shown) rows.emplace_back().labels = http::Exposition::labels({{"queue", queue.state.name()}});
        add(shown ? rows.back() : other, queue);
    }
    if (others) rows.push_back(std::move(other));
    return rows;
}

/// Writes the families that are wanted.
class Page {
public:
    explicit Page(const MetricsOptions& options) : options_(options) {}

    bool begin(const MetricFamily& family) {
        if (!wanted(family, options_)) return false;
        out.begin(family.name, family.type, family.help);
        return true;
    }
    void one(const MetricFamily& family, double value) {
        if (begin(family)) out.sample("", value);
    }
    http::Exposition out;

private:
    const MetricsOptions& options_;
};

std::string reason(std::string_view why) { return "," + http::Exposition::labels({{"reason", why}}); }

void write_queues(Page& page, const std::vector<Row>& rows) {
    for (std::size_t i = 0; i < kQueueFamilies.size(); ++i) {
        if (!page.begin(kQueueFamilies[i].family)) continue;
        for (const Row& row : rows) page.out.sample(row.labels, row.values[i]);
    }
    for (const QueueHistogram& histogram : kQueueHistograms) {
        if (!page.begin(histogram.family)) continue;
        for (const Row& row : rows) page.out.histogram(row.labels, row.metrics.*histogram.histogram, kSecond);
    }
    if (page.begin(kNacked)) {
        for (const Row& row : rows) {
            for (const auto& [why, count] : row.nacked) page.out.sample(row.labels + reason(why), count);
        }
    }
    if (page.begin(kDead)) {
        for (const Row& row : rows) {
            for (std::size_t i = 0; i < kDeadReasons.size(); ++i)
                page.out.sample(row.labels + reason(kDeadReasons[i]), number(row.metrics.died[i]));
        }
    }
    if (page.begin(kRejected)) {
        for (const Row& row : rows) {
            for (std::size_t i = 0; i < kRejectReasons.size(); ++i)
                page.out.sample(row.labels + reason(kRejectReasons[i].second), number(row.metrics.rejected[i]));
        }
    }
}

void write_broker(Page& page, const Sample& sample) {
    if (page.begin(kSync)) page.out.histogram("", sample.sync_time, kSecond);
    if (page.begin(kSyncMessages)) page.out.histogram("", sample.sync_messages, 1);
    page.one(kStorageBytes, number(sample.status.log_bytes()));
    page.one(kStorageFree, number(sample.disk_room));
    page.one(kStorageFailed, sample.failed ? 1 : 0);
    page.one(kCheckpoints, number(sample.upkeep.checkpoints));
    page.one(kCheckpointFailures, number(sample.upkeep.checkpoint_failures));
    page.one(kRewritten, number(sample.upkeep.rewritten_bytes));
    page.one(kScrubbed, number(sample.upkeep.scrubbed_bytes));
    page.one(kScrubErrors, number(sample.upkeep.scrub_errors));
    if (page.begin(kWatermark)) page.out.sample(http::Exposition::labels({{"kind", "disk"}}), sample.disk_full ? 1 : 0);
    if (page.begin(kClients)) {
        const ClientCounts& clients = sample.clients;
        const auto role = [&](std::string_view name, std::uint64_t count) {
            page.out.sample(http::Exposition::labels({{"role", name}}), number(count));
        };
        role("producer", clients.producers);
        role("consumer", clients.consumers);
        role("both", clients.both);
        role("idle", clients.idle);
    }
    if (page.begin(kProtocolErrors)) {
        for (const CodeInfo& row : catalogue()) {
            const auto found = std::find_if(sample.protocol_errors.begin(), sample.protocol_errors.end(),
                                            [&](const auto& counted) { return counted.first == row.code; });
            const bool counted = found != sample.protocol_errors.end();
            if (counted || row.fatal) {
                page.out.sample(http::Exposition::labels({{"code", row.name}}), counted ? number(found->second) : 0);
            }
        }
    }
    if (page.begin(kAuthFailures)) {
        for (std::size_t i = 0; i < kRefusals; ++i) {
            const std::string_view reason = Refusals::name(static_cast<Refusal>(i));
            page.out.sample(http::Exposition::labels({{"reason", reason}}), number(sample.refusals.at(i)));
        }
    }
    if (page.begin(kNetBytes)) {
        page.out.sample(http::Exposition::labels({{"direction", "in"}}), number(sample.transport.bytes_in));
        page.out.sample(http::Exposition::labels({{"direction", "out"}}), number(sample.transport.bytes_out));
    }
    if (page.begin(kLoopLag))
        page.out.histogram(http::Exposition::labels({{"thread", "shard-0"}}), sample.loop_lag, kSecond);
}

void write_process(Page& page, const ProcessSample& process) {
    page.one(kLogDropped, number(process.log_dropped));
    if (page.begin(kBuildInfo))
        page.out.sample(http::Exposition::labels({{"version", kVersion}, {"revision", kGitRevision}}), 1);
    const ProcessUsage& usage = process.usage;
    page.one(kCpu, number(usage.cpu_us) * 1e-6);
    page.one(kResident, number(usage.resident_bytes));
    page.one(kVirtual, number(usage.virtual_bytes));
    page.one(kDescriptors, number(usage.descriptors));
    page.one(kDescriptorsMax, number(usage.descriptors_max));
    page.one(kThreads, number(usage.threads));
    page.one(kStarted, usage.started_seconds);
}

}  // namespace

std::span<const MetricFamily> metric_families() { return kFamilies; }

bool wants_queues(const MetricsOptions& options) {
    return std::any_of(kFamilies.begin(), kFamilies.end(), [&](const MetricFamily& family) {
        return family.labels.starts_with("queue") && wanted(family, options);
    });
}

bool wants_clients(const MetricsOptions& options) { return wanted(kClients, options); }

std::string metrics_text(const Sample& sample, const ProcessSample& process, const MetricsOptions& options) {
    Page page(options);
    const std::vector<Row> rows = rows_of(sample.queues, options.queue_series_max);
    constexpr std::size_t kQueueBytes = 7 * 1024;
    page.out.reserve(16 * 1024 + (wants_queues(options) ? rows.size() * kQueueBytes : 0));
    if (wants_queues(options)) write_queues(page, rows);
    write_broker(page, sample);
    write_process(page, process);
    return page.out.take();
}

}  // namespace telpher::broker
