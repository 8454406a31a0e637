// The metrics of docs/reference/metrics.md: their table, and a sample written as Prometheus' text. Pure functions; any
// thread.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "broker/process_usage.h"
#include "broker/sample.h"

namespace telpher::broker {

struct MetricFamily {
    std::string_view name;
    std::string_view type;    ///< counter, gauge or histogram.
    std::string_view labels;  ///< Names, with commas.
    std::string_view help;
};

/// Every family, in the order of the page.
std::span<const MetricFamily> metric_families();

/// What is not the shard's to know.
struct ProcessSample {
    ProcessUsage usage;
    std::uint64_t log_dropped = 0;
};

struct MetricsOptions {
    /// Families whose name, with or without its "telpher_", begins so; empty: all.
    std::string family;
    /// Queues with series of their own, the first that were made; the others are summed up as "_other".
    std::size_t queue_series_max = 1000;
};

/// Whether any family that shows queues (clients) is wanted.
bool wants_queues(const MetricsOptions& options);
bool wants_clients(const MetricsOptions& options);

std::string metrics_text(const Sample& sample, const ProcessSample& process, const MetricsOptions& options);

}  // namespace telpher::broker
