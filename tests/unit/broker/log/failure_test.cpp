// The first error of a file is final: nothing is written after it, nothing is confirmed, and the log says why.
#include <gtest/gtest.h>

#include "tests/unit/broker/log/log_fixture.h"

namespace telpher::log {
namespace {

using Files = test::FaultyFileSystem;

class FailureTest : public LogFixture {};

TEST_F(FailureTest, AFailedSyncIsNeverTriedAgain) {
    must_open();
    commit(batch("before"));
    append(batch("doomed"));
    EXPECT_TRUE(log_->flush());
    files_.fail_nth(Files::Op::kSync, 1, Code::kIo);
    int wakes = 0;
    log_->on_commit([&wakes] { ++wakes; });
    EXPECT_EQ(log_->committer().do_work(), 0U);
    ASSERT_TRUE(log_->failed());
    EXPECT_EQ(log_->failed()->code(), Code::kIo);
    EXPECT_GE(wakes, 1) << "the shard must hear of it";
    EXPECT_EQ(log_->committed_lsn(), Lsn(2));
    const auto writes = files_.count(Files::Op::kWrite);
    const auto syncs = files_.count(Files::Op::kSync);
    append(batch("more"));
    log_->flush();
    for (int i = 0; i < 10; ++i) EXPECT_EQ(log_->committer().do_work(), 0U);
    EXPECT_EQ(files_.count(Files::Op::kWrite), writes);
    EXPECT_EQ(files_.count(Files::Op::kSync), syncs);
    EXPECT_EQ(log_->committed_lsn(), Lsn(2));
    EXPECT_GT(log_->uncommitted_bytes(), 0U);
}

TEST_F(FailureTest, AFailedWriteConfirmsNothing) {
    must_open();
    commit(batch("before"));
    append(batch("doomed"));
    EXPECT_TRUE(log_->flush());
    files_.fail_nth(Files::Op::kWrite, 1, Code::kIo);
    EXPECT_EQ(log_->committer().do_work(), 0U);
    EXPECT_TRUE(log_->failed());
    EXPECT_EQ(log_->written_lsn(), Lsn(2));
    EXPECT_EQ(log_->committed_lsn(), Lsn(2));
}

TEST_F(FailureTest, ARollWaitsForRoomAndNothingIsLost) {
    LogOptions without_spares = options();
    without_spares.spare_segments_max = 0;
    ASSERT_TRUE(open(without_spares));
    commit(batch("before"));
    while (!log_->needs_roll(4, 1000)) commit(batch(std::string(1000, 'f')));
    const Lsn committed = log_->committed_lsn();
    files_.fail_nth(Files::Op::kAllocate, 1, Code::kDiskFull);
    append(batch(std::string(1000, 'n')));
    EXPECT_TRUE(log_->flush());
    EXPECT_EQ(log_->committer().do_work(), 0U);
    EXPECT_TRUE(log_->waits_for_room());
    EXPECT_FALSE(log_->failed());
    EXPECT_EQ(log_->committed_lsn(), committed);
    files_.set_free_bytes(kTestSegmentBytes - 1);
    const auto created = files_.count(Files::Op::kCreate);
    EXPECT_EQ(log_->committer().do_work(), 0U);
    EXPECT_EQ(files_.count(Files::Op::kCreate), created) << "not tried while it cannot succeed";
    files_.set_free_bytes(kTestSegmentBytes);
    commit();
    EXPECT_FALSE(log_->waits_for_room());
    EXPECT_EQ(log_->committed_lsn(), log_->last_lsn());
    crash();
    must_open();
    EXPECT_EQ(replayed_.back().body, std::string(1000, 'n'));
}

TEST_F(FailureTest, ACrashWhileWaitingForRoomLeavesNothingHalfMade) {
    must_open();
    commit(batch("before"));
    while (!log_->needs_roll(4, 1000)) append(batch(std::string(1000, 'f')));
    log_->flush();
    while (log_->committed_lsn() < log_->last_lsn()) log_->committer().do_work();
    const Lsn committed = log_->committed_lsn();
    files_.set_free_bytes(0);
    append(batch(std::string(1000, 'n')));
    EXPECT_TRUE(log_->flush());
    EXPECT_EQ(log_->committer().do_work(), 0U);
    ASSERT_TRUE(log_->waits_for_room());
    crash();
    must_open();
    EXPECT_EQ(log_->committed_lsn(), committed);
}

TEST_F(FailureTest, EveryStepOfAStartCanFailAndBeTriedAgain) {
    for (const auto op : {Files::Op::kOpen, Files::Op::kRead, Files::Op::kSync, Files::Op::kSyncDir}) {
        files_.clear_faults();
        must_open();
        commit(batch("kept"));
        crash();
        files_.fail_nth(op, 1, Code::kIo);
        const auto opened = open();
        ASSERT_FALSE(opened);
        EXPECT_EQ(opened.error().code(), Code::kIo);
        must_open();
        EXPECT_EQ(replayed_.back().body, "kept");
    }
}

}  // namespace
}  // namespace telpher::log
