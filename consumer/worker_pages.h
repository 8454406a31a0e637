// What the HTTP port of `telpher run` answers: /livez, /readyz, /metrics. Pure functions of what the book says; any
// thread. docs/reference/worker-metrics.md is the reference.
#pragma once

#include <string>
#include <string_view>

#include "consumer/worker_book.h"
#include "proto/http/answer.h"

namespace telpher::consumer {

/// Prometheus' text of the workers of `queue`.
std::string worker_metrics(std::string_view queue, const WorkerSample& sample);

/// `book` outlives the pages.
http::Pages worker_pages(std::string queue, const WorkerBook& book);

}  // namespace telpher::consumer
