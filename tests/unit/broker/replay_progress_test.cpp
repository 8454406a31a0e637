#include "broker/replay_progress.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/sim/sim_clock.h"

namespace telpher::broker {
namespace {

using namespace std::chrono_literals;

TEST(ReplayProgress, is_told_once_a_second_while_records_come) {
    sim::SimClock clock;
    std::vector<std::uint64_t> told;
    ReplayProgress progress(clock, [&](std::uint64_t records) { told.push_back(records); });
    const auto replay = [&](int records) {
        for (int i = 0; i < records; ++i) progress.record();
    };
    replay(5000);
    EXPECT_TRUE(told.empty()) << "a short replay says nothing";
    clock.advance(1s);
    replay(1000);
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0], 5120U);
    clock.advance(900ms);
    replay(5000);
    EXPECT_EQ(told.size(), 1U);
    clock.advance(10min);
    EXPECT_EQ(told.size(), 1U) << "time alone is no progress";
    replay(2048);
    EXPECT_EQ(told.size(), 2U);
}

}  // namespace
}  // namespace telpher::broker
