// Rolling, dropping and recycling segments: what goes, in which order, and what a crash in the middle leaves.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>

#include "broker/log/record.h"
#include "tests/unit/broker/log/log_fixture.h"

namespace telpher::log {
namespace {

using Files = test::FaultyFileSystem;

class ReclaimTest : public LogFixture {
protected:
    std::size_t files_ending(const std::string& suffix) {
        const auto names = *files_.list(kTestDir);
        return static_cast<std::size_t>(
            std::count_if(names.begin(), names.end(), [&](const std::string& name) { return name.ends_with(suffix); }));
    }
    void drop_all() {
        log_->reclaim();
        commit();
    }
    std::uint64_t salt_of(std::uint64_t segment) { return decode_segment_header(files_.contents(path(segment)))->salt; }
};

TEST_F(ReclaimTest, TheSegmentAppendedToStays) {
    must_open();
    commit(batch("settled at once"));
    EXPECT_EQ(log_->reclaim(), 0U);
    fill_to(SegmentId(2));
    EXPECT_EQ(log_->reclaim(), 1U);
    EXPECT_EQ(log_->reclaim(), 0U);
}

TEST_F(ReclaimTest, SegmentsGoOldestFirst) {
    must_open();
    fill_to(SegmentId(1));
    log_->add_live(SegmentId(1), {2, 20});
    fill_to(SegmentId(4));
    EXPECT_EQ(log_->reclaim(), 0U)
        << "segments 2 and 3 hold nothing live, but the settles of segment 1's messages may be there";
    log_->drop_live(SegmentId(1), {1, 10});
    EXPECT_EQ(log_->reclaim(), 0U);
    log_->drop_live(SegmentId(1), {1, 10});
    EXPECT_EQ(log_->reclaim(), 3U);
    commit();
    EXPECT_EQ(files_ending(".seg"), 1U);
}

TEST_F(ReclaimTest, ASegmentWaitsForTheSnapshotBehindIt) {
    must_open();
    fill_to(SegmentId(1));
    while (!log_->needs_roll(4, 1000)) commit(batch(std::string(1000, 'f')));
    append(batch(std::string(1000, 'f')));
    EXPECT_EQ(log_->reclaim(), 0U) << "segment 2 is not committed";
    commit();
    EXPECT_EQ(log_->reclaim(), 1U);
}

TEST_F(ReclaimTest, ASegmentStaysUntilWhatEmptiedItIsDurable) {
    must_open();
    fill_to(SegmentId(2));
    append({Kind::kSettle, QueueId(7), "settles segment 1", Slice()});
    EXPECT_EQ(log_->reclaim(), 1U);
    EXPECT_TRUE(log_->flush());
    EXPECT_EQ(files_ending(".seg"), 2U);
    EXPECT_EQ(log_->committer().do_work(), 1U);
    EXPECT_EQ(files_ending(".seg"), 2U) << "the settle is committed, the drop is the next thing to do";
    log_->committer().do_work();
    EXPECT_EQ(files_ending(".seg"), 1U);
}

TEST_F(ReclaimTest, DroppedSegmentsBecomeTheNextOnes) {
    must_open();
    fill_to(SegmentId(3));
    drop_all();
    EXPECT_EQ(files_ending(".spare"), 2U);
    EXPECT_TRUE(log_->has_spare());
    EXPECT_EQ(log_->segment_count(), 3U);
    const auto created = files_.count(Files::Op::kCreate);
    const auto allocated = files_.count(Files::Op::kAllocate);
    for (std::uint64_t next = 4; next < 30; ++next) {
        fill_to(SegmentId(next));
        drop_all();
    }
    EXPECT_EQ(files_.count(Files::Op::kCreate), created) << "in steady state no file is made";
    EXPECT_EQ(files_.count(Files::Op::kAllocate), allocated);
    EXPECT_EQ(log_->segment_count(), 3U);
    crash();
    must_open();
    EXPECT_EQ(replayed_.front().kind, Kind::kSnapshot);
    EXPECT_EQ(replayed_.front().position.segment, SegmentId(29));
}

TEST_F(ReclaimTest, SparesAreBounded) {
    must_open();
    fill_to(SegmentId(6));
    drop_all();
    EXPECT_EQ(files_ending(".spare"), options().spare_segments_max);
    EXPECT_EQ(files_ending(".seg"), 1U);
    EXPECT_EQ(log_->segment_count(), 3U);
}

TEST_F(ReclaimTest, WhatIsTooManyGoesInSteps) {
    LogOptions large = options();
    large.segment_bytes = 16 * limits::kMiB;
    large.spare_segments_max = 0;
    const auto size_left = [&] { return files_.contents(join_path(kTestDir, file_name(SegmentId(1), ".tmp"))).size(); };
    for (const bool dies : {false, true}) {
        start_over();
        ASSERT_TRUE(open(large));
        while (commit(batch(std::string(limits::kMiB, 'f'))).position.segment < SegmentId(2)) {
        }
        drop_all();
        EXPECT_EQ(files_ending(".seg"), 1U) << "it is no segment at once";
        std::size_t left = large.segment_bytes;
        while (size_left() > 4 * limits::kMiB) {
            log_->committer().do_work();
            EXPECT_LT(size_left(), left);
            EXPECT_GE(size_left() + 4 * limits::kMiB, left) << "not much at once";
            left = size_left();
        }
        if (dies) {
            crash();
            ASSERT_TRUE(open(large));
        } else {
            for (int i = 0; i < 3; ++i) log_->committer().do_work();
        }
        EXPECT_EQ(files_ending(".tmp"), 0U);
    }
}

TEST_F(ReclaimTest, EachLifeOfAFileHasItsOwnSalt) {
    must_open();
    std::set<std::uint64_t> salts;
    for (std::uint64_t next = 1; next < 20; ++next) {
        fill_to(SegmentId(next));
        EXPECT_TRUE(salts.insert(salt_of(next)).second);
        drop_all();
        if (next % 3 == 0) {
            crash();
            must_open();  // with the same seed
        }
    }
}

TEST_F(ReclaimTest, OldRecordsOfARecycledFileAreNotRead) {
    must_open();
    fill_to(SegmentId(2));
    drop_all();
    // The same sizes as in segment 1, so that its old records lie exactly behind the new ones.
    while (!log_->needs_roll(4, 1000)) commit(batch(std::string(1000, 'f')));
    const Appended last = commit(batch(std::string(1000, 'n')));
    ASSERT_EQ(last.position.segment, SegmentId(3));
    const auto bytes = files_.contents(path(3));
    const auto stale = decode_record_header(Bytes(bytes).subspan(body_at(last) + 1000 + 4));
    ASSERT_TRUE(stale) << "the test wants a whole stale header there";
    crash();
    must_open();
    EXPECT_EQ(log_->recovery().last, last.lsn);
    EXPECT_EQ(log_->recovery().torn_bytes, 0U);
}

TEST_F(ReclaimTest, ADropCutShortIsFinishedByTheNextStart) {
    for (const auto op : {Files::Op::kRename, Files::Op::kRemove, Files::Op::kSyncDir}) {
        for (std::uint64_t seed = 0; seed < 20; ++seed) {
            start_over();
            must_open();
            fill_to(SegmentId(6));
            log_->reclaim();
            log_->flush();
            files_.die_at_nth(op, 1 + seed % 2);
            log_->committer().do_work();
            log_.reset();
            files_.clear_faults();
            files_.power_cut(seed);
            must_open();
            EXPECT_EQ(replayed_.front().kind, Kind::kSnapshot);
            EXPECT_EQ(replayed_.front().position.segment, SegmentId(6)) << seed;
            EXPECT_EQ(files_ending(".seg"), 1U);
        }
    }
}

TEST_F(ReclaimTest, ARecyclingCutShortLosesNothing) {
    for (const auto op :
         {Files::Op::kRename, Files::Op::kOpen, Files::Op::kWrite, Files::Op::kSync, Files::Op::kSyncDir}) {
        for (std::uint64_t seed = 0; seed < 20; ++seed) {
            start_over();
            must_open();
            fill_to(SegmentId(2));
            drop_all();
            while (!log_->needs_roll(4, 1000)) commit(batch(std::string(1000, 'f')));
            const Lsn committed = log_->committed_lsn();
            append(batch(std::string(1000, 'n')));
            log_->flush();
            files_.die_at_nth(op, 1 + seed % 2);
            log_->committer().do_work();
            log_.reset();
            files_.clear_faults();
            files_.power_cut(seed);
            must_open();
            EXPECT_GE(log_->committed_lsn(), committed);
            EXPECT_EQ(files_ending(".tmp"), 0U);
            commit(batch("goes on"));
            EXPECT_FALSE(log_->failed());
        }
    }
}

TEST_F(ReclaimTest, SparesOfAnotherSizeAreRemoved) {
    must_open();
    fill_to(SegmentId(3));
    drop_all();
    crash();
    LogOptions larger = options();
    larger.segment_bytes = 2 * kTestSegmentBytes;
    ASSERT_TRUE(open(larger));
    EXPECT_EQ(files_ending(".spare"), 0U);
    fill_to(SegmentId(4));
    EXPECT_EQ(files_.contents(path(3)).size(), kTestSegmentBytes);
    EXPECT_EQ(files_.contents(path(4)).size(), 2 * kTestSegmentBytes);
}

TEST_F(ReclaimTest, ASpareIsPreparedWhenIdle) {
    must_open();
    commit(batch("little"));
    for (int i = 0; i < 10; ++i) log_->committer().do_work();
    EXPECT_FALSE(log_->has_spare()) << "an idle log takes no second segment";
    while (log_->last_lsn() < Lsn(10)) commit(batch(std::string(1000, 'f')));
    for (int i = 0; i < 10; ++i) log_->committer().do_work();
    EXPECT_TRUE(log_->has_spare());
    EXPECT_EQ(log_->segment_count(), 2U);
    const auto created = files_.count(Files::Op::kCreate);
    fill_to(SegmentId(2));
    EXPECT_EQ(files_.count(Files::Op::kCreate), created);
}

TEST_F(ReclaimTest, SparesAreRoomAndSegmentsNotMadeYetTakeIt) {
    must_open();
    fill_to(SegmentId(4));
    const std::uint64_t spares_before = log_->room(0) / kTestSegmentBytes;
    ASSERT_EQ(log_->reclaim(), 3U);
    commit();
    EXPECT_EQ(log_->room(0), 2 * kTestSegmentBytes) << "had " << spares_before;
    EXPECT_EQ(log_->room(5), 2 * kTestSegmentBytes + 5);
    while (!log_->needs_roll(4, 1000)) commit(batch(std::string(1000, 'f')));
    log_->roll({snapshot()});
    EXPECT_EQ(log_->room(5), kTestSegmentBytes + 5) << "begun, not made";
    commit();
    EXPECT_EQ(log_->room(5), kTestSegmentBytes + 5) << "made of a spare";
    files_.set_free_bytes(0);
    for (int i = 0; i < 2; ++i) {  // the next takes the last spare, the one after finds none
        while (!log_->needs_roll(4, 1000)) commit(batch(std::string(1000, 'f')));
        log_->roll({snapshot()});
        commit();
    }
    EXPECT_TRUE(log_->waits_for_room());
    EXPECT_EQ(log_->room(0), 0U);
}

TEST_F(ReclaimTest, SparesOfTheUsualSizeGiveWayToASegmentThatIsLarger) {
    must_open();
    fill_to(SegmentId(3));
    ASSERT_EQ(log_->reclaim(), 2U);
    commit();
    ASSERT_TRUE(log_->has_spare());
    files_.set_free_bytes(0);
    log_->roll({snapshot(std::string(kTestSegmentBytes, 's'))});
    EXPECT_TRUE(log_->flush());
    EXPECT_EQ(log_->committer().do_work(), 0U);
    EXPECT_EQ(files_ending(".spare"), 0U);
    files_.set_free_bytes(1ULL << 30);
    commit();
    EXPECT_FALSE(log_->waits_for_room());
    EXPECT_EQ(log_->committed_lsn(), log_->last_lsn());
}

// A fresh spare is named after the segment that it was made for, which may begin in another one.
TEST_F(ReclaimTest, ASegmentIsDroppedWhileASpareOfItsNumberIsThere) {
    must_open();
    fill_to(SegmentId(3));
    while (log_->last_lsn() < Lsn(48) && !log_->needs_roll(4, 8000)) commit(batch(std::string(1000, 'f')));
    for (int i = 0; i < 100; ++i) log_->committer().do_work();
    ASSERT_EQ(files_ending("4.spare"), 1U);
    for (std::uint64_t next = 4; next < 10; ++next) {
        drop_all();
        fill_to(SegmentId(next));
        ASSERT_FALSE(log_->failed()) << "segment " << next << ": " << log_->failed()->message();
        EXPECT_EQ(log_->segment_count(), files_ending(".seg") + files_ending(".spare"));
    }
}

TEST_F(ReclaimTest, NoRoomForASpareIsNoFailure) {
    must_open();
    while (append(batch(std::string(1000, 'f'))).lsn < Lsn(10)) {
    }
    files_.fail_nth(Files::Op::kAllocate, 2, Code::kDiskFull);
    commit();
    log_->committer().do_work();
    EXPECT_FALSE(log_->failed());
    EXPECT_FALSE(log_->has_spare());
    EXPECT_EQ(files_ending(".spare"), 0U) << "the file that did not fit is gone again";
}

}  // namespace
}  // namespace telpher::log
