#include "consumer/solo.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/support/deadline.h"

namespace telpher::consumer {
namespace {

using namespace std::chrono_literals;
using test::eventually;

TEST(Solo, WhoMustBeAloneIsAndGoesBeforeThoseWhoComeLater) {
    Solo solo;
    ASSERT_TRUE(solo.enter(false, {}));
    ASSERT_TRUE(solo.enter(false, {}));
    std::atomic<int> alone{0}, later{0};
    std::jthread suspect([&] {
        EXPECT_TRUE(solo.enter(true, {}));
        alone = 1;
        EXPECT_TRUE(eventually(10s, [&] { return alone == 2; }));
        EXPECT_EQ(later, 0);
        solo.leave(true);
    });
    // Seen from here a suspect waits once nobody else gets in.
    ASSERT_TRUE(eventually(10s, [&] {
        std::stop_source brief;
        brief.request_stop();
        if (!solo.enter(false, brief.get_token())) return true;
        solo.leave(false);
        return false;
    }));
    std::jthread other([&] {
        EXPECT_TRUE(solo.enter(false, {}));
        later = 1;
        solo.leave(false);
    });
    EXPECT_EQ(alone, 0);
    solo.leave(false);
    EXPECT_EQ(alone, 0);
    solo.leave(false);
    EXPECT_TRUE(eventually(10s, [&] { return alone == 1; }));
    alone = 2;
    EXPECT_TRUE(eventually(10s, [&] { return later == 1; }));
}

TEST(Solo, AStopEndsTheWait) {
    Solo solo;
    ASSERT_TRUE(solo.enter(false, {}));
    std::stop_source stop;
    std::jthread stopper([&] { stop.request_stop(); });
    EXPECT_FALSE(solo.enter(true, stop.get_token()));
    EXPECT_TRUE(solo.enter(false, {})) << "the one who gave up holds up nobody";
}

}  // namespace
}  // namespace telpher::consumer
