// One test per cell of the recovery table (recovery_table.h, FORMAT.md), each on a log that was really damaged that
// way, and the rules around it: nothing is changed when recovery refuses, and a cut tail never comes back.
#include "broker/log/recovery_table.h"

#include <gtest/gtest.h>

#include <array>

#include "broker/log/mark.h"
#include "broker/log/record.h"
#include "broker/log/segment.h"
#include "tests/unit/broker/log/log_fixture.h"

namespace telpher::log {
namespace {

using Files = test::FaultyFileSystem;

class RecoveryTest : public LogFixture {
protected:
    struct Found {
        std::uint64_t at = 0;
        RecordHeader header;
    };

    /// The records of a segment as they lie in the file, from the front.
    std::vector<Found> records(std::uint64_t segment) {
        const auto bytes = files_.contents(path(segment));
        std::vector<Found> found;
        for (std::uint64_t at = kSegmentHeaderBytes; at < bytes.size();) {
            const auto header = decode_record_header(Bytes(bytes).subspan(at));
            if (!header) break;
            found.push_back({at, *header});
            at += record_bytes(*header);
        }
        return found;
    }
    Found last_record(std::uint64_t segment) { return records(segment).back(); }

    void put_bytes(std::uint64_t segment, std::uint64_t at, std::vector<std::byte> bytes) {
        files_.overwrite(path(segment), at, bytes);
    }
    void zero(std::uint64_t segment, const Found& record) {
        put_bytes(segment, record.at, std::vector<std::byte>(record_bytes(record.header)));
    }
    void flip(std::uint64_t segment, std::uint64_t at) {
        auto byte = files_.contents(path(segment)).at(at);
        put_bytes(segment, at, {byte ^ std::byte{0x10}});
    }
    void break_header(std::uint64_t segment, const Found& record) { flip(segment, record.at + 20); }
    void break_body(std::uint64_t segment, const Found& record) { flip(segment, record.at + kRecordHeaderBytes + 4); }
    void rewrite(std::uint64_t segment, Found record) {
        std::array<std::byte, kRecordHeaderBytes> bytes{};
        encode_record_header(record.header, bytes.data());
        put_bytes(segment, record.at, {bytes.begin(), bytes.end()});
    }
    void shift_lsn(std::uint64_t segment, Found record) {
        record.header.lsn += 5;
        rewrite(segment, record);
    }
    void raise_version(std::uint64_t segment, Found record) {
        record.header.version = kRecordVersion + 1;
        rewrite(segment, record);
    }
    void lose_snapshot_end(std::uint64_t segment) {
        Found record = records(segment).front();
        record.header.flags = 0;
        rewrite(segment, record);
    }
    void raise_segment_version(std::uint64_t segment) {
        auto header = decode_segment_header(files_.contents(path(segment)));
        ASSERT_TRUE(header);
        header->version = kSegmentVersion + 1;
        std::vector<std::byte> block(kSegmentHeaderBytes);
        encode_segment_header(*header, block.data());
        put_bytes(segment, 0, block);
    }
    /// What a power cut leaves when the mark never reached the disk.
    void lose_mark() { files_.lose(kTestDir + "/mark"); }

    /// Three committed batches in segment 1, killed.
    void one_segment() {
        must_open();
        for (const char* body : {"body one", "body two", "body three"}) commit(batch(body));
        crash();
    }
    /// Segments 1 and 2, both with committed batches, killed.
    void two_segments() {
        must_open();
        fill_to(SegmentId(2));
        commit(batch("in the second"));
        crash();
    }
    /// One committed batch, then one that was written and never synced, with the mark as of the committed one.
    void one_unconfirmed() {
        must_open();
        commit(batch("confirmed"));
        append(batch("unconfirmed"));
        log_->flush();
        files_.die_at_nth(Files::Op::kSync, 1);
        log_->committer().do_work();
        ASSERT_TRUE(log_->failed());
        log_.reset();
    }
    /// A committed segment 1 and a segment 2 whose snapshot was written and never synced.
    void unconfirmed_roll() {
        must_open();
        fill_to(SegmentId(1));
        log_->roll({snapshot("part one"), snapshot("part two")});
        log_->flush();
        files_.die_at_nth(Files::Op::kSync, 2);  // the first one is of the new segment's header
        log_->committer().do_work();
        ASSERT_TRUE(log_->failed());
        log_.reset();
    }

    void expect_truncated(std::size_t records_left) {
        const auto opened = open();
        ASSERT_TRUE(opened) << opened.error().message();
        EXPECT_EQ(replayed_.size(), records_left);
        EXPECT_EQ(log_->committed_lsn(), Lsn(records_left));
        commit(batch("goes on"));
        EXPECT_FALSE(log_->failed());
        crash();
        const auto again = open();
        ASSERT_TRUE(again) << again.error().message();
        EXPECT_EQ(replayed_.back().body, "goes on");
        EXPECT_EQ(log_->recovery().torn_bytes, 0U);
    }
    /// Recovery refuses with `code`, says where, and leaves every file as it was.
    void expect_refused(Code code, const std::string& says) {
        Files before;
        files_.copy_to(before);
        const auto opened = open();
        ASSERT_FALSE(opened);
        EXPECT_EQ(opened.error().code(), code) << opened.error().message();
        EXPECT_NE(opened.error().detail().find(says), std::string::npos) << opened.error().message();
        const auto names = before.list(kTestDir);
        ASSERT_EQ(*names, *files_.list(kTestDir));
        for (const std::string& name : *names) {
            EXPECT_TRUE(before.contents(kTestDir + "/" + name) == files_.contents(kTestDir + "/" + name)) << name;
        }
    }
    void expect_stopped(const std::string& says) { expect_refused(Code::kCorrupt, says); }
};

// --- torn tail: zeros or bytes of an earlier life ---

TEST_F(RecoveryTest, TornTailUnprovenIsTruncated) {
    one_unconfirmed();
    zero(1, last_record(1));
    expect_truncated(2);
}
TEST_F(RecoveryTest, TornTailProvenStops) {
    one_segment();
    zero(1, last_record(1));
    expect_stopped("segment 1, byte");
}
TEST_F(RecoveryTest, TornTailEarlierStops) {
    two_segments();
    zero(1, last_record(1));
    expect_stopped("segment 1, byte");
}

// --- bad header ---

TEST_F(RecoveryTest, BadHeaderUnprovenIsTruncated) {
    one_unconfirmed();
    break_header(1, last_record(1));
    expect_truncated(2);
}
TEST_F(RecoveryTest, BadHeaderOfTheLastRecordIsReportedWithItsRangeAndKept) {
    one_unconfirmed();
    const Found record = last_record(1);
    const auto before = files_.contents(path(1));
    break_header(1, record);
    must_open();
    const Recovery& recovery = log_->recovery();
    EXPECT_EQ(recovery.torn_bytes, record_bytes(record.header));
    EXPECT_NE(recovery.torn.find("byte " + std::to_string(record.at)), std::string::npos) << recovery.torn;
    ASSERT_EQ(recovery.repairs.size(), 1U);
    const auto kept = files_.contents(kTestDir + "/" + recovery.repairs[0].kept_as);
    ASSERT_EQ(kept.size(), record_bytes(record.header));
    EXPECT_EQ(kept.back(), before[record.at + kept.size() - 1]);
}
TEST_F(RecoveryTest, BadHeaderWithALengthThatCannotBeIsReportedToo) {
    one_unconfirmed();
    const Found record = last_record(1);
    flip(1, record.at + 15);  // the highest byte of the body's length
    must_open();
    EXPECT_EQ(log_->recovery().torn_bytes, kRecordHeaderBytes);
}
TEST_F(RecoveryTest, BadHeaderProvenStops) {
    one_segment();
    break_header(1, last_record(1));
    expect_stopped("no valid record header");
}
TEST_F(RecoveryTest, BadHeaderEarlierStops) {
    two_segments();
    break_header(1, records(1)[2]);
    expect_stopped("no valid record header (earlier segment)");
}

// --- bad body ---

TEST_F(RecoveryTest, BadBodyUnprovenIsTruncated) {
    one_unconfirmed();
    break_body(1, last_record(1));
    expect_truncated(2);
}
TEST_F(RecoveryTest, BadBodyProvenStops) {
    one_segment();
    break_body(1, last_record(1));
    expect_stopped("does not match its checksum (confirmed part of the last segment)");
}
TEST_F(RecoveryTest, BadBodyEarlierStops) {
    two_segments();
    break_body(1, last_record(1));
    expect_stopped("does not match its checksum (earlier segment)");
}

// --- lsn gap: never a torn write ---

TEST_F(RecoveryTest, LsnGapUnprovenStops) {
    one_unconfirmed();
    shift_lsn(1, last_record(1));
    expect_stopped("another lsn (unconfirmed tail)");
}
TEST_F(RecoveryTest, LsnGapProvenStops) {
    one_segment();
    shift_lsn(1, last_record(1));
    expect_stopped("another lsn (confirmed part");
}
TEST_F(RecoveryTest, LsnGapEarlierStops) {
    two_segments();
    shift_lsn(1, records(1)[1]);
    expect_stopped("another lsn (earlier segment)");
}

// --- missing segment ---

TEST_F(RecoveryTest, MissingSegmentUnprovenIsTruncated) {
    unconfirmed_roll();
    const std::size_t left = records(1).size();
    files_.lose(path(2));
    expect_truncated(left);
}
TEST_F(RecoveryTest, MissingSegmentProvenStops) {
    two_segments();
    files_.lose(path(2));
    expect_stopped("segment 2");
}
TEST_F(RecoveryTest, MissingSegmentEarlierStops) {
    must_open();
    fill_to(SegmentId(3));
    crash();
    files_.lose(path(2));
    expect_stopped("segment 2: a segment is missing (earlier segment)");
}
TEST_F(RecoveryTest, MissingFirstSegmentStops) {
    two_segments();
    files_.lose(path(1));
    expect_stopped("segment 1: a segment is missing (earlier segment)");
}
TEST_F(RecoveryTest, AllSegmentsMissingStops) {
    two_segments();
    files_.lose(path(1));
    files_.lose(path(2));
    expect_stopped("a segment is missing");
}

// --- bad segment header: durable before the name, so never a torn write ---

TEST_F(RecoveryTest, BadSegmentHeaderUnprovenStops) {
    unconfirmed_roll();
    flip(2, 20);
    expect_stopped("segment 2 (4096 bytes): a broken or foreign segment header (unconfirmed tail)");
}
TEST_F(RecoveryTest, BadSegmentHeaderProvenStops) {
    two_segments();
    flip(2, 20);
    expect_stopped("broken or foreign segment header (confirmed part");
}
TEST_F(RecoveryTest, BadSegmentHeaderEarlierStops) {
    two_segments();
    flip(1, 20);
    expect_stopped("segment 1 (4096 bytes): a broken or foreign segment header (earlier segment)");
}
TEST_F(RecoveryTest, ASegmentOfAnotherLogStops) {
    two_segments();
    Files elsewhere;
    LogOptions other = options();
    other.salt_seed = 2;
    auto log = Log::open(elsewhere, other, [](const RecordView&) { return Result<void>(); });
    ASSERT_TRUE(log);
    (*log)->roll({snapshot()});
    (*log)->flush();
    (*log)->committer().do_work();
    put_bytes(1, 0, elsewhere.contents(path(1)));
    expect_stopped("broken or foreign segment header");
}

// --- newer version ---

TEST_F(RecoveryTest, NewerVersionUnprovenIsRefused) {
    one_unconfirmed();
    raise_version(1, last_record(1));
    expect_refused(Code::kFormat, "newer format version (unconfirmed tail)");
}
TEST_F(RecoveryTest, NewerVersionProvenIsRefused) {
    one_segment();
    raise_version(1, last_record(1));
    expect_refused(Code::kFormat, "newer format version (confirmed part");
}
TEST_F(RecoveryTest, NewerVersionEarlierIsRefused) {
    two_segments();
    raise_version(1, last_record(1));
    expect_refused(Code::kFormat, "newer format version (earlier segment)");
}
TEST_F(RecoveryTest, ANewerSegmentIsRefused) {
    two_segments();
    raise_segment_version(2);
    expect_refused(Code::kFormat, "segment 2");
}
TEST_F(RecoveryTest, ANewerMarkIsRefused) {
    one_segment();
    auto bytes = files_.contents(kTestDir + "/mark");
    auto mark = decode_mark(Bytes(bytes).first(kMarkSlotBytes));
    ASSERT_TRUE(mark);
    mark->version = kMarkVersion + 1;
    std::vector<std::byte> slot(kMarkSlotBytes);
    encode_mark(*mark, slot.data());
    files_.overwrite(kTestDir + "/mark", 0, slot);
    expect_refused(Code::kFormat, "mark: version 2");
}

// --- incomplete snapshot ---

TEST_F(RecoveryTest, IncompleteSnapshotUnprovenIsTruncated) {
    unconfirmed_roll();
    const std::size_t left = records(1).size();
    zero(2, last_record(2));
    expect_truncated(left);
    EXPECT_EQ(log_->segment_count(), 1U);
}
TEST_F(RecoveryTest, IncompleteSnapshotProvenStops) {
    two_segments();
    lose_snapshot_end(2);
    expect_stopped("snapshot has no end (confirmed part");
}
TEST_F(RecoveryTest, IncompleteSnapshotEarlierStops) {
    two_segments();
    lose_snapshot_end(1);
    expect_stopped("snapshot has no end (earlier segment)");
}
TEST_F(RecoveryTest, ALogThatNeverGotItsFirstSnapshotIsEmpty) {
    must_open();
    log_->roll({snapshot("part one"), snapshot("part two")});
    log_->flush();
    files_.die_at_nth(Files::Op::kSync, 2);
    log_->committer().do_work();
    log_.reset();
    zero(1, last_record(1));
    must_open();
    EXPECT_TRUE(replayed_.empty());
    EXPECT_GT(log_->recovery().torn_bytes, 0U);
    commit(batch("first after all"));
    crash();
    must_open();
    EXPECT_EQ(replayed_.back().body, "first after all");
}

// --- what proves that something was durable ---

TEST_F(RecoveryTest, ALaterRecordVouchesWithoutTheMark) {
    one_segment();
    lose_mark();
    break_body(1, records(1)[2]);  // the record behind it was written when this one was durable
    expect_stopped("confirmed part of the last segment");
}
TEST_F(RecoveryTest, OnlyTheLastGroupIsUndecidableWithoutTheMark) {
    one_segment();
    lose_mark();
    break_body(1, last_record(1));
    expect_truncated(3);
}
TEST_F(RecoveryTest, ATornMarkSlotLeavesTheOther) {
    one_segment();
    const auto bytes = files_.contents(kTestDir + "/mark");
    const auto first = decode_mark(Bytes(bytes).first(kMarkSlotBytes));
    const auto second = decode_mark(Bytes(bytes).subspan(kMarkSlotBytes, kMarkSlotBytes));
    ASSERT_TRUE(first && second);
    const bool newer_is_second = second->sequence > first->sequence;
    const std::vector<std::byte> junk(kMarkSlotBytes, std::byte{0x5a});
    files_.overwrite(kTestDir + "/mark", newer_is_second ? kMarkSlotBytes : 0, junk);
    must_open();
    EXPECT_EQ(replayed_.size(), 4U);
}
TEST_F(RecoveryTest, WithoutAnyMarkAWholeLogIsWhole) {
    two_segments();
    lose_mark();
    must_open();
    EXPECT_EQ(replayed_.back().body, "in the second");
    commit(batch("goes on"));
    crash();
    must_open();
    EXPECT_EQ(replayed_.back().body, "goes on");
}
TEST_F(RecoveryTest, ACleanLogMissesNothingUpToItsEnd) {
    must_open();
    commit(batch("body"));
    commit({Kind::kEnd, QueueId(0), "", Slice()});
    log_.reset();
    files_.power_cut(3);  // the end mark is durable, not only written
    zero(1, last_record(1));
    expect_stopped("lsn 3");
}

// --- cutting ---

TEST_F(RecoveryTest, ACutTailNeverComesBack) {
    must_open();
    commit(batch("confirmed"));
    // Three records of the same size, of which a torn write lost the first.
    for (const char* body : {"lost....", "stale 1.", "stale 2."}) append(batch(body));
    log_->flush();
    files_.die_at_nth(Files::Op::kSync, 1);
    log_->committer().do_work();
    log_.reset();
    const Found lost = records(1)[2];
    zero(1, lost);
    must_open();
    EXPECT_EQ(replayed_.size(), 2U);
    EXPECT_GT(log_->recovery().torn_bytes, 0U);
    EXPECT_EQ(commit(batch("new.....")).lsn, lost.header.lsn);
    crash();
    must_open();
    ASSERT_EQ(replayed_.size(), 3U) << "a record behind the cut was read again";
    EXPECT_EQ(replayed_.back().body, "new.....");
}
TEST_F(RecoveryTest, TheCutIsDurableBeforeAnythingFollows) {
    one_unconfirmed();
    break_body(1, last_record(1));
    must_open();
    EXPECT_EQ(replayed_.size(), 2U);
    log_.reset();
    files_.power_cut(1);
    must_open();
    EXPECT_EQ(log_->recovery().torn_bytes, 0U);
}
TEST_F(RecoveryTest, RecordsOfAKilledProcessAreSyncedBeforeTheyCount) {
    one_unconfirmed();
    must_open();
    EXPECT_EQ(log_->committed_lsn(), Lsn(3)) << "written is enough after a kill";
    log_.reset();
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
        files_.power_cut(seed);
        must_open();
        EXPECT_EQ(log_->committed_lsn(), Lsn(3));
        log_.reset();
    }
}
TEST_F(RecoveryTest, WhatAFailedSyncLeftInMemoryIsNotTrusted) {
    must_open();
    commit(batch("confirmed"));
    append(batch("in the cache only"));
    log_->flush();
    files_.fail_nth(Files::Op::kSync, 1, Code::kIo);
    log_->committer().do_work();
    ASSERT_TRUE(log_->failed());
    crash();
    must_open();
    const Lsn claimed = log_->committed_lsn();
    log_.reset();
    files_.power_cut(0);
    must_open();
    EXPECT_GE(log_->committed_lsn(), claimed);
}

TEST(RecoveryTableTest, ConfirmedDataIsNeverTruncated) {
    for (std::size_t damage = 0; damage < kDamages; ++damage) {
        for (const Place place : {Place::kLastProven, Place::kEarlier}) {
            EXPECT_NE(decide(static_cast<Damage>(damage), place), Action::kTruncate) << damage;
        }
    }
}

}  // namespace
}  // namespace telpher::log
