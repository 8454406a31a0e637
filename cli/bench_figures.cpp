// The arithmetic of a benchmark.
#include <sys/resource.h>

#include <algorithm>
#include <cmath>

#include "cli/bench.h"

namespace telpher::cli {

double percentile(std::vector<double>& values, double part) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    const auto rank = static_cast<std::size_t>(std::ceil(part * static_cast<double>(values.size())));
    return values[std::clamp<std::size_t>(rank, 1, values.size()) - 1];
}

const Json& median_by(const std::vector<Json>& runs, const std::string& key) {
    std::vector<const Json*> order;
    for (const Json& run : runs) order.push_back(&run);
    std::sort(order.begin(), order.end(),
              [&](const Json* a, const Json* b) { return a->at(key).get<double>() < b->at(key).get<double>(); });
    return *order[(order.size() - 1) / 2];
}

double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace telpher::cli
