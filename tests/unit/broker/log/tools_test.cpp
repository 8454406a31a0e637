// dump and fsck on logs as daemons leave them, sound and damaged.
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "broker/log/dump.h"
#include "broker/log/fsck.h"
#include "broker/log/mark.h"
#include "broker/log/records.pb.h"
#include "proto/batch.h"
#include "proto/limits.h"
#include "tests/unit/broker/log/log_fixture.h"

namespace telpher::log {
namespace {

using Files = test::FaultyFileSystem;
using nlohmann::json;

class ToolsTest : public LogFixture {
protected:
    std::vector<json> dumped(const DumpOptions& with = {}) {
        std::ostringstream out;
        const auto done = dump(files_, kTestDir, with, out);
        EXPECT_TRUE(done) << done.error().message();
        std::vector<json> lines;
        std::istringstream in(out.str());
        for (std::string line; std::getline(in, line);) lines.push_back(json::parse(line));
        return lines;
    }
    FsckResult checked(const FsckOptions& with = {}) {
        std::ostringstream out;
        const auto result = fsck(files_, kTestDir, out, with);
        EXPECT_TRUE(result) << result.error().message();
        printed_ = out.str();
        return result ? *result : FsckResult::kDamaged;
    }
    static Record created(std::uint64_t queue, const std::string& name) {
        v1::QueueMeta meta;
        meta.set_change(v1::QueueMeta::CHANGE_CREATED);
        meta.set_name(name);
        meta.mutable_options()->set_maxsize(50);
        meta.mutable_options()->set_on_full(2);
        return {Kind::kQueue, QueueId(queue), meta.SerializeAsString(), Slice()};
    }
    static Record settled(std::uint64_t queue) {
        v1::SettleMeta meta;
        meta.set_reason(v1::SettleMeta::REASON_ACKED);
        for (const std::uint64_t n : {5, 3, 2, 1}) meta.add_ranges(n);  // 5..7, 10
        return {Kind::kSettle, QueueId(queue), meta.SerializeAsString(), Slice()};
    }
    static Record real_batch(std::uint64_t queue, std::uint64_t first_offset, int count) {
        batch::Builder builder;
        batch::RecordIn message;
        message.payload = as_bytes("payload");
        for (int i = 0; i < count; ++i) builder.append(message, limits::kBatchBytesMax);
        v1::BatchMeta meta;
        meta.set_first_offset(first_offset);
        return {Kind::kBatch, QueueId(queue), meta.SerializeAsString(),
                builder.seal(ProducerId(1), Sequence(0), WallTime{0})};
    }
    static Record state_of(std::uint64_t queue, const std::string& name) {
        v1::SnapshotMeta meta;
        meta.set_boot(3);
        meta.set_last(true);
        auto& state = *meta.add_queues();
        state.set_queue(queue);
        state.set_name(name);
        state.set_floor(5);
        return {Kind::kSnapshot, QueueId(0), meta.SerializeAsString(), Slice()};
    }
    void two_queues() {
        must_open();
        log_->roll({state_of(1, "old")});
        log_->append(created(2, "jobs"));
        log_->append(real_batch(2, 100, 3));
        log_->append(real_batch(1, 7, 1));
        log_->append(settled(1));
        commit();
        crash();
    }

    /// A committed batch, then one that was written, never synced, and damaged.
    void torn_tail() {
        must_open();
        commit(batch("confirmed"));
        const Appended torn = append(batch("torn off"));
        log_->flush();
        files_.die_at_nth(Files::Op::kSync, 1);
        log_->committer().do_work();
        log_.reset();
        files_.overwrite(path(1), body_at(torn), as_bytes("T"));
    }
    /// Everything a start tidies: a torn tail, a damaged checkpoint, and a file that was being made.
    void untidy() {
        torn_tail();
        for (const char* name : {"00000000000000aa.checkpoint", "0000000000000009.tmp"}) {
            const auto file = files_.create(join_path(kTestDir, name));
            const Bytes text = as_bytes("anything");
            ASSERT_TRUE((*file)->write_at(0, {&text, 1}));
        }
    }
    using Contents = std::map<std::string, std::vector<std::byte>>;
    [[nodiscard]] Contents contents() const {
        Contents all;
        const auto names = files_.list(kTestDir);
        for (const std::string& name : *names) all[name] = files_.contents(join_path(kTestDir, name));
        return all;
    }
    void expect_printed(const std::string& text) const {
        EXPECT_NE(printed_.find(text), std::string::npos) << "no '" << text << "' in:\n" << printed_;
    }

    std::string printed_;
};

TEST_F(ToolsTest, DumpPrintsARecordALine) {
    two_queues();
    const auto lines = dumped();
    ASSERT_EQ(lines.size(), 5U);
    EXPECT_EQ(lines[0]["kind"], "snapshot");
    EXPECT_EQ(lines[0]["segment"], 1);
    EXPECT_EQ(lines[0]["position"], 4096);
    EXPECT_EQ(lines[0]["lsn"], 1);
    EXPECT_EQ(lines[0]["meta"]["queues"][0]["name"], "old");
    EXPECT_EQ(lines[1]["kind"], "queue");
    EXPECT_EQ(lines[1]["queue"], 2);
    EXPECT_EQ(lines[1]["meta"]["change"], "created");
    EXPECT_EQ(lines[1]["meta"]["options"]["on_full"], "reject");
    EXPECT_EQ(lines[2]["kind"], "batch");
    EXPECT_EQ(lines[2]["queue_name"], "jobs");
    EXPECT_EQ(lines[2]["meta"]["first_offset"], 100);
    EXPECT_EQ(lines[2]["count"], 3);
    EXPECT_GT(lines[2]["body_bytes"], 0);
    EXPECT_EQ(lines[4]["meta"]["reason"], "acked");
    EXPECT_EQ(lines[4]["meta"]["offsets"], json::parse("[[5,7],[10,10]]"));
}

TEST_F(ToolsTest, DumpFiltersByQueue) {
    two_queues();
    DumpOptions options;
    options.queue = QueueId(2);
    EXPECT_EQ(dumped(options).size(), 2U);
    options.queue.reset();
    options.queue_name = "old";
    const auto lines = dumped(options);
    ASSERT_EQ(lines.size(), 3U);
    EXPECT_EQ(lines[0]["kind"], "snapshot");
    EXPECT_EQ(lines[1]["queue"], 1);
    options.queue_name = "nobody";
    EXPECT_TRUE(dumped(options).empty());
}

TEST_F(ToolsTest, DumpSurvivesMetaThatDoesNotDecode) {
    must_open();
    commit(batch("not a batch", "\xff\xff\xff not protobuf"));
    crash();
    const auto lines = dumped();
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_EQ(lines[1]["meta_bytes"], 16);
    EXPECT_FALSE(lines[1].contains("count"));
}

TEST_F(ToolsTest, DumpAndFsckChangeNothing) {
    two_queues();
    Files before;
    files_.copy_to(before);
    dumped();
    checked();
    const auto names = before.list(kTestDir);
    for (const std::string& name : *names) {
        EXPECT_TRUE(before.contents(kTestDir + "/" + name) == files_.contents(kTestDir + "/" + name)) << name;
    }
    EXPECT_EQ(*names, *files_.list(kTestDir));
}

TEST_F(ToolsTest, FsckOfASoundLogIsClean) {
    must_open();
    fill_to(SegmentId(3));
    crash();
    EXPECT_EQ(checked(), FsckResult::kClean);
    EXPECT_NE(printed_.find("in 3 segments"), std::string::npos) << printed_;
    EXPECT_NE(printed_.find("not stopped cleanly: clean"), std::string::npos) << printed_;
}

TEST_F(ToolsTest, FsckOfALogThatWasNeverWrittenIsClean) {
    must_open();
    log_.reset();
    EXPECT_EQ(checked(), FsckResult::kClean);
}

TEST_F(ToolsTest, AFolderWithoutALogIsNotFound) {
    std::ostringstream out;
    const auto result = fsck(files_, "elsewhere", out);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), Code::kNotFound);
    const auto printed = dump(files_, "elsewhere", {}, out);
    ASSERT_FALSE(printed);
    EXPECT_EQ(printed.error().code(), Code::kNotFound);
}

TEST_F(ToolsTest, FsckTellsATornTailFromDamage) {
    torn_tail();
    EXPECT_EQ(checked(), FsckResult::kTorn);
    EXPECT_NE(printed_.find("lsn 3: a record does not match its checksum (unconfirmed tail)"), std::string::npos)
        << printed_;
    must_open();
    log_.reset();
    EXPECT_EQ(checked(), FsckResult::kClean) << "the start cut it";
}

TEST_F(ToolsTest, FsckFindsEveryDamage) {
    must_open();
    std::vector<Appended> all;
    for (int i = 0; i < 12; ++i) all.push_back(commit(batch("body " + std::to_string(i))));
    const Appended second = [&] {
        fill_to(SegmentId(2));
        return commit(batch("in the second"));
    }();
    commit(batch("behind it"));
    crash();
    files_.overwrite(path(1), body_at(all[3]), as_bytes("X"));
    files_.overwrite(path(1), body_at(all[8]) - 30, as_bytes("XYZ"));
    files_.overwrite(path(2), body_at(second), as_bytes("X"));
    const Contents before = contents();
    EXPECT_EQ(checked({.repair = true}), FsckResult::kDamaged);
    EXPECT_EQ(contents(), before) << "a repair leaves confirmed data alone";
    expect_printed("nothing was changed");
    expect_printed("restore the data directory from a backup");
    EXPECT_EQ(checked(), FsckResult::kDamaged);
    for (const Lsn lsn : {all[3].lsn, all[8].lsn, second.lsn}) {
        EXPECT_NE(printed_.find(", lsn " + std::to_string(lsn.value()) + ":"), std::string::npos) << printed_;
    }
    // dump prints what is left, behind the damage too, and the findings.
    const auto lines = dumped();
    EXPECT_EQ(std::count_if(lines.begin(), lines.end(), [](const json& line) { return line.contains("finding"); }), 3);
    EXPECT_EQ(lines.back()["action"], "stop");
    EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), [&](const json& line) {
        return line.contains("lsn") && line["lsn"] == second.lsn.value() + 1;
    }));
}

TEST_F(ToolsTest, RepairDoesWhatAStartWouldDo) {
    untidy();
    Files other;
    files_.copy_to(other);
    EXPECT_EQ(checked({.repair = true}), FsckResult::kTorn);
    expect_printed("done: cut 0000000000000001.seg: ");
    expect_printed("lsn 3: never confirmed; kept as quarantine/00000001-tail-of-0000000000000001.seg-bytes-");
    expect_printed("done: set aside 00000000000000aa.checkpoint: 8 bytes: damaged, the log has all that is in it");
    expect_printed("done: remove 0000000000000009.tmp: 8 bytes: was being made");
    expect_printed("and the rest is mended");
    const Contents repaired = contents();
    ASSERT_TRUE(Log::open(other, options(), [](const RecordView&) { return Result<void>(); }));
    for (const auto& [name, bytes] : repaired) {
        EXPECT_TRUE(name == kMarkName || other.contents(join_path(kTestDir, name)) == bytes) << name;
    }
    EXPECT_EQ(checked({.repair = true}), FsckResult::kClean);
    EXPECT_EQ(contents(), repaired);
    must_open();
    EXPECT_TRUE(log_->recovery().repairs.empty());
    EXPECT_EQ(replayed_.size(), 2U);
}

TEST_F(ToolsTest, ADryRunOnlySaysWhatItWould) {
    untidy();
    const Contents before = contents();
    EXPECT_EQ(checked({.repair = true, .dry_run = true}), FsckResult::kTorn);
    expect_printed("would cut 0000000000000001.seg: ");
    expect_printed("would set aside 00000000000000aa.checkpoint");
    expect_printed("would remove 0000000000000009.tmp");
    expect_printed("the next start mends the rest");
    EXPECT_EQ(contents(), before);
    EXPECT_TRUE(files_.list(join_path(kTestDir, "quarantine"))->empty());
}

TEST_F(ToolsTest, RepairFinishesADrop) {
    must_open();
    commit(batch("one"));
    fill_to(SegmentId(2));
    commit(batch("two"));
    const auto old = files_.contents(path(1));
    ASSERT_EQ(log_->reclaim(), 1U);
    commit(batch("three"));
    crash();
    // The name came back: the mark said that it goes, and a power cut took the rest.
    const auto file = files_.create(path(1));
    const Bytes whole(old);
    ASSERT_TRUE((*file)->write_at(0, {&whole, 1}));
    EXPECT_EQ(checked({.repair = true}), FsckResult::kTorn);
    expect_printed("done: remove 0000000000000001.seg: 16384 bytes: dropped before the crash, nothing in it lives");
    EXPECT_EQ(checked(), FsckResult::kClean);
}

TEST_F(ToolsTest, AMissingMarkIsToldAndMadeAnew) {
    must_open();
    commit(batch("one"));
    crash();
    files_.lose(join_path(kTestDir, std::string(kMarkName)));
    Files other;
    files_.copy_to(other);
    EXPECT_EQ(checked(), FsckResult::kTorn);
    expect_printed("no valid mark: ");
    EXPECT_EQ(checked({.repair = true}), FsckResult::kTorn);
    expect_printed("done: make mark: none was valid, so that damage after lsn 2 or missing first segments");
    EXPECT_EQ(checked(), FsckResult::kClean);
    const auto log = Log::open(other, options(), [](const RecordView&) { return Result<void>(); });
    ASSERT_TRUE(log) << log.error().message();
    ASSERT_EQ((*log)->recovery().repairs.size(), 1U);
    EXPECT_EQ((*log)->recovery().repairs[0].repair.name, kMarkName);
    EXPECT_EQ(files_.contents(join_path(kTestDir, std::string(kMarkName))),
              other.contents(join_path(kTestDir, std::string(kMarkName))));
}

TEST_F(ToolsTest, WhatAStartWouldRefuseIsDamage) {
    must_open();
    commit(batch("one"));
    crash();
    const auto refuse = [] { return fail(Code::kCorrupt, "segment 1 is missing"); };
    files_.lose(join_path(kTestDir, std::string(kMarkName)));
    const Contents before = contents();
    EXPECT_EQ(checked({.repair = true, .accept = refuse}), FsckResult::kDamaged);
    expect_printed("segment 1 is missing\n");
    EXPECT_EQ(contents(), before);
    std::ostringstream out;
    const auto failing = [] { return fail(Code::kIo, "read"); };
    EXPECT_FALSE(fsck(files_, kTestDir, out, {.accept = failing}));
}

TEST_F(ToolsTest, ARepairThatFailsCanBeTriedAgain) {
    for (const auto op : {Files::Op::kOpen, Files::Op::kRead, Files::Op::kSync, Files::Op::kSyncDir}) {
        start_over();
        torn_tail();
        files_.die_at_nth(op, 2);
        std::ostringstream out;
        static_cast<void>(fsck(files_, kTestDir, out, {.repair = true}));
        files_.power_cut(1);
        must_open();
        EXPECT_EQ(replayed_.size(), 2U);
        log_.reset();
        EXPECT_EQ(checked({.repair = true}), FsckResult::kClean) << printed_;
    }
}

}  // namespace
}  // namespace telpher::log
