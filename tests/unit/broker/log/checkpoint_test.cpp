// Checkpoints: a start reads what follows the newest sound one, and is none the worse without any.
#include "broker/log/checkpoint_file.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "log_fixture.h"

namespace telpher::log {
namespace {

using Files = test::FaultyFileSystem;

class CheckpointTest : public LogFixture {
protected:
    /// Writes one of what is committed now.
    Lsn checkpoint(const std::vector<std::string>& parts = {"one", "two"}) {
        const LogPoint point = *log_->point();
        const auto written = log_->write_checkpoint(point, parts);
        EXPECT_TRUE(written) << written.error().message();
        return point.lsn;
    }
    [[nodiscard]] std::string checkpoint_path(Lsn lsn) const { return join_path(kTestDir, checkpoint_name(lsn)); }
    [[nodiscard]] std::size_t checkpoint_files() const {
        const auto names = files_.list(kTestDir);
        return static_cast<std::size_t>(std::count_if(
            names->begin(), names->end(), [](const std::string& name) { return name.ends_with(kCheckpointSuffix); }));
    }
    void damage(Lsn lsn) { files_.overwrite(checkpoint_path(lsn), kCheckpointHeaderBytes + 80, as_bytes("X")); }
    /// The bodies replayed, parts of a checkpoint in brackets.
    [[nodiscard]] std::string replayed() const {
        std::string all;
        for (const auto& record : replayed_) {
            if (record.kind == Kind::kCheckpoint) all += "[" + record.meta + "]";
            if (record.kind == Kind::kBatch) all += record.body.substr(0, 8) + " ";
        }
        return all;
    }
    Code refused() {
        crash();
        const auto opened = open();
        return opened ? Code::kOk : opened.error().code();
    }
};

TEST_F(CheckpointTest, AStartReadsWhatFollowsTheNewest) {
    must_open();
    commit(batch("before"));
    checkpoint({"old"});
    commit(batch("between"));
    const Lsn newest = checkpoint();
    commit(batch("after"));
    crash();
    must_open();
    EXPECT_EQ(replayed(), "[one][two]after ");
    EXPECT_EQ(log_->recovery().checkpoint, newest);
    commit(batch("more"));
    crash();
    must_open();
    EXPECT_EQ(replayed(), "[one][two]after more ");
}

TEST_F(CheckpointTest, NothingNeedFollow) {
    must_open();
    commit(batch("before"));
    const Lsn last = checkpoint();
    crash();
    must_open();
    EXPECT_EQ(replayed(), "[one][two]");
    EXPECT_EQ(log_->last_lsn(), last);
    commit(batch("after"));
    crash();
    must_open();
    EXPECT_EQ(replayed(), "[one][two]after ");
}

TEST_F(CheckpointTest, TheNextRecordMayBeInALaterSegment) {
    must_open();
    fill_to(SegmentId(3));
    checkpoint();
    fill_to(SegmentId(5));
    commit(batch("last"));
    const Lsn last = log_->last_lsn();
    crash();
    must_open();
    EXPECT_EQ(log_->last_lsn(), last);
    EXPECT_TRUE(replayed().ends_with("last "));
    // Dropping goes on as if all had been read.
    EXPECT_EQ(log_->reclaim(), 4U);
}

TEST_F(CheckpointTest, WhatIsSkippedCanBeRead) {
    must_open();
    const Appended first = commit(batch("first"));
    fill_to(SegmentId(2));
    checkpoint();
    crash();
    must_open();
    const auto read = log_->reader().read(first.position);
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(as_text(read->body.bytes()), "first");
}

TEST_F(CheckpointTest, ADamagedOneIsPassedOver) {
    must_open();
    commit(batch("before"));
    const Lsn old = checkpoint({"old"});
    commit(batch("between"));
    const Lsn newest = checkpoint();
    commit(batch("after"));
    crash();
    damage(newest);
    must_open();
    EXPECT_EQ(replayed(), "[old]between after ");
    ASSERT_EQ(log_->recovery().repairs.size(), 1U);
    EXPECT_EQ(log_->recovery().repairs[0].repair.name, checkpoint_name(newest));
    crash();
    damage(old);
    must_open();
    EXPECT_EQ(replayed(), "before between after ");
    EXPECT_EQ(log_->recovery().checkpoint, Lsn());
}

TEST_F(CheckpointTest, TwoAreKept) {
    must_open();
    for (int i = 0; i < 5; ++i) {
        commit(batch("body"));
        checkpoint();
    }
    EXPECT_EQ(checkpoint_files(), kCheckpointsKept);
}

TEST_F(CheckpointTest, AStrangersDoesNotPushThemOut) {
    must_open();
    commit(batch("body"));
    checkpoint({"old"});
    const auto stray = files_.create(checkpoint_path(Lsn(1'000'000)));
    const Bytes bytes = as_bytes("of another log");
    ASSERT_TRUE((*stray)->write_at(0, {&bytes, 1}));
    commit(batch("more"));
    const Lsn newest = checkpoint({"new"});
    EXPECT_EQ(checkpoint_files(), kCheckpointsKept);
    crash();
    damage(newest);
    must_open();
    EXPECT_EQ(replayed(), "[old]more ");
}

TEST_F(CheckpointTest, OneThatCannotBeWrittenHarmsNothing) {
    must_open();
    commit(batch("before"));
    checkpoint({"old"});
    commit(batch("between"));
    for (const auto op : {Files::Op::kCreate, Files::Op::kWrite, Files::Op::kSync, Files::Op::kRename}) {
        files_.fail_nth(op, 1, Code::kIo);
        EXPECT_FALSE(log_->write_checkpoint(*log_->point(), {"new"}));
        files_.clear_faults();
    }
    EXPECT_FALSE(log_->failed());
    commit(batch("after"));
    crash();
    must_open();
    EXPECT_EQ(replayed(), "[old]between after ");
}

TEST_F(CheckpointTest, OneWhoseSegmentIsGoneIsNotUsed) {
    must_open();
    commit(batch("before"));
    checkpoint();
    fill_to(SegmentId(3));
    ASSERT_GT(log_->reclaim(), 0U);
    log_->flush();
    commit();
    crash();
    must_open();
    EXPECT_EQ(log_->recovery().checkpoint, Lsn());
    EXPECT_EQ(replayed_.front().kind, Kind::kSnapshot);
}

TEST_F(CheckpointTest, WhatItHasNeedNotBeReadable) {
    must_open();
    const Appended last = commit(batch("last"));
    const Lsn lsn = checkpoint();
    crash();
    files_.lose(join_path(kTestDir, "mark"));
    files_.overwrite(path(1), body_at(last), as_bytes("X"));
    must_open();
    EXPECT_EQ(log_->last_lsn(), lsn) << "not a torn tail";
    crash();
    files_.lose(join_path(kTestDir, "mark"));
    damage(lsn);
    must_open();
    EXPECT_EQ(replayed(), "") << "a torn tail: nothing else says that it was durable";
}

TEST_F(CheckpointTest, ASegmentThatItNamesIsMissed) {
    must_open();
    fill_to(SegmentId(2));
    checkpoint();
    crash();
    files_.lose(join_path(kTestDir, "mark"));
    files_.lose(path(2));
    EXPECT_EQ(refused(), Code::kCorrupt);
}

TEST_F(CheckpointTest, ANewerOneIsRefused) {
    must_open();
    commit(batch("body"));
    const Lsn lsn = checkpoint();
    crash();
    CheckpointHeader header = *decode_checkpoint_header(files_.contents(checkpoint_path(lsn)));
    header.version = kCheckpointVersion + 1;
    std::vector<std::byte> block(kCheckpointHeaderBytes);
    encode_checkpoint_header(header, block.data());
    files_.overwrite(checkpoint_path(lsn), 0, block);
    EXPECT_EQ(refused(), Code::kFormat);
}

TEST_F(CheckpointTest, LooksOnDiskAsTheFormatSays) {
    CheckpointHeader header;
    header.shard = 3;
    header.log_id = {1, 2};
    header.point = {Lsn(0x10), {SegmentId(7), 4096}, Lsn(9)};
    header.parts = 2;
    header.bytes = 5000;
    std::vector<std::byte> block(kCheckpointHeaderBytes);
    encode_checkpoint_header(header, block.data());
    const auto number = [&](std::size_t at) { return load_le<std::uint64_t>(block.data() + at); };
    EXPECT_EQ(as_text(Bytes(block).first(4)), "TLC1");
    EXPECT_EQ(number(4), 1U | std::uint64_t{3} << 32U);
    EXPECT_EQ(
        (std::vector{number(16), number(24), number(32), number(40), number(48), number(56), number(64), number(72)}),
        (std::vector<std::uint64_t>{1, 2, 0x10, 7, 4096, 9, 2, 5000}));
    EXPECT_EQ(checkpoint_name(Lsn(0x10)), "0000000000000010.checkpoint");
}

}  // namespace
}  // namespace telpher::log
