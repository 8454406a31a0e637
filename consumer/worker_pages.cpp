#include "consumer/worker_pages.h"

#include <nlohmann/json.hpp>

#include "proto/http/exposition.h"
#include "proto/version.h"

namespace telpher::consumer {
namespace {

constexpr double kSecond = 1e9;  // in nanoseconds

http::Answer ready(const WorkerSample& sample) {
    const bool is_ready = sample.taking > 0;
    const nlohmann::ordered_json page{{"ready", is_ready}, {"workers", sample.processes}, {"taking", sample.taking}};
    return {is_ready ? 200 : 503, std::string(http::kJsonType), page.dump() + "\n"};
}

}  // namespace

std::string worker_metrics(std::string_view queue, const WorkerSample& sample) {
    http::Exposition page;
    const std::string of_queue = http::Exposition::labels({{"queue", queue}});
    const auto one = [&](std::string_view name, std::string_view type, std::string_view help, double value) {
        page.begin(name, type, help);
        page.sample(of_queue, value);
    };
    page.begin("telpher_build_info", "gauge", "1; version and revision are its labels.");
    page.sample(http::Exposition::labels({{"version", kVersion}, {"revision", kGitRevision}}), 1);
    one("telpher_worker_processes", "gauge", "Worker processes alive.", sample.processes);
    one("telpher_worker_slots", "gauge", "Handler threads of the worker processes: messages at a time.", sample.slots);
    one("telpher_worker_busy_slots", "gauge", "Handler threads that handle a message now.", sample.busy);
    page.begin("telpher_worker_handler_seconds", "histogram", "Time a handler took, by what became of its message.");
    for (std::size_t i = 0; i < LeaseTable::kOutcomes.size(); ++i) {
        page.histogram(http::Exposition::labels({{"queue", queue}, {"outcome", LeaseTable::kOutcomes.at(i)}}),
                       sample.handled.by_outcome.at(i), kSecond);
    }
    one("telpher_worker_crashes_total", "counter", "Worker processes that died.", static_cast<double>(sample.crashes));
    page.begin("telpher_worker_restarts_total", "counter", "Worker processes replaced by another, by reason.");
    for (std::size_t i = 0; i < kRestartReasons.size(); ++i) {
        page.sample(http::Exposition::labels({{"queue", queue}, {"reason", kRestartReasons.at(i)}}),
                    static_cast<double>(sample.restarts.at(i)));
    }
    return page.take();
}

http::Pages worker_pages(std::string queue, const WorkerBook& book) {
    return [queue = std::move(queue), &book](std::string_view path, const http::Parameters& /*parameters*/) {
        if (path == "/livez") return http::Answer{200, std::string(http::kJsonType), "{\"live\":true}\n"};
        if (path == "/readyz" || path == "/healthz") return ready(book.sample());
        if (path == "/metrics")
            return http::Answer{200, std::string(http::kMetricsType), worker_metrics(queue, book.sample())};
        return http::error_answer(404, telpher::Error(Code::kUnsupported, "no such page"));
    };
}

}  // namespace telpher::consumer
