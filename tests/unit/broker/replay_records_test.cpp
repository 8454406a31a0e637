// Records that are whole but make no sense: the start stops there and says so, instead of building a state that cannot
// be. And times that a client or another clock gave, which may be anything.
#include <gtest/gtest.h>

#include "broker/queue_options.h"
#include "broker/replay.h"
#include "proto/batch.h"

namespace telpher::broker {
namespace {

using log::Kind;

constexpr WallTime kWall{1'700'000'000'000};
constexpr Instant kNow{1'000'000'000'000};

class ReplayRecordsTest : public testing::Test {
protected:
    template <class Meta>
    Code take(Kind kind, QueueId queue, const Meta& meta, const Slice& body = {}) {
        lsn_ += 1;
        const std::string bytes = meta.SerializeAsString();
        const log::Position position{SegmentId(1), 4096};
        const auto taken = replay_.take({lsn_, kind, queue, Epoch(1), as_bytes(bytes), body.bytes(), position});
        return taken ? Code::kOk : taken.error().code();
    }
    Code create(std::uint64_t id, const std::string& name, const queue::Options& options = {}) {
        log::v1::QueueMeta meta;
        meta.set_change(log::v1::QueueMeta::CHANGE_CREATED);
        meta.set_name(name);
        encode_options(options, *meta.mutable_options());
        return take(Kind::kQueue, QueueId(id), meta);
    }
    Code put(std::uint64_t offset, std::uint64_t sequence, std::uint32_t count, std::int64_t put_ms = kWall.ms) {
        log::v1::BatchMeta meta;
        meta.set_first_offset(offset);
        batch::Builder builder;
        for (std::uint32_t i = 0; i < count; ++i) builder.append({as_bytes("payload"), {}, nullptr}, SIZE_MAX);
        return take(Kind::kBatch, QueueId(1), meta, builder.seal(ProducerId(7), Sequence(sequence), WallTime{put_ms}));
    }
    Code open_named(std::uint64_t producer, const std::string& name) {
        log::v1::ProducerMeta meta;
        meta.set_change(log::v1::ProducerMeta::CHANGE_OPENED);
        meta.set_producer(producer);
        meta.set_name(name);
        return take(Kind::kProducer, QueueId(1), meta);
    }
    HostedQueue& queue() { return *catalog_.find(QueueId(1)); }

    Catalog catalog_;
    Replay replay_{catalog_, kNow, kWall};
    Lsn lsn_;
};

TEST_F(ReplayRecordsTest, MessagesLieAboveThoseBefore) {
    ASSERT_EQ(create(1, "q"), Code::kOk);
    EXPECT_EQ(put(5, 0, 3), Code::kOk);
    EXPECT_EQ(put(7, 3, 1), Code::kCorrupt);
    EXPECT_EQ(put(UINT64_MAX, 3, 2), Code::kCorrupt);
    EXPECT_EQ(put(8, 3, 1), Code::kOk);
}

TEST_F(ReplayRecordsTest, SequencesAreStoredOnce) {
    ASSERT_EQ(create(1, "q"), Code::kOk);
    EXPECT_EQ(put(0, 4, 3), Code::kOk);
    EXPECT_EQ(put(3, 6, 1), Code::kCorrupt);
}

TEST_F(ReplayRecordsTest, SequencesEndWhereNumbersDo) {
    ASSERT_EQ(create(1, "q"), Code::kOk);
    EXPECT_EQ(put(0, UINT64_MAX, 2), Code::kCorrupt);
}

TEST_F(ReplayRecordsTest, AMemoryQueueHasNoMessages) {
    queue::Options options;
    options.durability = queue::Durability::kMemory;
    ASSERT_EQ(create(1, "q", options), Code::kOk);
    EXPECT_EQ(put(0, 0, 1), Code::kCorrupt);
}

TEST_F(ReplayRecordsTest, NamesAndNumbersOfQueuesAreGivenOnce) {
    ASSERT_EQ(create(1, "q"), Code::kOk);
    EXPECT_EQ(create(1, "other"), Code::kCorrupt);
    EXPECT_EQ(create(2, "q"), Code::kCorrupt);
}

TEST_F(ReplayRecordsTest, ASnapshotGivesANameOnce) {
    log::v1::SnapshotMeta meta;
    for (const std::uint64_t id : {1U, 2U}) {
        auto* state = meta.add_queues();
        state->set_queue(id);
        state->set_name("q");
        encode_options(queue::Options(), *state->mutable_options());
    }
    EXPECT_EQ(take(Kind::kSnapshot, QueueId(0), meta), Code::kCorrupt);
}

TEST_F(ReplayRecordsTest, RangesOfASnapshotRise) {
    log::v1::SnapshotMeta meta;
    auto* state = meta.add_queues();
    state->set_queue(1);
    state->set_name("q");
    encode_options(queue::Options(), *state->mutable_options());
    auto* producer = state->add_producers();
    for (int i = 0; i < 2; ++i) {
        auto* range = producer->add_accepted();
        range->set_first_sequence(5);
        range->set_count(2);
    }
    EXPECT_EQ(take(Kind::kSnapshot, QueueId(0), meta), Code::kCorrupt);
}

TEST_F(ReplayRecordsTest, TheDurabilityOfAQueueStays) {
    ASSERT_EQ(create(1, "q"), Code::kOk);
    log::v1::QueueMeta meta;
    meta.set_change(log::v1::QueueMeta::CHANGE_SET);
    queue::Options options;
    options.durability = queue::Durability::kMemory;
    encode_options(options, *meta.mutable_options());
    EXPECT_EQ(take(Kind::kQueue, QueueId(1), meta), Code::kCorrupt);
}

TEST_F(ReplayRecordsTest, AProducerHasOneName) {
    ASSERT_EQ(create(1, "q"), Code::kOk);
    EXPECT_EQ(open_named(7, "a"), Code::kOk);
    EXPECT_EQ(open_named(7, "b"), Code::kCorrupt);
    EXPECT_EQ(open_named(8, "a"), Code::kOk) << "taken over";
}

TEST_F(ReplayRecordsTest, ATimeThatAClientGaveMayBeAnything) {
    ASSERT_EQ(create(1, "q"), Code::kOk);
    std::uint64_t next = 0;
    for (const std::int64_t put_ms : {INT64_MIN, std::int64_t{-1}, std::int64_t{0}, kWall.ms + 1, INT64_MAX}) {
        EXPECT_EQ(put(next, next, 1, put_ms), Code::kOk);
        ++next;
        EXPECT_LE(queue().producers.at(ProducerId(7)).last_put, kWall) << "or it is never forgotten";
    }
}

TEST_F(ReplayRecordsTest, AMessageMayBeDueAtAnyTime) {
    ASSERT_EQ(create(1, "q"), Code::kOk);
    ASSERT_EQ(put(0, 0, 1), Code::kOk);
    for (const std::uint64_t due_ms : {std::uint64_t{1}, UINT64_MAX}) {
        log::v1::ReturnMeta meta;
        meta.add_ranges(0);
        meta.add_ranges(1);
        meta.add_deliveries(1);
        meta.add_attempts(1);
        meta.add_due_ms(due_ms);
        EXPECT_EQ(take(Kind::kReturn, QueueId(1), meta), Code::kOk);
    }
    EXPECT_EQ(queue().queue.delayed(), 1U);
}

}  // namespace
}  // namespace telpher::broker
