#include "proto/session/backoff.h"

#include <gtest/gtest.h>

namespace telpher::session {
namespace {

using namespace std::chrono_literals;

/// The longest of many waits at the `step`th failure.
Duration longest(int step) {
    Duration most{0};
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        Random random(seed);
        Backoff backoff(50ms, 10s);
        for (int i = 0; i < step; ++i) static_cast<void>(backoff.next(random));
        most = std::max(most, backoff.next(random));
    }
    return most;
}

TEST(Backoff, WaitsAtMostTheBoundWhichDoubles) {
    EXPECT_LT(longest(0), 50ms);
    EXPECT_GT(longest(0), 45ms);
    EXPECT_LT(longest(3), 400ms);
    EXPECT_GT(longest(3), 350ms);
}

TEST(Backoff, StopsAtTheCap) {
    EXPECT_LT(longest(30), 10s);
    EXPECT_GT(longest(30), 9s);
}

TEST(Backoff, SpreadsOverTheWholeRange) {
    int early = 0;
    for (std::uint64_t seed = 0; seed < 1'000; ++seed) {
        Random random(seed);
        Backoff backoff(50ms, 10s);
        if (backoff.next(random) < 25ms) ++early;
    }
    EXPECT_NEAR(early, 500, 100);
}

TEST(Backoff, BeginsAnewAfterASuccess) {
    Random random(1);
    Backoff backoff(50ms, 10s);
    for (int i = 0; i < 20; ++i) static_cast<void>(backoff.next(random));
    backoff.reset();
    EXPECT_LT(backoff.next(random), 50ms);
}

}  // namespace
}  // namespace telpher::session
