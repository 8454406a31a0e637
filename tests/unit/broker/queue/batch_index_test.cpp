#include "broker/queue/batch_index.h"

#include <gtest/gtest.h>

#include "queue_fixture.h"

namespace telpher::queue {
namespace {

TEST(MeanBytes, parts_sum_to_the_whole_and_inverses_are_tight) {
    for (const auto& [count, bytes] :
         {std::pair<std::uint64_t, std::uint64_t>{7, 100}, {3, 2}, {5, 0}, {1, 9}, {4, 4}}) {
        const MeanBytes mean(count, bytes);
        for (std::uint64_t first = 0; first < count; ++first) {
            EXPECT_EQ(mean.of(0, first) + mean.of(first, count - first), bytes);
            for (std::uint64_t limit = 0; limit <= bytes + 1; ++limit) {
                const std::uint64_t fits = mean.fitting(first, limit);
                EXPECT_LE(mean.of(first, fits), limit);
                EXPECT_TRUE(first + fits == count || mean.of(first, fits + 1) > limit);
                const std::uint64_t reaches = mean.reaching(first, limit);
                EXPECT_TRUE(mean.of(first, reaches) >= limit || first + reaches == count);
                EXPECT_TRUE(reaches == 0 || mean.of(first, reaches - 1) < limit);
            }
        }
    }
}

TEST(MeanBytes, does_not_overflow) {
    const MeanBytes mean(UINT32_MAX, UINT64_MAX / 2);
    EXPECT_EQ(mean.of(0, UINT32_MAX), UINT64_MAX / 2);
    EXPECT_EQ(mean.fitting(1, UINT64_MAX), UINT32_MAX - 1ULL);
    EXPECT_EQ(mean.reaching(1, UINT64_MAX), UINT32_MAX - 1ULL);
}

TEST(BatchIndex, finds_places_and_frees_batches_in_any_order) {
    BatchIndex index;
    index.add({BatchRef(1), range(0, 10), 100});
    index.add({BatchRef(2), range(10, 5), 7});
    const auto place = index.place(range(8, 6));
    EXPECT_EQ(place.batch, BatchRef(1));
    EXPECT_EQ(place.index, 8U);
    EXPECT_EQ(place.range, range(8, 2));
    EXPECT_EQ(index.bytes(range(8, 4)), 20U + 2U);

    EXPECT_EQ(index.release(range(8, 7)), 20U + 7U);
    EXPECT_EQ(index.release(range(0, 8)), 80U);
    EXPECT_EQ(index.bytes(), 0U);
    EXPECT_EQ(index.size(), 0U);
    const auto freed = index.take_freed();
    ASSERT_EQ(freed.size(), 3U);
    EXPECT_EQ(std::tuple(freed[0].batch, freed[0].messages, freed[0].empty), std::tuple(BatchRef(1), 2U, false));
    EXPECT_EQ(std::tuple(freed[1].batch, freed[1].messages, freed[1].empty), std::tuple(BatchRef(2), 5U, true));
    EXPECT_EQ(std::tuple(freed[2].batch, freed[2].messages, freed[2].empty), std::tuple(BatchRef(1), 8U, true));
    EXPECT_TRUE(index.take_freed().empty());
}

TEST(BatchIndex, takes_an_older_batch_later) {
    BatchIndex index;
    index.add({BatchRef(9), range(100, 10), 10});
    index.add({BatchRef(3), range(20, 10), 10});
    EXPECT_EQ(index.place(range(25, 1)).batch, BatchRef(3));
    EXPECT_DEATH(index.add({BatchRef(4), range(25, 10), 1}), "invariant");
}

}  // namespace
}  // namespace telpher::queue
