// What the admin port answers, without HTTP: path and parameters in, status and text out. Any thread, if the sources
// are.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "broker/health.h"
#include "broker/metrics.h"
#include "broker/sample.h"
#include "telpher/error.h"

namespace telpher::broker {

struct AdminAnswer {
    int status = 200;
    std::string type;  ///< Content-Type.
    std::string body;
};

class AdminPages {
public:
    struct Sources {
        std::function<Health()> health;
        /// With a time limit of its own.
        std::function<Result<Sample>(SampleQuery)> sample;
        std::function<std::uint64_t()> log_dropped;
        std::size_t queue_series_max = 1000;
    };
    /// The parameters of a request; a missing one is empty.
    struct Parameters {
        std::string queue, family;
        bool verbose = false;
    };

    explicit AdminPages(Sources sources) : sources_(std::move(sources)) {}

    [[nodiscard]] AdminAnswer answer(std::string_view path, const Parameters& parameters) const;
    /// An error as every page tells one.
    static AdminAnswer error(int status, const Error& error);

private:
    [[nodiscard]] AdminAnswer live() const;
    [[nodiscard]] AdminAnswer ready(bool verbose) const;
    [[nodiscard]] AdminAnswer metrics(const Parameters& parameters) const;
    [[nodiscard]] AdminAnswer status() const;
    [[nodiscard]] AdminAnswer queues() const;
    [[nodiscard]] AdminAnswer queue(std::string_view name) const;
    [[nodiscard]] AdminAnswer clients() const;

    const Sources sources_;
};

}  // namespace telpher::broker
