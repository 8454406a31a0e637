#include "producer/batcher.h"

#include <gtest/gtest.h>

#include <string>

namespace telpher::producer {
namespace {

/// Appends messages of `bytes` bytes as sequences [first, first + count). Returns how often a batch got full.
int append(Batcher& batcher, std::uint64_t first, int count, std::size_t bytes = 10, Under under = {}) {
    const std::string body(bytes, 'x');
    batch::RecordIn record;
    record.payload = as_bytes(body);
    int filled = 0;
    for (int i = 0; i < count; ++i)
        filled += batcher.append(first + static_cast<std::uint64_t>(i), record, under) ? 1 : 0;
    return filled;
}

/// The sequences of all batches that are there, one range each.
std::vector<Range> take_all(Batcher& batcher) {
    std::vector<Range> ranges;
    while (auto batch = batcher.take(true)) ranges.push_back({batch->first, batch->first + batch->builder.count()});
    return ranges;
}

TEST(Batcher, KeepsAPartFilledBatchUntilAsked) {
    Batcher batcher(1'000);
    append(batcher, 0, 3);
    EXPECT_FALSE(batcher.take(false));
    const auto batch = batcher.take(true);
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->first, 0U);
    EXPECT_EQ(batch->builder.count(), 3U);
    EXPECT_FALSE(batch->full);
    EXPECT_TRUE(batcher.empty());
    EXPECT_EQ(batcher.bytes(), 0U);
}

TEST(Batcher, ClosesABatchAtItsTarget) {
    Batcher batcher(1'000);
    EXPECT_GE(append(batcher, 0, 200), 1);
    const auto batch = batcher.take(false);
    ASSERT_TRUE(batch);
    EXPECT_LE(batch->builder.bytes(), 1'000U);
    EXPECT_GT(batch->builder.bytes(), 900U);
    std::uint64_t next = batch->builder.count();
    for (const auto& range : take_all(batcher)) {
        EXPECT_EQ(range.first, next);
        next = range.end;
    }
    EXPECT_EQ(next, 200U);
}

TEST(Batcher, AMessageOverTheTargetGoesAlone) {
    Batcher batcher(1'000);
    append(batcher, 0, 1);
    EXPECT_EQ(append(batcher, 1, 1, 5'000), 1);
    append(batcher, 2, 1);
    EXPECT_EQ(take_all(batcher), (std::vector<Range>{{0, 1}, {1, 2}, {2, 3}}));
}

TEST(Batcher, APutUnderALeaseGoesAlone) {
    Batcher batcher(1'000);
    append(batcher, 0, 2);
    EXPECT_EQ(append(batcher, 2, 1, 10, {77, 3}), 1);
    append(batcher, 3, 1);
    EXPECT_EQ(batcher.take(false)->builder.count(), 2U);
    const auto under = batcher.take(false);
    ASSERT_TRUE(under);
    EXPECT_EQ(under->under.offset, 77U);
    EXPECT_EQ(under->under.delivery, 3U);
    EXPECT_FALSE(batcher.take(false));
    EXPECT_EQ(batcher.take(true)->under.delivery, 0U);
}

TEST(Batcher, SequencesOfABatchAreDense) {
    Batcher batcher(1'000);
    append(batcher, 0, 2);
    append(batcher, 5, 2);
    EXPECT_EQ(take_all(batcher), (std::vector<Range>{{0, 2}, {5, 7}}));
}

TEST(Batcher, CancelsInTheMiddle) {
    Batcher batcher(1'000);
    append(batcher, 0, 10);
    std::vector<Range> removed;
    batcher.cancel({4, 6}, removed);
    EXPECT_EQ(removed, (std::vector<Range>{{4, 6}}));
    append(batcher, 10, 2);
    EXPECT_EQ(take_all(batcher), (std::vector<Range>{{0, 4}, {6, 12}}));
    EXPECT_EQ(batcher.bytes(), 0U);
}

TEST(Batcher, CancelsOverSeveralBatches) {
    Batcher batcher(200);
    append(batcher, 0, 40);
    std::vector<Range> removed;
    batcher.cancel({3, 38}, removed);
    EXPECT_EQ(removed.front().first, 3U);
    EXPECT_EQ(removed.back().end, 38U);
    EXPECT_EQ(take_all(batcher), (std::vector<Range>{{0, 3}, {38, 40}}));
    EXPECT_EQ(batcher.bytes(), 0U);
}

TEST(Batcher, CancelOfWhatIsNotThereDoesNothing) {
    Batcher batcher(1'000);
    append(batcher, 10, 5);
    std::vector<Range> removed;
    batcher.cancel({0, 10}, removed);
    batcher.cancel({15, 20}, removed);
    EXPECT_TRUE(removed.empty());
    EXPECT_EQ(take_all(batcher), (std::vector<Range>{{10, 15}}));
}

TEST(Batcher, CountsItsBytes) {
    Batcher batcher(1'000);
    append(batcher, 0, 100);
    std::size_t bytes = 0;
    const std::size_t counted = batcher.bytes();
    while (auto batch = batcher.take(true)) {
        bytes += batch->builder.bytes();
        batcher.recycle(std::move(batch->builder));
    }
    EXPECT_EQ(bytes, counted);
}

}  // namespace
}  // namespace telpher::producer
