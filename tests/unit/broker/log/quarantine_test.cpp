// The quarantine: what a start removes from the log is kept first, within bounds, and never at the price of a start.
#include "broker/log/quarantine.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "broker/log/checkpoint_file.h"
#include "log_fixture.h"

namespace telpher::log {
namespace {

using Files = test::FaultyFileSystem;

const std::string kQuarantineDir = join_path(kTestDir, kQuarantineName);

class QuarantineTest : public LogFixture {
protected:
    /// A committed batch, then one that was written, never synced, and damaged.
    void torn_tail() {
        must_open();
        commit(batch("confirmed"));
        torn_ = append(batch("torn off"));
        log_->flush();
        files_.die_at_nth(Files::Op::kSync, 1);
        log_->committer().do_work();
        log_.reset();
        files_.overwrite(path(1), body_at(torn_), as_bytes("T"));
    }
    /// A committed segment 1 and a segment 2 whose snapshot lost its end.
    void unfinished_segment() {
        must_open();
        commit(batch("confirmed"));
        log_->roll({snapshot("part one"), snapshot("part two")});
        const Appended behind = log_->append(batch("behind"));
        log_->flush();
        files_.die_at_nth(Files::Op::kSync, 2);
        log_->committer().do_work();
        log_.reset();
        const std::uint64_t record = record_bytes(std::string_view("part two").size(), 0);
        files_.overwrite(path(2), behind.position.at - record, as_bytes("broken"));
    }
    [[nodiscard]] std::vector<std::string> kept() const { return *files_.list(kQuarantineDir); }
    [[nodiscard]] std::string kept_text(const std::string& name) const {
        const auto bytes = files_.contents(join_path(kQuarantineDir, name));
        return std::string(as_text(bytes));
    }
    /// Files of earlier starts.
    void put_kept(std::uint64_t number, std::uint64_t bytes) {
        const auto file =
            files_.create(join_path(kQuarantineDir, "0000000" + std::to_string(number % 10) + "-damaged-x.checkpoint"));
        ASSERT_TRUE(file);
        ASSERT_TRUE((*file)->allocate(bytes));
    }

    Appended torn_;
};

TEST_F(QuarantineTest, ATailIsKeptBeforeItIsCut) {
    torn_tail();
    const std::uint64_t at = torn_.position.at;
    const std::uint64_t bytes = record_bytes(4, 8);
    const auto before = files_.contents(path(1));
    must_open();
    const std::string name = "00000001-tail-of-0000000000000001.seg-bytes-" + std::to_string(at) + "-to-" +
                             std::to_string(at + bytes) + "-lsn-3";
    ASSERT_EQ(kept(), std::vector{name});
    EXPECT_EQ(kept_text(name), as_text(Bytes(before).subspan(at, bytes)));
    ASSERT_EQ(log_->recovery().repairs.size(), 1U);
    EXPECT_EQ(log_->recovery().repairs[0].text(), "cut 0000000000000001.seg: " + std::to_string(bytes) +
                                                      " bytes from byte " + std::to_string(at) +
                                                      " on, lsn 3: never confirmed; kept as quarantine/" + name);
    crash();
    must_open();
    EXPECT_TRUE(log_->recovery().repairs.empty());
    EXPECT_EQ(kept().size(), 1U);
}

TEST_F(QuarantineTest, ASegmentWithoutItsSnapshotIsMoved) {
    unfinished_segment();
    const auto before = files_.contents(path(2));
    must_open();
    EXPECT_EQ(replayed_.size(), 2U);
    const std::string name = "00000001-unfinished-lsn-3-0000000000000002.seg";
    ASSERT_EQ(kept(), std::vector{name});
    EXPECT_EQ(files_.contents(join_path(kQuarantineDir, name)), before);
    const auto names = files_.list(kTestDir);
    EXPECT_EQ(std::count(names->begin(), names->end(), "0000000000000002.seg"), 0);
    fill_to(SegmentId(2));  // the number is free again
    crash();
    must_open();
    EXPECT_TRUE(log_->recovery().repairs.empty());
}

TEST_F(QuarantineTest, ADamagedCheckpointIsMoved) {
    must_open();
    commit(batch("before"));
    ASSERT_TRUE(log_->write_checkpoint(*log_->point(), {"part"}));
    const std::string name = checkpoint_name(log_->point()->lsn);
    crash();
    files_.overwrite(join_path(kTestDir, name), kCheckpointHeaderBytes + 80, as_bytes("X"));
    must_open();
    EXPECT_EQ(kept(), std::vector{"00000001-damaged-" + name});
    crash();
    must_open();
    EXPECT_TRUE(log_->recovery().repairs.empty()) << "it is not seen again";
}

TEST_F(QuarantineTest, APowerCutAtAnyStepLosesNeitherTheTailNorTheLog) {
    for (const auto op : {Files::Op::kCreate, Files::Op::kWrite, Files::Op::kSync, Files::Op::kRename,
                          Files::Op::kSyncDir, Files::Op::kRemove}) {
        for (std::uint64_t nth = 1; nth <= 4; ++nth) {
            for (std::uint64_t seed = 0; seed < 4; ++seed) {
                start_over();
                for (const std::string& name : kept()) files_.lose(join_path(kQuarantineDir, name));
                torn_tail();
                files_.die_at_nth(op, nth);
                static_cast<void>(open());
                log_.reset();
                files_.clear_faults();
                files_.power_cut(seed);
                must_open();
                ASSERT_EQ(replayed_.size(), 2U);
                for (const std::string& name : kept()) EXPECT_FALSE(name.ends_with(kTemporarySuffix)) << name;
                commit(batch("goes on"));
                EXPECT_FALSE(log_->failed());
            }
        }
    }
}

TEST_F(QuarantineTest, ACutTailIsKeptWhateverThePowerCutTook) {
    for (std::uint64_t seed = 0; seed < 16; ++seed) {
        start_over();
        for (const std::string& name : kept()) files_.lose(join_path(kQuarantineDir, name));
        torn_tail();
        const auto tail = files_.contents(path(1));
        must_open();  // syncs what it found, keeps the tail, cuts
        log_.reset();
        files_.power_cut(seed);
        ASSERT_EQ(kept().size(), 1U);
        EXPECT_EQ(kept_text(kept()[0]), as_text(Bytes(tail).subspan(torn_.position.at, record_bytes(4, 8))));
    }
}

TEST_F(QuarantineTest, AnErrorOrAFullDiskDoesNotPreventAStart) {
    for (const auto op : {Files::Op::kCreate, Files::Op::kWrite}) {
        for (const Code code : {Code::kIo, Code::kDiskFull}) {
            start_over();
            torn_tail();
            files_.fail_nth(op, 1, code);
            must_open();
            EXPECT_EQ(replayed_.size(), 2U);
            ASSERT_EQ(log_->recovery().repairs.size(), 1U);
            EXPECT_NE(log_->recovery().repairs[0].text().find("not kept in quarantine: injected"), std::string::npos);
            EXPECT_TRUE(kept().empty());
        }
    }
    files_.clear_faults();
    start_over();
    unfinished_segment();
    files_.set_free_bytes(kTestSegmentBytes - 1);
    must_open();
    EXPECT_TRUE(kept().empty());
    EXPECT_EQ(log_->recovery().repairs[0].not_kept, "no room on the disk");
    const auto names = files_.list(kTestDir);
    EXPECT_EQ(std::count(names->begin(), names->end(), "0000000000000002.seg"), 0);
}

TEST_F(QuarantineTest, ASegmentThatCannotBeMovedGoesAllTheSame) {
    unfinished_segment();
    files_.fail_nth(Files::Op::kRename, 1, Code::kIo);
    must_open();
    EXPECT_EQ(replayed_.size(), 2U);
    EXPECT_TRUE(kept().empty());
    fill_to(SegmentId(2));
    crash();
    must_open();
}

TEST_F(QuarantineTest, OnlyTheNewestFilesAreKept) {
    Quarantine quarantine(files_, kTestDir);
    const auto source = files_.create("source");
    const Bytes text = as_bytes("text");
    ASSERT_TRUE((*source)->write_at(0, {&text, 1}));
    const auto foreign = files_.create(join_path(kQuarantineDir, "notes"));
    for (std::size_t i = 0; i < kQuarantineFilesMax + 3; ++i) {
        ASSERT_TRUE(quarantine.keep_copy(**source, 0, 4, "tail"));
    }
    const auto names = kept();
    ASSERT_EQ(names.size(), kQuarantineFilesMax + 1);
    EXPECT_EQ(names.front(), "00000004-tail");
    EXPECT_EQ(names.back(), "notes") << "what people put there is theirs";
}

TEST_F(QuarantineTest, BytesAreBounded) {
    for (const std::uint64_t number : {1, 2, 3}) put_kept(number, 100 * limits::kMiB);
    Quarantine quarantine(files_, kTestDir);
    const auto source = files_.create("source");
    ASSERT_TRUE((*source)->allocate(10));
    ASSERT_TRUE(quarantine.keep_copy(**source, 0, 10, "tail"));
    EXPECT_EQ(kept(), (std::vector<std::string>{"00000002-damaged-x.checkpoint", "00000003-damaged-x.checkpoint",
                                                "00000004-tail"}));
    const auto larger = quarantine.keep_copy(**source, 0, kQuarantineBytesMax + 1, "tail");
    ASSERT_FALSE(larger);
    EXPECT_EQ(kept().size(), 3U) << "nothing goes for what cannot be kept";
}

}  // namespace
}  // namespace telpher::log
