#include "producer/outcomes.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace telpher::producer {
namespace {

bool operator==(const Confirmed& a, const Confirmed& b) {
    return a.first == b.first && a.count == b.count && a.code == b.code && a.id == b.id;
}

class OutcomesTest : public testing::Test {
protected:
    std::vector<Confirmed> add(const Confirmed& run) {
        std::vector<Confirmed> fresh;
        outcomes_.add(run, fresh);
        return fresh;
    }
    Outcomes outcomes_{8};
};

TEST_F(OutcomesTest, RemembersIdsOfARun) {
    EXPECT_EQ(add({0, 10, Code::kOk, 1000}).size(), 1U);
    EXPECT_EQ(outcomes_.decided_below(), 10U);
    EXPECT_EQ(outcomes_.find(7), (Outcome{Code::kOk, 1007}));
    EXPECT_FALSE(outcomes_.find(10));
    EXPECT_FALSE(outcomes_.decided(10));
}

TEST_F(OutcomesTest, ASequenceKeepsItsFirstOutcome) {
    add({0, 10, Code::kOk, 1000});
    const auto fresh = add({5, 10, Code::kOk, 5000});
    ASSERT_EQ(fresh.size(), 1U);
    EXPECT_TRUE(fresh[0] == (Confirmed{10, 5, Code::kOk, 5005}));
    EXPECT_EQ(outcomes_.find(7)->id, 1007U);
    EXPECT_EQ(outcomes_.find(12)->id, 5007U);
    EXPECT_TRUE(add({0, 15, Code::kFull, 0}).empty());
}

TEST_F(OutcomesTest, OutcomesMayComeAhead) {
    add({5, 1, Code::kCancelled, 0});
    add({8, 2, Code::kCancelled, 0});
    EXPECT_EQ(outcomes_.decided_below(), 0U);
    EXPECT_TRUE(outcomes_.decided(5));
    EXPECT_FALSE(outcomes_.decided(6));
    const auto fresh = add({0, 12, Code::kOk, 100});
    ASSERT_EQ(fresh.size(), 3U);
    EXPECT_TRUE(fresh[0] == (Confirmed{0, 5, Code::kOk, 100}));
    EXPECT_TRUE(fresh[1] == (Confirmed{6, 2, Code::kOk, 106}));
    EXPECT_TRUE(fresh[2] == (Confirmed{10, 2, Code::kOk, 110}));
    EXPECT_EQ(outcomes_.decided_below(), 12U);
    EXPECT_EQ(outcomes_.find(5)->code, Code::kCancelled);
    EXPECT_EQ(outcomes_.find(11)->id, 111U);
}

TEST_F(OutcomesTest, FillsWhatWillNeverBeTold) {
    add({3, 1, Code::kCancelled, 0});
    std::vector<Confirmed> fresh;
    outcomes_.fill_below(6, Code::kUnknown, fresh);
    ASSERT_EQ(fresh.size(), 2U);
    EXPECT_TRUE(fresh[0] == (Confirmed{0, 3, Code::kUnknown, 0}));
    EXPECT_TRUE(fresh[1] == (Confirmed{4, 2, Code::kUnknown, 0}));
    EXPECT_EQ(outcomes_.decided_below(), 6U);
    EXPECT_EQ(outcomes_.find(3)->code, Code::kCancelled);
}

TEST_F(OutcomesTest, NeighboursAreOneRun) {
    for (std::uint64_t i = 0; i < 1'000; ++i) add({i, 1, Code::kOk, 500 + i});
    EXPECT_EQ(outcomes_.find(0)->id, 500U);
    std::vector<Confirmed> runs;
    outcomes_.collect(0, 1'000, runs);
    ASSERT_EQ(runs.size(), 1U);
    EXPECT_TRUE(runs[0] == (Confirmed{0, 1'000, Code::kOk, 500}));
}

TEST_F(OutcomesTest, ForgetsTheOldestRuns) {
    for (std::uint64_t i = 0; i < 20; ++i) add({i, 1, Code::kOk, 1'000 * i});
    EXPECT_TRUE(outcomes_.decided(0));
    EXPECT_FALSE(outcomes_.find(0));
    EXPECT_EQ(outcomes_.find(19)->id, 19'000U);
    EXPECT_EQ(outcomes_.find(12)->id, 12'000U);
    EXPECT_FALSE(outcomes_.find(11));
}

TEST_F(OutcomesTest, CollectCutsTheEnds) {
    add({0, 10, Code::kOk, 100});
    add({10, 10, Code::kFull, 0});
    std::vector<Confirmed> runs;
    outcomes_.collect(5, 15, runs);
    ASSERT_EQ(runs.size(), 2U);
    EXPECT_TRUE(runs[0] == (Confirmed{5, 5, Code::kOk, 105}));
    EXPECT_TRUE(runs[1] == (Confirmed{10, 5, Code::kFull, 0}));
}

TEST_F(OutcomesTest, UndecidedIsWhatLiesBetween) {
    using Ranges = std::vector<Range>;
    EXPECT_EQ(outcomes_.undecided({0, 10}), (Ranges{{0, 10}}));
    add({0, 2, Code::kOk, 100});
    add({4, 1, Code::kCancelled, 0});
    add({7, 2, Code::kCancelled, 0});
    EXPECT_EQ(outcomes_.undecided({0, 10}), (Ranges{{2, 4}, {5, 7}, {9, 10}}));
    EXPECT_EQ(outcomes_.undecided({4, 5}), Ranges{});
    EXPECT_EQ(outcomes_.undecided({3, 8}), (Ranges{{3, 4}, {5, 7}}));
    EXPECT_EQ(outcomes_.undecided({8, 9}), Ranges{});
    EXPECT_EQ(outcomes_.undecided({20, 22}), (Ranges{{20, 22}}));
    EXPECT_EQ(outcomes_.undecided({0, 2}), Ranges{});
}

RC_GTEST_PROP(OutcomesProperty, EverySequenceGetsTheFirstOutcomeToldAndIsFreshOnce, ()) {
    Outcomes outcomes(1'000);
    std::vector<std::optional<Outcome>> model(64);
    for (int step = 0; step < 40; ++step) {
        const auto first = *rc::gen::inRange<std::uint64_t>(0, 60);
        const auto count = *rc::gen::inRange<std::uint32_t>(1, 64 - static_cast<std::uint32_t>(first) + 1);
        const bool stored = *rc::gen::arbitrary<bool>();
        const Confirmed run{first, count, stored ? Code::kOk : Code::kFull, stored ? 1'000U * (step + 1U) : 0U};
        std::vector<Confirmed> fresh;
        outcomes.add(run, fresh);
        std::vector<int> told(64, 0);
        for (const auto& news : fresh) {
            for (std::uint32_t i = 0; i < news.count; ++i) ++told[news.first + i];
        }
        for (std::uint64_t i = 0; i < 64; ++i) {
            const bool inside = i >= first && i < first + count;
            RC_ASSERT(told[i] == (inside && !model[i] ? 1 : 0));
            if (inside && !model[i]) model[i] = Outcome{run.code, stored ? run.id + i - first : 0};
            RC_ASSERT(outcomes.find(i) == model[i]);
        }
    }
    const auto hole = std::find(model.begin(), model.end(), std::nullopt);
    RC_ASSERT(outcomes.decided_below() == static_cast<std::uint64_t>(hole - model.begin()));
}

}  // namespace
}  // namespace telpher::producer
