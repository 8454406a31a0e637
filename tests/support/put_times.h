// How long puts take, each waited for: what a producer that puts one message after the other sees.
#pragma once

#include <gtest/gtest.h>
#include <telpher/client.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "tests/support/deadline.h"

namespace telpher::test {

/// The 99th percentile of `puts` of `body`, each confirmed before the next, with `pause` after each. A put that is
/// refused fails the test.
inline Duration p99_of_puts(Queue& queue, std::string_view body, int puts, Duration pause = Duration::zero()) {
    std::vector<Duration> times;
    for (int i = 0; i < puts; ++i) {
        const Stopwatch watch;
        const auto id = queue.put(body);
        times.push_back(watch.elapsed());
        EXPECT_TRUE(id) << id.error().message();
        if (pause > Duration::zero()) pass_time(pause);
    }
    std::ranges::sort(times);
    return times.at(times.size() * 99 / 100);
}

}  // namespace telpher::test
