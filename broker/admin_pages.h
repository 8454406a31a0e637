// What the admin port answers, without HTTP: path and parameters in, status and text out. Any thread, if the sources
// are.
#pragma once

#include <functional>
#include <string_view>

#include "broker/health.h"
#include "broker/metrics.h"
#include "broker/sample.h"
#include "proto/http/answer.h"
#include "telpher/error.h"

namespace telpher::broker {

class AdminPages {
public:
    struct Sources {
        std::function<Health()> health;
        /// With a time limit of its own.
        std::function<Result<Sample>(SampleQuery)> sample;
        std::function<std::uint64_t()> log_dropped;
        std::size_t queue_series_max = 1000;
    };
    explicit AdminPages(Sources sources) : sources_(std::move(sources)) {}

    [[nodiscard]] http::Answer answer(std::string_view path, const http::Parameters& parameters) const;

private:
    [[nodiscard]] http::Answer live() const;
    [[nodiscard]] http::Answer ready(bool verbose) const;
    [[nodiscard]] http::Answer metrics(const http::Parameters& parameters) const;
    [[nodiscard]] http::Answer status() const;
    [[nodiscard]] http::Answer queues() const;
    [[nodiscard]] http::Answer queue(std::string_view name) const;
    [[nodiscard]] http::Answer clients() const;

    const Sources sources_;
};

}  // namespace telpher::broker
