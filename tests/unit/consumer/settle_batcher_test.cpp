#include "consumer/settle_batcher.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

namespace telpher::consumer {
namespace {

using Range = frame::Run;
using v1::Settle;

const Decision kAck{.verdict = Settle::VERDICT_ACK};
const Decision kNack{.verdict = Settle::VERDICT_NACK, .delay_ms = 1000};

// Everything that is ready to be sent, with its numbers.
std::vector<std::pair<std::uint64_t, SettleFrame>> send_all(SettleBatcher& batcher) {
    std::vector<std::pair<std::uint64_t, SettleFrame>> sent;
    std::uint64_t number = 0;
    while (const SettleFrame* frame = batcher.next_to_send(number)) sent.emplace_back(number, *frame);
    return sent;
}

TEST(SettleBatcher, VerdictsInOrderBecomeOneRun) {
    SettleBatcher batcher;
    EXPECT_FALSE(batcher.due(true));
    for (std::uint64_t i = 0; i < 1000; ++i) batcher.add(kAck, 100 + i, 1);
    EXPECT_TRUE(batcher.due(false));
    batcher.close();
    const auto sent = send_all(batcher);
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].first, 1U);
    EXPECT_EQ(sent[0].second.runs, (std::vector<Range>{{100, 1000, 1}}));
}

TEST(SettleBatcher, MixedOrderIsSortedAndMerged) {
    SettleBatcher batcher;
    for (const std::uint64_t offset : {7, 5, 6, 9, 8, 20}) batcher.add(kAck, offset, 1);
    batcher.add(kAck, 21, 2);  // another delivery: a run of its own
    batcher.close();
    EXPECT_EQ(send_all(batcher)[0].second.runs, (std::vector<Range>{{5, 5, 1}, {20, 1, 1}, {21, 1, 2}}));
}

TEST(SettleBatcher, VerdictsAndDelaysTravelApart) {
    SettleBatcher batcher;
    batcher.add(kAck, 1, 1);
    batcher.add(kNack, 2, 1);
    batcher.add({.verdict = Settle::VERDICT_NACK, .delay_ms = 5}, 3, 1);
    batcher.add({.verdict = Settle::VERDICT_RELEASE}, 4, 1);
    batcher.add(kAck, 5, 1);
    batcher.close();
    const auto sent = send_all(batcher);
    ASSERT_EQ(sent.size(), 4U);
    std::set<Decision> seen;
    for (const auto& [number, frame] : sent) {
        EXPECT_EQ(frame.round, 1U);
        seen.insert(frame.decision);
    }
    EXPECT_EQ(seen.size(), 4U);
    EXPECT_EQ(sent.back().first, 4U);
}

TEST(SettleBatcher, TheSameOffsetTwiceGoesIntoTwoFrames) {
    SettleBatcher batcher;
    const Decision release{.verdict = Settle::VERDICT_RELEASE};
    batcher.add(release, 5, 1, 3);
    batcher.add(release, 6, 2);
    batcher.close();
    const auto sent = send_all(batcher);
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(sent[0].second.runs, (std::vector<Range>{{5, 3, 1}}));
    EXPECT_EQ(sent[1].second.runs, (std::vector<Range>{{6, 1, 2}}));
}

TEST(SettleBatcher, FramesAreBounded) {
    SettleBatcher batcher;
    const std::uint64_t runs = 2 * limits::kSettleRangesMax + 1;
    for (std::uint64_t i = 0; i < runs; ++i) batcher.add(kAck, 2 * i, 1);
    batcher.close();
    const auto sent = send_all(batcher);
    ASSERT_EQ(sent.size(), 3U);
    std::uint64_t total = 0;
    for (const auto& [number, frame] : sent) {
        EXPECT_LE(frame.runs.size(), limits::kSettleRangesMax);
        v1::Settle message;
        message.set_settle(number);
        std::uint64_t previous = 0;
        for (const Range& run : frame.runs) frame::add_run(*message.mutable_ranges(), previous, run);
        EXPECT_LE(frame::encode(v1::OP_SETTLE, message).size(), limits::kControlHeaderBytes);
        total += frame.runs.size();
    }
    EXPECT_EQ(total, runs);
}

TEST(SettleBatcher, GathersWhileSomethingIsOnItsWay) {
    SettleBatcher batcher;
    batcher.add(kAck, 1, 1);
    batcher.close();
    (void)send_all(batcher);
    batcher.add(kAck, 3, 1);
    EXPECT_FALSE(batcher.due(false));
    EXPECT_TRUE(batcher.due(true)) << "nothing left to handle: waiting gains nothing";
    ASSERT_TRUE(batcher.confirm(1));
    EXPECT_TRUE(batcher.due(false));
    EXPECT_FALSE(batcher.confirm(2)) << "never sent";
}

TEST(SettleBatcher, VeryMuchIsSentWithoutWaiting) {
    SettleBatcher batcher;
    batcher.add(kAck, 1, 1);
    batcher.close();
    for (std::uint64_t i = 0; i < SettleBatcher::kRunsLarge; ++i) batcher.add(kAck, 10 + 2 * i, 1);
    EXPECT_TRUE(batcher.due(false));
}

TEST(SettleBatcher, RoundsAreDoneWhenTheirLastFrameIs) {
    SettleBatcher batcher;
    batcher.add(kAck, 1, 1);
    batcher.add(kNack, 2, 1);
    const std::uint64_t round = batcher.open_round();
    EXPECT_EQ(batcher.done_below(), round);
    batcher.close();
    EXPECT_EQ(batcher.open_round(), round + 1);
    (void)send_all(batcher);
    ASSERT_TRUE(batcher.confirm(1));
    EXPECT_EQ(batcher.done_below(), round) << "one of two frames";
    ASSERT_NE(batcher.on_its_way(2), nullptr);
    EXPECT_EQ(batcher.on_its_way(1), nullptr);
    ASSERT_TRUE(batcher.confirm(2));
    EXPECT_GT(batcher.done_below(), round);
    EXPECT_TRUE(batcher.all_confirmed());
}

TEST(SettleBatcher, UnconfirmedIsSentAgainFromNumberOne) {
    SettleBatcher batcher;
    for (std::uint64_t i = 0; i < 3; ++i) {
        batcher.add(kAck, 10 * i, 1);
        batcher.close();
    }
    EXPECT_EQ(send_all(batcher).size(), 3U);
    ASSERT_TRUE(batcher.confirm(1));
    batcher.restart();
    batcher.add(kAck, 100, 1);
    batcher.close();
    const auto again = send_all(batcher);
    ASSERT_EQ(again.size(), 3U);
    EXPECT_EQ(again[0].first, 1U);
    EXPECT_EQ(again[0].second.runs.front().first, 10U);
    EXPECT_EQ(again[2].second.runs.front().first, 100U);
    EXPECT_TRUE(batcher.confirm(3));
    EXPECT_TRUE(batcher.all_confirmed());
}

TEST(SettleBatcher, EveryVerdictIsConfirmedOnceWhateverHappens) {
    std::mt19937_64 random(7);
    for (int round = 0; round < 50; ++round) {
        SettleBatcher batcher;
        std::multiset<std::uint64_t> given;
        std::multiset<std::uint64_t> confirmed;
        std::vector<std::pair<std::uint64_t, SettleFrame>> way;
        std::uint64_t next = 0;
        for (int step = 0; step < 300 || !batcher.all_confirmed(); ++step) {
            const auto dice = step < 300 ? random() % 10 : 7 + random() % 2;
            if (dice < 5) {
                next += 1 + random() % 3;
                batcher.add(random() % 4 == 0 ? kNack : kAck, (next * 7919) % 100'000, 1);
                given.insert((next * 7919) % 100'000);
            } else if (dice < 8) {
                batcher.close();
                for (auto& frame : send_all(batcher)) way.push_back(std::move(frame));
            } else if (dice == 8 && !way.empty()) {
                const std::size_t upto = random() % way.size();
                ASSERT_TRUE(batcher.confirm(way[upto].first));
                for (std::size_t i = 0; i <= upto; ++i)
                    for (const Range& run : way[i].second.runs)
                        for (std::uint64_t k = 0; k < run.count; ++k) confirmed.insert(run.first + k);
                way.erase(way.begin(), way.begin() + static_cast<std::ptrdiff_t>(upto) + 1);
            } else if (dice == 9) {
                batcher.restart();
                way.clear();
            }
        }
        EXPECT_EQ(given, confirmed);
    }
}

}  // namespace
}  // namespace telpher::consumer
