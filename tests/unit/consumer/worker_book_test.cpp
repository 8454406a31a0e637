#include "consumer/worker_book.h"

#include <gtest/gtest.h>

namespace telpher::consumer {
namespace {

using namespace std::chrono_literals;
using v1::Settle;

TEST(WorkerBook, WhoIsGoneCountsOn) {
    WorkerBook book;
    {
        LeaseTable first = *LeaseTable::create(2);
        book.began(1, first);
        first.set_phase(Phase::kTaking);
        EXPECT_EQ(book.sample().taking, 0U) << "without a broker";
        first.set_connected(true);
        first.begin(0, 10, 1, Instant{});
        first.begin(1, 11, 1, Instant{});
        first.decide(0, Settle::VERDICT_ACK, Instant{} + 3ms);
        const WorkerSample sample = book.sample();
        EXPECT_EQ(sample.processes, 1U);
        EXPECT_EQ(sample.taking, 1U);
        EXPECT_EQ(sample.slots, 2U);
        EXPECT_EQ(sample.busy, 1U);
        first.set_leaving();
        EXPECT_EQ(book.sample().taking, 0U) << "it drains";
    }
    book.ended(1, true, Restart::kCrash);
    LeaseTable second = *LeaseTable::create(2);
    book.began(2, second);
    second.begin(0, 11, 2, Instant{});
    second.decide(0, Settle::VERDICT_DEAD, Instant{} + 1s);
    book.ended(2, false, {});
    const WorkerSample sample = book.sample();
    EXPECT_EQ(sample.processes, 0U);
    EXPECT_EQ(sample.busy, 0U);
    EXPECT_EQ(sample.crashes, 1U);
    EXPECT_EQ(sample.restarts[static_cast<std::size_t>(Restart::kCrash)], 1U);
    EXPECT_EQ(sample.restarts[static_cast<std::size_t>(Restart::kRecycle)], 0U);
    EXPECT_EQ(sample.handled.by_outcome[0].count(), 1U);
    EXPECT_DOUBLE_EQ(sample.handled.by_outcome[0].sum(), 3e6);
    EXPECT_EQ(sample.handled.by_outcome[3].counts()[TimeHistogram::bucket(1'000'000'000)], 1U);
}

TEST(WorkerBook, AClockThatStandsStillIsNoTrouble) {
    LeaseTable table = *LeaseTable::create(1);
    table.begin(0, 1, 1, Instant{} + 5s);
    table.decide(0, Settle::VERDICT_NACK, Instant{});
    EXPECT_EQ(table.handled().by_outcome[1].count(), 1U);
    EXPECT_DOUBLE_EQ(table.handled().by_outcome[1].sum(), 0);
}

}  // namespace
}  // namespace telpher::consumer
