// dump and fsck on logs as daemons leave them, sound and damaged.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "broker/log/dump.h"
#include "broker/log/fsck.h"
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
    FsckResult checked() {
        std::ostringstream out;
        const auto result = fsck(files_, kTestDir, out);
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
    must_open();
    commit(batch("confirmed"));
    const Appended torn = append(batch("torn off"));
    log_->flush();
    files_.die_at_nth(Files::Op::kSync, 1);
    log_->committer().do_work();
    log_.reset();
    files_.overwrite(path(1), body_at(torn), as_bytes("T"));
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

}  // namespace
}  // namespace telpher::log
