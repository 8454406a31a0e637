#include "consumer/lease_table.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

#include "consumer/heir.h"

namespace telpher::consumer {
namespace {

using v1::Settle;

TEST(LeaseTable, TheOtherSideSeesWhatIsHandledAndWhatWasDecided) {
    LeaseTable table = *LeaseTable::create(3);
    const LeaseTable other = *LeaseTable::open(::dup(table.fd()));
    EXPECT_EQ(other.threads(), 3U);
    EXPECT_TRUE(other.running().empty());
    table.delivered(10, 5, 1);
    table.begin(0, 10, 1, Instant{7});
    table.begin(2, 11, 1, Instant{8});
    table.set_process(2, 1234);
    table.decide(0, Settle::VERDICT_NACK, Instant{}, 50);
    const auto running = other.running();
    ASSERT_EQ(running.size(), 1U);
    EXPECT_EQ(running[0].thread, 2U);
    EXPECT_EQ(running[0].offset, 11U);
    EXPECT_EQ(running[0].since, Instant{8});
    EXPECT_EQ(running[0].process, 1234);
    EXPECT_EQ(running[0].cause, Cause::kNone);
    const auto decided = other.decided();
    ASSERT_EQ(decided.size(), 1U);
    EXPECT_EQ(decided[0].offset, 10U);
    EXPECT_EQ(decided[0].verdict, Settle::VERDICT_NACK);
    EXPECT_EQ(decided[0].delay_ms, std::optional<std::uint64_t>(50));
    EXPECT_EQ(other.begun(), 2U);
    EXPECT_EQ(other.counts().nacked, 1U);
}

TEST(LeaseTable, OnlyOneIsToBlameAndOnlyWhileItRuns) {
    LeaseTable table = *LeaseTable::create(2);
    table.blame(0, Cause::kSignal, SIGSEGV);  // idle: the signal was not its handler's
    table.begin(0, 1, 1, Instant{});
    table.begin(1, 2, 1, Instant{});
    table.blame(1, Cause::kSignal, SIGSEGV);
    table.blame(0, Cause::kSignal, SIGABRT);
    EXPECT_EQ(table.running()[0].cause, Cause::kNone);
    EXPECT_EQ(table.running()[1].cause, Cause::kSignal);
    EXPECT_EQ(reason_of(table.running()[1].cause, table.running()[1].detail), "crashed: SIGSEGV");
}

TEST(LeaseTable, TheLatestVerdictsAreKept) {
    LeaseTable table = *LeaseTable::create(1);
    for (std::uint64_t i = 0; i < LeaseTable::kVerdicts + 10; ++i) {
        table.begin(0, i, 1, Instant{});
        table.decide(0, Settle::VERDICT_ACK, Instant{});
    }
    EXPECT_EQ(table.decided().size(), LeaseTable::kVerdicts);
    EXPECT_EQ(table.counts().acked, LeaseTable::kVerdicts + 10);
}

TEST(LeaseTable, RefusesWhatIsNone) {
    EXPECT_EQ(LeaseTable::open(-1).error().code(), Code::kUsage);
    EXPECT_EQ(LeaseTable::open(::dup(STDIN_FILENO)).error().code(), Code::kUsage);
}

TEST(Estate, VerdictsBlameAndWhatIsHandedBack) {
    LeaseTable table = *LeaseTable::create(2);
    table.delivered(0, 6, 2);
    table.begin(0, 1, 2, Instant{});
    table.decide(0, Settle::VERDICT_ACK, Instant{});
    table.begin(0, 2, 2, Instant{});
    table.begin(1, 4, 2, Instant{});
    table.blame(1, Cause::kSignal, SIGSEGV);
    const Estate estate = estate_of(table);
    std::map<std::uint64_t, Settle::Verdict> verdicts;
    for (const Bequest& bequest : estate.bequests) {
        EXPECT_EQ(bequest.run.value, 2U);
        for (std::uint64_t i = 0; i < bequest.run.count; ++i)
            EXPECT_TRUE(verdicts.emplace(bequest.run.first + i, bequest.decision.verdict).second) << "twice";
    }
    EXPECT_EQ(verdicts, (std::map<std::uint64_t, Settle::Verdict>{{0, Settle::VERDICT_RELEASE},
                                                                  {1, Settle::VERDICT_ACK},
                                                                  {2, Settle::VERDICT_RELEASE},
                                                                  {3, Settle::VERDICT_RELEASE},
                                                                  {4, Settle::VERDICT_NACK},
                                                                  {5, Settle::VERDICT_RELEASE}}));
    EXPECT_TRUE(estate.certain.contains({4, 2}));
    EXPECT_FALSE(estate.certain.contains({3, 2}));
}

}  // namespace
}  // namespace telpher::consumer
