#include "broker/queue/interval_map.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "queue_fixture.h"

namespace telpher::queue {
namespace {

/// Keeps the first offsets by value, as the real watches do.
struct FirstOffsets {
    void added(Offset first, int value) { ASSERT_TRUE(all.emplace(value, first).second); }
    void removed(Offset first, int value) { ASSERT_EQ(all.erase({value, first}), 1U); }
    std::set<std::pair<int, Offset>> all;
};
using Map = IntervalMap<int, FirstOffsets>;

std::vector<std::pair<Range, int>> runs(const Map& map) {
    std::vector<std::pair<Range, int>> list;
    for (auto run = map.front(); run; run = map.at_or_after(run->range.end()))
        list.emplace_back(run->range, run->value);
    return list;
}
using Runs = std::vector<std::pair<Range, int>>;

TEST(IntervalMap, neighbours_with_equal_values_join_on_either_side) {
    Map map;
    map.insert(range(10, 5), 1);
    map.insert(range(20, 5), 1);
    EXPECT_EQ(runs(map), (Runs{{range(10, 5), 1}, {range(20, 5), 1}}));
    map.insert(range(15, 5), 1);
    EXPECT_EQ(runs(map), (Runs{{range(10, 15), 1}}));
    map.insert(range(5, 5), 1);
    map.insert(range(25, 1), 2);
    EXPECT_EQ(runs(map), (Runs{{range(5, 20), 1}, {range(25, 1), 2}}));
    EXPECT_EQ(map.size(), 21U);
}

TEST(IntervalMap, take_cuts_front_middle_end_and_whole) {
    Map map;
    map.insert(range(0, 10), 7);
    EXPECT_EQ(map.take(range(0, 2)), 7);
    EXPECT_EQ(map.take(range(4, 2)), 7);
    EXPECT_EQ(map.take(range(9, 1)), 7);
    EXPECT_EQ(runs(map), (Runs{{range(2, 2), 7}, {range(6, 3), 7}}));
    EXPECT_EQ(map.take(range(2, 2)), 7);
    EXPECT_EQ(map.size(), 3U);
    EXPECT_EQ(map.watch().all, (std::set<std::pair<int, Offset>>{{7, Offset(6)}}));
}

TEST(IntervalMap, looks_up_the_run_at_or_after_an_offset) {
    Map map;
    map.insert(range(10, 5), 1);
    EXPECT_EQ(map.at_or_after(Offset(0))->range, range(10, 5));
    EXPECT_EQ(map.at_or_after(Offset(14))->range, range(10, 5));
    EXPECT_FALSE(map.at_or_after(Offset(15)).has_value());
    EXPECT_EQ(map.count_from(Offset(12)), 3U);
    EXPECT_EQ(map.count_from(Offset(15)), 0U);
}

TEST(IntervalMap, agrees_with_one_entry_per_offset) {
    std::mt19937_64 random(7);
    Map map;
    std::map<std::uint64_t, int> naive;
    for (int step = 0; step < 20'000; ++step) {
        const std::uint64_t first = random() % 60;
        const std::uint64_t count = random() % 6 + 1;
        const auto run = map.at_or_after(Offset(first));
        if (!run || range(first, count).end() <= run->range.first) {
            const int value = static_cast<int>(random() % 2);
            map.insert(range(first, count), value);
            for (std::uint64_t at = first; at < first + count; ++at) naive.emplace(at, value);
        } else if (run->range.first <= Offset(first)) {
            const std::uint64_t cut = std::min(count, run->range.end() - Offset(first));
            ASSERT_EQ(map.take(range(first, cut)), naive.at(first));
            for (std::uint64_t at = first; at < first + cut; ++at) naive.erase(at);
        }
        ASSERT_EQ(map.size(), naive.size());
        std::map<std::uint64_t, int> seen;
        std::set<std::pair<int, Offset>> firsts;
        std::optional<std::pair<Range, int>> before;
        for (const auto& [where, value] : runs(map)) {
            ASSERT_TRUE(!before || before->first.end() != where.first || before->second != value);
            for (std::uint64_t at = 0; at < where.count; ++at) seen.emplace(where.first.value() + at, value);
            firsts.emplace(value, where.first);
            before = {where, value};
        }
        ASSERT_EQ(seen, naive);
        ASSERT_EQ(firsts, map.watch().all);
    }
}

}  // namespace
}  // namespace telpher::queue
