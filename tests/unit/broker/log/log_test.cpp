// Appending, committing, replaying, rolling: the log as the shard uses it.
#include "broker/log/log.h"

#include <gtest/gtest.h>

#include "broker/log/record.h"
#include "broker/log/segment.h"
#include "tests/unit/broker/log/log_fixture.h"

namespace telpher::log {
namespace {

using Files = test::FaultyFileSystem;

class LogTest : public LogFixture {};

TEST_F(LogTest, AnEmptyFolderIsAnEmptyLogThatMustRollFirst) {
    must_open();
    EXPECT_EQ(log_->recovery().records, 0U);
    EXPECT_FALSE(log_->recovery().clean);
    EXPECT_EQ(log_->last_lsn(), Lsn(0));
    EXPECT_TRUE(log_->needs_roll(0, 0));
    EXPECT_EQ(log_->segment_count(), 0U);
    EXPECT_FALSE(log_->failed());
}

TEST_F(LogTest, WhatIsCommittedComesBackAsItWas) {
    must_open();
    commit(batch("first body", "first meta"));
    const std::string binary("\0\xff\0 any bytes", 13);
    commit({Kind::kSettle, QueueId(9), binary, Slice()});
    commit(batch("", ""));
    crash();
    must_open();
    ASSERT_EQ(replayed_.size(), 4U);
    EXPECT_EQ(replayed_[0].kind, Kind::kSnapshot);
    EXPECT_EQ(replayed_[0].meta, "state");
    EXPECT_EQ(replayed_[1].kind, Kind::kBatch);
    EXPECT_EQ(replayed_[1].queue, QueueId(7));
    EXPECT_EQ(replayed_[1].meta, "first meta");
    EXPECT_EQ(replayed_[1].body, "first body");
    EXPECT_EQ(replayed_[2].kind, Kind::kSettle);
    EXPECT_EQ(replayed_[2].queue, QueueId(9));
    EXPECT_EQ(replayed_[2].meta, binary);
    EXPECT_EQ(replayed_[3].body, "");
    for (std::size_t i = 0; i < replayed_.size(); ++i) EXPECT_EQ(replayed_[i].lsn, Lsn(i + 1));
    EXPECT_EQ(log_->committed_lsn(), Lsn(4));
    EXPECT_EQ(log_->recovery().last, Lsn(4));
}

TEST_F(LogTest, NothingIsCommittedBeforeTheSync) {
    must_open();
    append(batch("body"));
    EXPECT_EQ(log_->last_lsn(), Lsn(2));
    EXPECT_GT(log_->uncommitted_bytes(), 0U);
    EXPECT_EQ(log_->committer().do_work(), 0U) << "not handed over yet";
    EXPECT_TRUE(log_->flush());
    EXPECT_EQ(log_->written_lsn(), Lsn(0));
    EXPECT_EQ(log_->committed_lsn(), Lsn(0));
    EXPECT_EQ(log_->committer().do_work(), 2U);
    EXPECT_EQ(log_->written_lsn(), Lsn(2));
    EXPECT_EQ(log_->committed_lsn(), Lsn(2));
    EXPECT_EQ(log_->uncommitted_bytes(), 0U);
}

TEST_F(LogTest, WhatArrivesDuringOneSyncIsTheNextGroup) {
    must_open();
    commit(batch("opens the segment"));
    for (int i = 0; i < 5; ++i) {
        append(batch("body"));
        EXPECT_TRUE(log_->flush());
    }
    const auto syncs = files_.count(Files::Op::kSync);
    EXPECT_EQ(log_->committer().do_work(), 5U);
    EXPECT_EQ(files_.count(Files::Op::kSync), syncs + 1);
}

/// On which every write takes no time, so that nothing is known of the disk.
class StillClock final : public Clock {
public:
    [[nodiscard]] Instant now() const override { return Instant{1}; }
    [[nodiscard]] WallTime wall() const override { return WallTime{1}; }
};

TEST_F(LogTest, AGroupIsBounded) {
    const StillClock clock;
    LogOptions large = options();
    large.clock = &clock;
    large.segment_bytes = limits::kSegmentBytes;
    ASSERT_TRUE(open(large));
    commit(batch("opens the segment"));
    for (int i = 0; i < 10; ++i) append(batch(std::string(limits::kMiB, 'x')));
    EXPECT_TRUE(log_->flush());
    EXPECT_EQ(log_->committer().do_work(), 7U) << "seven bodies of a MiB and their headers fit 8 MiB";
    EXPECT_EQ(log_->committer().do_work(), 3U);
    EXPECT_EQ(log_->committed_lsn(), log_->last_lsn());
}

TEST_F(LogTest, TheHandOverIsBoundedAndLosesNothing) {
    must_open();
    int refused = 0;
    for (int i = 0; i < 1000; ++i) {
        append({Kind::kSettle, QueueId(1), "x", Slice()});
        refused += log_->flush() ? 0 : 1;
    }
    EXPECT_GT(refused, 0);
    while (log_->committed_lsn() != log_->last_lsn()) {
        ASSERT_GT(log_->committer().do_work(), 0U);
        log_->flush();
    }
    crash();
    must_open();
    EXPECT_EQ(log_->recovery().last, Lsn(replayed_.size()));
    EXPECT_GT(replayed_.size(), 1000U);
}

TEST_F(LogTest, PublishingWakesTheShard) {
    must_open();
    int wakes = 0;
    log_->on_commit([&wakes] { ++wakes; });
    commit(batch("body"));
    EXPECT_GE(wakes, 1);
}

TEST_F(LogTest, EverySegmentBeginsWithItsSnapshot) {
    must_open();
    fill_to(SegmentId(3));
    EXPECT_EQ(log_->segment_count(), 3U);
    crash();
    must_open();
    std::uint64_t segment = 0;
    for (const Replayed& record : replayed_) {
        const bool first = record.position.segment.value() != segment;
        EXPECT_EQ(record.kind == Kind::kSnapshot, first) << record.lsn.value();
        segment = record.position.segment.value();
    }
    EXPECT_EQ(segment, 3U);
}

TEST_F(LogTest, ALogGoesOnWhereItEnded) {
    for (int life = 0; life < 5; ++life) {
        must_open();
        commit(batch("life " + std::to_string(life)));
        crash();
    }
    must_open();
    ASSERT_EQ(replayed_.size(), 6U) << "one snapshot: a restart alone makes no segment";
    for (std::size_t i = 1; i < 6; ++i) EXPECT_EQ(replayed_[i].body, "life " + std::to_string(i - 1));
    EXPECT_EQ(log_->segment_count(), 1U);
}

TEST_F(LogTest, ASnapshotMayTakeManyRecordsAndMoreThanASegment) {
    must_open();
    std::vector<Record> records;
    for (int i = 0; i < 5; ++i)
        records.push_back(snapshot(std::string(kTestSegmentBytes / 2, static_cast<char>('a' + i))));
    log_->roll(std::move(records));
    EXPECT_FALSE(log_->needs_roll(100, kTestSegmentBytes / 4)) << "half a segment of room follows it";
    commit(batch("after"));
    crash();
    must_open();
    ASSERT_EQ(replayed_.size(), 6U);
    EXPECT_EQ(replayed_[4].meta, std::string(kTestSegmentBytes / 2, 'e'));
    EXPECT_EQ(replayed_[5].body, "after");
}

// Stored when messages could be larger, and moved now.
TEST_F(LogTest, ASegmentIsMadeForARecordThatIsLargerThanSegmentsAre) {
    must_open();
    log_->roll({snapshot()});
    const std::string large(3 * kTestSegmentBytes, 'l');
    ASSERT_TRUE(log_->needs_roll(100, large.size()));
    log_->roll({snapshot()}, 100, large.size());
    EXPECT_FALSE(log_->needs_roll(100, large.size()));
    commit(batch(large));
    crash();
    must_open();
    EXPECT_EQ(replayed_.back().body, large);
}

TEST_F(LogTest, ReaderReadsBodiesByPosition) {
    must_open();
    const Appended first = commit(batch("first"));
    fill_to(SegmentId(3));
    const Appended last = commit(batch("last"));
    auto read = log_->reader().read(first.position);
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(as_text(read->body.bytes()), "first");
    read = log_->reader().read(last.position);
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(as_text(read->body.bytes()), "last");
    EXPECT_FALSE(log_->reader().read({SegmentId(99), 4096}));
    crash();
    must_open();
    read = log_->reader().read(replayed_[1].position);
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(as_text(read->body.bytes()), "first");
}

TEST_F(LogTest, ReadingBeyondTheEndOfAFileIsCorrupt) {
    must_open();
    commit(batch("body"));
    const auto read = log_->reader().read({SegmentId(1), kTestSegmentBytes - 8});
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code(), Code::kCorrupt);
}

TEST_F(LogTest, ACleanStopIsSeenByTheNextStart) {
    must_open();
    commit(batch("body"));
    commit({Kind::kEnd, QueueId(0), "", Slice()});
    log_.reset();
    must_open();
    EXPECT_TRUE(log_->recovery().clean);
    commit({Kind::kBoot, QueueId(0), "boot", Slice()});
    crash();
    must_open();
    EXPECT_FALSE(log_->recovery().clean);
}

TEST_F(LogTest, TheSinkCanRefuse) {
    must_open();
    commit(batch("body"));
    crash();
    const auto opened = Log::open(
        files_, options(), [](const RecordView&) -> Result<void> { return fail(Code::kFormat, "meta of tomorrow"); });
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code(), Code::kFormat);
}

TEST_F(LogTest, ALogOfAnotherShardIsRefused) {
    must_open();
    commit(batch("body"));
    crash();
    LogOptions other = options();
    other.shard = 1;
    const auto opened = open(other);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code(), Code::kCorrupt);
}

}  // namespace
}  // namespace telpher::log
