// What the tests of the log share: a log on a file system in memory, driven by hand on one thread.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "broker/log/log.h"
#include "broker/log/record.h"
#include "broker/log/segment.h"
#include "tests/support/faulty_file_system.h"

namespace telpher::log {

inline constexpr std::uint64_t kTestSegmentBytes = 16 * 1024;
inline const std::string kTestDir = "log";

/// A record as it came back from a replay, owned.
struct Replayed {
    Lsn lsn;
    Kind kind;
    QueueId queue;
    std::string meta;
    std::string body;
    Position position;
};

class LogFixture : public ::testing::Test {
protected:
    static LogOptions options() {
        LogOptions options;
        options.dir = kTestDir;
        options.segment_bytes = kTestSegmentBytes;
        options.salt_seed = 1;
        return options;
    }

    /// Opens the log (the one before is gone) and collects what it replays.
    Result<void> open(LogOptions with = options()) {
        log_.reset();
        replayed_.clear();
        auto log = Log::open(files_, with, [this](const RecordView& view) -> Result<void> {
            replayed_.push_back({view.lsn, view.kind, view.queue, std::string(as_text(view.meta)),
                                 std::string(as_text(view.body)), view.position});
            return {};
        });
        if (!log) return fail(log.error());
        log_ = std::move(*log);
        return {};
    }
    void must_open() {
        const auto opened = open();
        ASSERT_TRUE(opened) << opened.error().message();
    }

    static Record snapshot(std::string meta = "state") {
        return {Kind::kSnapshot, QueueId(0), std::move(meta), Slice()};
    }
    static Record batch(std::string body, std::string meta = "meta") {
        return {Kind::kBatch, QueueId(7), std::move(meta), Slice::own(std::move(body))};
    }
    /// Where the body of a batch() with the usual meta begins.
    static std::uint64_t body_at(const Appended& batch) {
        return batch.position.at + kRecordHeaderBytes + std::string_view("meta").size();
    }

    /// Appends, in a new segment if this one is full.
    Appended append(Record record) {
        if (log_->needs_roll(record.meta.size(), record.body.size())) log_->roll({snapshot()});
        return log_->append(std::move(record));
    }
    /// Hands over and commits everything, as far as it goes.
    void commit() {
        EXPECT_TRUE(log_->flush());
        while (log_->committer().do_work() > 0) {
        }
    }
    Appended commit(Record record) {
        const Appended at = append(std::move(record));
        commit();
        return at;
    }
    /// Appends batches until the segment `number` is begun and committed.
    void fill_to(SegmentId number) {
        while (commit(batch(std::string(1000, 'f'))).position.segment < number) {
        }
    }
    void crash() {
        log_.reset();
        files_.kill_process();
    }
    /// An empty folder again, durably.
    void start_over() {
        log_.reset();
        files_.clear_faults();
        ASSERT_TRUE(files_.sync_dir(kTestDir));
        const auto names = files_.list(kTestDir);
        for (const std::string& name : *names) files_.lose(join_path(kTestDir, name));
    }
    static std::string path(std::uint64_t number) {
        return join_path(kTestDir, file_name(SegmentId(number), kSegmentSuffix));
    }

    test::FaultyFileSystem files_;
    std::unique_ptr<Log> log_;
    std::vector<Replayed> replayed_;
};

}  // namespace telpher::log
