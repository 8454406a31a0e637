#include "broker/log/commit_pace.h"

#include <gtest/gtest.h>

#include <chrono>

namespace telpher::log {
namespace {

using namespace std::chrono_literals;

/// A disk that takes `per_mib` for a MiB and `sync` for a sync of nothing; what it is given is as much as the pace
/// allows, at most `most`, and what the pace comes to.
std::uint64_t settle(CommitPace& pace, Duration per_mib, Duration sync, std::uint64_t most = UINT64_MAX) {
    for (int i = 0; i < 500; ++i) {
        const std::uint64_t bytes = i % 2 == 0 ? 1'000 : std::min(pace.group_bytes(), most);
        const Duration writing(per_mib.count() * static_cast<std::int64_t>(bytes) / limits::kMiB);
        pace.note(bytes, writing / 2, sync + writing / 2);
    }
    return pace.group_bytes();
}

TEST(CommitPace, NothingIsKnownAtFirst) {
    CommitPace pace;
    EXPECT_EQ(pace.group_bytes(), limits::kCommitGroupBytesMax);
    pace.note(100, 0ms, 0ms);
    pace.note(limits::kMiB, 0ms, 0ms);
    EXPECT_EQ(pace.group_bytes(), limits::kCommitGroupBytesMax) << "a clock that stands still tells nothing";
}

TEST(CommitPace, WritesAboutTwiceAsLongAsASyncTakes) {
    CommitPace pace;
    EXPECT_NEAR(static_cast<double>(settle(pace, 2ms, 1ms)), limits::kMiB, limits::kMiB / 8.0);
}

TEST(CommitPace, ADearSyncIsWorthLargeGroups) {
    CommitPace pace;
    EXPECT_EQ(settle(pace, 2ms, 20ms), limits::kCommitGroupBytesMax);
}

TEST(CommitPace, StaysWithinItsBounds) {
    CommitPace pace;
    EXPECT_EQ(settle(pace, 100ms, 10us), CommitPace::kGroupBytesMin);
}

TEST(CommitPace, FollowsTheDisk) {
    CommitPace pace;
    settle(pace, 2ms, 500us);
    EXPECT_GT(settle(pace, 2ms, 5ms), 4 * limits::kMiB) << "it became slow";
    EXPECT_LT(settle(pace, 2ms, 500us), limits::kMiB) << "and fast again";
}

TEST(CommitPace, SmallGroupsTellNothingOfTheRate) {
    CommitPace pace;
    EXPECT_EQ(settle(pace, 2ms, 1ms, 10'000), limits::kCommitGroupBytesMax);
}

}  // namespace
}  // namespace telpher::log
