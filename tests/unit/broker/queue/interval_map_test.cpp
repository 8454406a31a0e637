#include "broker/queue/interval_map.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <random>
#include <set>

#include "broker/queue/offset_set.h"
#include "queue_fixture.h"
#include "tests/support/seed.h"

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

/// Two maps over the same messages, as the places of a queue: what is in neither is gone.
struct Places {
    using Holed = IntervalMap<int, FirstOffsets, OffsetSet>;
    OffsetSet present;
    std::array<Holed, 2> maps{Holed(present), Holed(present)};
    std::map<std::uint64_t, std::pair<std::size_t, int>> naive;  // map and value of each that is present

    void insert(std::size_t map, std::uint64_t first, std::uint64_t count, int value) {
        present.add(range(first, count));
        maps[map].insert(range(first, count), value);
        for (std::uint64_t at = first; at < first + count; ++at) naive.emplace(at, std::pair(map, value));
    }
    void drop(std::uint64_t at) {
        present.remove(range(at, 1));
        maps[naive.at(at).first].drop(range(at, 1));
        naive.erase(at);
    }
    void move(std::uint64_t at, int value) {
        const std::size_t from = naive.at(at).first;
        EXPECT_EQ(maps[from].take(range(at, 1)), naive.at(at).second);
        maps[1 - from].insert(range(at, 1), value);
        naive.at(at) = {1 - from, value};
    }
    void check() const {
        for (std::size_t map = 0; map < maps.size(); ++map) {
            std::map<std::uint64_t, std::pair<std::size_t, int>> seen;
            std::set<std::pair<int, Offset>> firsts;
            for (auto run = maps[map].front(); run; run = maps[map].at_or_after(run->range.end())) {
                firsts.emplace(run->value, run->range.first);
                ASSERT_TRUE(present.contains(run->range.first));
                ASSERT_EQ(run->messages, present.count(run->range));
                for (Offset at = run->range.first; at < run->range.end(); at += 1) {
                    if (present.contains(at)) seen.emplace(at.value(), std::pair(map, run->value));
                }
            }
            for (const auto& [at, place] : naive) {
                if (place.first != map) continue;
                ASSERT_EQ(seen.at(at), place) << at;
            }
            ASSERT_EQ(maps[map].size(), seen.size());
            ASSERT_EQ(firsts, maps[map].watch().all);
            const auto from = static_cast<std::ptrdiff_t>(seen.size() / 2);
            if (seen.empty()) continue;
            const auto middle = std::next(seen.begin(), from);
            ASSERT_EQ(maps[map].count_from(Offset(middle->first)), seen.size() - static_cast<std::size_t>(from));
        }
    }
};

TEST(IntervalMap, runs_join_over_what_is_gone) {
    Places places;
    places.insert(0, 0, 1000, 1);
    for (std::uint64_t at = 0; at < 1000; at += 2) places.drop(at);
    EXPECT_EQ(places.maps[0].intervals(), 1U);
    EXPECT_EQ(places.maps[0].size(), 500U);
    for (std::uint64_t at = 1; at < 1000; at += 2) places.move(at, 1);
    EXPECT_EQ(places.maps[1].intervals(), 1U);
    EXPECT_EQ(places.maps[0].intervals(), 0U);
    places.check();
}

TEST(IntervalMap, what_comes_into_a_hole_splits_the_run) {
    Places places;
    places.insert(0, 0, 10, 1);
    for (const std::uint64_t at : {3, 4, 9}) places.drop(at);
    for (auto& map : places.maps) map.split(Offset(4));
    places.insert(1, 4, 1, 1);
    for (auto& map : places.maps) map.split(Offset(9));
    places.insert(0, 9, 1, 2);
    EXPECT_EQ(places.maps[0].intervals(), 3U);
    places.check();
}

TEST(IntervalMap, with_holes_agrees_with_one_entry_per_offset) {
    std::mt19937_64 random(test::test_seed());
    Places places;
    std::uint64_t end = 0;
    for (int step = 0; step < 3'000; ++step) {
        if (places.naive.size() < 40) {
            const std::uint64_t count = random() % 9 + 1;
            places.insert(random() % 2, end, count, static_cast<int>(random() % 2));
            end += count;
        }
        const auto any = std::next(places.naive.begin(), static_cast<std::ptrdiff_t>(random() % places.naive.size()));
        random() % 2 == 0 ? places.drop(any->first) : places.move(any->first, static_cast<int>(random() % 2));
        places.check();
        if (HasFatalFailure()) return;
    }
}

}  // namespace
}  // namespace telpher::queue
