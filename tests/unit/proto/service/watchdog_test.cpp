#include "proto/service/watchdog.h"

#include <gtest/gtest.h>

namespace telpher::service {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1'000'000'000};

TEST(Watchdog, is_fed_at_half_its_interval_while_the_worker_goes_round) {
    Watchdog watchdog(10s, kStart, Instant{7});
    EXPECT_EQ(watchdog.ask_at(kStart), kStart + 5s);
    EXPECT_FALSE(watchdog.due(kStart + 4'999ms, Instant{8}));
    EXPECT_TRUE(watchdog.due(kStart + 5s, Instant{8}));
    EXPECT_FALSE(watchdog.due(kStart + 9s, Instant{9})) << "once in each half";
    EXPECT_EQ(watchdog.ask_at(kStart + 9s), kStart + 10s);
    EXPECT_TRUE(watchdog.due(kStart + 10s, Instant{9}));
}

TEST(Watchdog, starves_while_the_worker_stands_still) {
    Watchdog watchdog(10s, kStart, Instant{7});
    Instant now = kStart;
    for (int i = 0; i < 100; ++i) {
        now = watchdog.ask_at(now);
        EXPECT_FALSE(watchdog.due(now, Instant{7}));
    }
    EXPECT_GT(now, kStart + 30s);
    EXPECT_LE(watchdog.ask_at(now), now + 1s) << "it is asked often, for a worker that is late only";
    EXPECT_TRUE(watchdog.due(now, Instant{8}));
}

TEST(Watchdog, there_may_be_none) {
    Watchdog watchdog(0s, kStart, Instant{0});
    EXPECT_FALSE(watchdog.due(kStart + 100h, Instant{1}));
    EXPECT_EQ(watchdog.ask_at(kStart), Instant::never());
}

}  // namespace
}  // namespace telpher::service
