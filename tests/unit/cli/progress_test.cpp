#include "producer/progress.h"

#include <gtest/gtest.h>

namespace telpher {
namespace {

using namespace std::chrono_literals;

TEST(Progress, BarShowsPartRateEtaAndWaiting) {
    Progress progress;
    progress.counters = {
        .sent = 412'843, .confirmed = 412'331, .done = 412'843, .whole = 1'000'000, .whole_is_messages = true};
    progress.elapsed_s = 5;
    progress.blocked_s = 2.1;
    progress.rate = 88'100;
    EXPECT_EQ(progress_bar("jobs", progress),
              "jobs  412,331/1,000,000  41% ████▏       88.1k/s  eta 7.1s  blocked 2.1s  unconfirmed 512");
}

TEST(Progress, WhatIsReadButNotConfirmedIsNotDone) {
    Progress progress;
    progress.counters = {.sent = 1'000, .confirmed = 250, .done = 8'000, .whole = 8'000};
    EXPECT_TRUE(progress_bar("jobs", progress).starts_with("jobs  250  25% ")) << progress_bar("jobs", progress);
}

TEST(Progress, UnknownWholeHasNoBar) {
    Progress progress;
    progress.counters = {.sent = 20, .confirmed = 10, .refused = 3};
    progress.rate = 5;
    EXPECT_EQ(progress_bar("jobs", progress), "jobs  10  5/s  unconfirmed 7  refused 3");
    EXPECT_EQ(progress_text("jobs", progress), "jobs: 10 confirmed, 5/s, unconfirmed 7, refused 3");
}

TEST(Progress, MeterMeasuresRateAndBlockedTime) {
    const Instant start{1'000};
    ProgressMeter meter(start);
    Progress progress = meter.sample({.sent = 100, .confirmed = 50}, start + 1s);
    EXPECT_DOUBLE_EQ(progress.rate, 50);
    EXPECT_DOUBLE_EQ(progress.blocked_s, 0);
    progress = meter.sample({.sent = 100, .confirmed = 50}, start + 3s);
    EXPECT_DOUBLE_EQ(progress.rate, 40);
    EXPECT_DOUBLE_EQ(progress.blocked_s, 2);
    progress = meter.sample({.sent = 100, .confirmed = 100}, start + 4s);
    EXPECT_DOUBLE_EQ(progress.blocked_s, 2);
    EXPECT_DOUBLE_EQ(progress.elapsed_s, 4);
    // Nothing on its way: idle, not blocked.
    EXPECT_DOUBLE_EQ(meter.sample({.sent = 100, .confirmed = 100}, start + 9s).blocked_s, 2);
}

}  // namespace
}  // namespace telpher
