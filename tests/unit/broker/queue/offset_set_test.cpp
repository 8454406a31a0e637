#include "broker/queue/offset_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <ranges>
#include <set>

#include "queue_fixture.h"
#include "tests/support/seed.h"

namespace telpher::queue {
namespace {

/// Where the parts of a set meet.
constexpr std::uint64_t kSeam = 1ULL << 22;

std::uint64_t next_in(const std::set<std::uint64_t>& naive, std::uint64_t at) {
    const auto next = naive.lower_bound(at);
    return next == naive.end() ? OffsetSet::kNone.value() : *next;
}

TEST(OffsetSet, agrees_with_a_plain_set_across_its_seams) {
    std::mt19937_64 random(test::test_seed());
    const std::uint64_t base = kSeam - 150;
    OffsetSet set;
    std::set<std::uint64_t> naive;
    for (int step = 0; step < 5'000; ++step) {
        const std::uint64_t first = base + random() % 300;
        const std::uint64_t count = random() % 40 + 1;
        const bool adds = random() % 2 == 0;
        adds ? set.add(range(first, count)) : set.remove(range(first, count));
        for (std::uint64_t at = first; at < first + count; ++at) adds ? (void)naive.insert(at) : (void)naive.erase(at);
        const std::uint64_t at = base + random() % 300;
        const std::uint64_t limit = at + 1 + random() % 300;
        ASSERT_EQ(set.contains(Offset(at)), naive.contains(at));
        ASSERT_EQ(set.next(Offset(at)).value(), next_in(naive, at));
        ASSERT_EQ(set.count(range(at, limit - at)),
                  static_cast<std::uint64_t>(std::distance(naive.lower_bound(at), naive.lower_bound(limit))));
        std::vector<std::uint64_t> seen;
        set.each_run(range(at, limit - at), [&](Range run) {
            ASSERT_FALSE(!seen.empty() && seen.back() + 1 == run.first.value()) << "a run ends too early";
            for (Offset member = run.first; member < run.end(); member += 1) seen.push_back(member.value());
        });
        ASSERT_EQ(seen, std::vector<std::uint64_t>(naive.lower_bound(at), naive.lower_bound(limit)));
        const std::uint64_t n = 1 + random() % 200;
        const auto left = static_cast<std::uint64_t>(std::distance(naive.lower_bound(at), naive.end()));
        const Offset nth =
            n > left ? OffsetSet::kNone : Offset(*std::next(naive.lower_bound(at), static_cast<std::ptrdiff_t>(n - 1)));
        ASSERT_EQ(set.nth(Offset(at), n), nth);
        ASSERT_EQ(set.none_in(Offset(at), Offset(limit)), next_in(naive, at) >= limit);
        if (!naive.contains(at)) continue;
        std::uint64_t end = at;
        while (end < limit && naive.contains(end)) ++end;
        ASSERT_EQ(set.end_of_run(Offset(at), Offset(limit)).value(), end);
    }
}

TEST(OffsetSet, comes_back_from_what_it_saved) {
    OffsetSet set;
    set.add(range(5, 3));
    set.add(range(kSeam * 7 - 2, 9));
    OffsetSet copy;
    set.save([&](std::uint64_t part, const std::string& bytes) { EXPECT_TRUE(copy.restore(part, bytes)); });
    EXPECT_EQ(copy.count(range(0, kSeam * 9)), 12U);
    EXPECT_EQ(copy.end_of_run(Offset(kSeam * 7 - 2), Offset(kSeam * 8)), Offset(kSeam * 7 + 7));
}

TEST(OffsetSet, refuses_what_no_set_saved) {
    OffsetSet set;
    set.add(range(5, 3));
    std::string saved;
    set.save([&](std::uint64_t, const std::string& bytes) { saved = bytes; });
    OffsetSet other;
    EXPECT_FALSE(other.restore(0, ""));
    EXPECT_FALSE(other.restore(0, saved.substr(0, saved.size() - 1)));
    EXPECT_FALSE(other.restore(0, saved + "x"));
    EXPECT_FALSE(other.restore(UINT64_MAX, saved));
    EXPECT_TRUE(other.restore(0, saved));
    EXPECT_FALSE(other.restore(0, saved)) << "twice the same part";
}

}  // namespace
}  // namespace telpher::queue
