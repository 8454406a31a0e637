#include "consumer/held.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace telpher::consumer {
namespace {

using Range = frame::Run;
using Ranges = std::vector<Range>;

TEST(Held, MergesNeighboursOfOneDelivery) {
    EXPECT_EQ(merge_held({{5, 2, 1}, {0, 5, 1}, {7, 1, 2}, {9, 1, 2}}, 100).runs,
              (Ranges{{0, 7, 1}, {7, 1, 2}, {9, 1, 2}}));
    EXPECT_TRUE(merge_held({}, 100).runs.empty());
}

TEST(Held, TheHigherDeliveryCounts) {
    EXPECT_EQ(merge_held({{0, 10, 1}, {3, 2, 2}, {8, 4, 3}}, 100).runs,
              (Ranges{{0, 3, 1}, {3, 2, 2}, {5, 3, 1}, {8, 4, 3}}));
}

TEST(Held, SaysWhatDoesNotFit) {
    const Held held = merge_held({{0, 1, 1}, {2, 1, 1}, {4, 2, 1}}, 2);
    EXPECT_EQ(held.runs, (Ranges{{0, 1, 1}, {2, 1, 1}}));
    EXPECT_EQ(held.left_out, (Ranges{{4, 2, 1}}));
}

TEST(Held, AgreesWithAMapOfOffsets) {
    std::mt19937_64 random(3);
    for (int round = 0; round < 200; ++round) {
        Ranges runs;
        std::map<std::uint64_t, std::uint64_t> expected;
        for (int i = 0; i < 30; ++i) {
            const Range run{random() % 100, 1 + random() % 10, 1 + random() % 3};
            runs.push_back(run);
            for (std::uint64_t k = 0; k < run.count; ++k)
                expected[run.first + k] = std::max(expected[run.first + k], run.value);
        }
        std::map<std::uint64_t, std::uint64_t> seen;
        std::uint64_t previous_end = 0;
        for (const Range& run : merge_held(runs, 1000).runs) {
            EXPECT_GE(run.first, previous_end);
            previous_end = run.first + run.count;
            for (std::uint64_t k = 0; k < run.count; ++k) seen[run.first + k] = run.value;
        }
        EXPECT_EQ(seen, expected);
    }
}

}  // namespace
}  // namespace telpher::consumer
