// Makes, recycles and drops the segment files of one log. Belongs to the commit thread once the log is open. Dropped
// segments are kept as spares and become the next segments under a new salt, so that in steady state a roll creates and
// fills no file; those that are too many are cut in steps, then removed.
//
// Invariants: (1) a file gets its segment name only after its header block is durable; (2) a segment loses its name
// only after the mark that says so is durable; (3) every name is durable before a record in the file is; (4) no two
// spares have one name.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "broker/log/file.h"
#include "broker/log/mark.h"
#include "broker/log/segment.h"
#include "proto/base/random.h"

namespace telpher::log {

struct PoolOptions {
    std::string dir;
    std::uint32_t shard = 0;
    LogId log_id;
    std::uint64_t segment_bytes = 0;
    std::size_t spares_max = 0;
    std::uint64_t salt_seed = 0;
};

/// A segment open for appending.
struct OpenSegment {
    std::unique_ptr<File> file;
    SegmentHeader header;
};

class SegmentPool {
public:
    /// `spares` are names of files of exactly segment_bytes.
    SegmentPool(FileSystem& files, PoolOptions options, std::deque<std::string> spares)
        : files_(files), options_(std::move(options)), random_(options_.salt_seed), spares_(std::move(spares)) {}

    /// Makes segment `number`, of `capacity` bytes, ready for records; durable, name and all. Nothing if the disk has
    /// no room for it: nothing has changed, try again. kIo, and kDiskFull after the room was reserved, are final.
    Result<std::optional<OpenSegment>> start(SegmentId number, Lsn first_lsn, std::uint64_t capacity);
    /// Drops a segment: it becomes a spare or goes, by and by. The caller syncs the folder with finish_drops().
    Result<void> drop(SegmentId number, std::uint64_t capacity);
    Result<void> finish_drops();
    /// One small step towards being rid of what was dropped; false: there is nothing.
    Result<bool> shrink();
    /// All of it at once.
    Result<void> shrink_all();
    [[nodiscard]] bool filling() const { return filling_ != nullptr; }
    /// Steps are left to be made.
    [[nodiscard]] bool busy() const { return filling() || !leaving_.empty(); }
    /// One small step (at most kFillStepBytes written) towards having a spare; `next` names it. No room on the disk is
    /// no error: it is tried again after the next drop.
    Result<void> prepare(SegmentId next);
    [[nodiscard]] bool has_spare() const { return !spares_.empty() && !filling_; }
    [[nodiscard]] std::size_t spares() const { return spares_.size(); }

private:
    Result<std::unique_ptr<File>> take_spare(const std::string& path);
    Result<std::unique_ptr<File>> create(const std::string& path, std::uint64_t capacity);
    Result<void> remove_spares();
    Result<void> leave(SegmentId number, const std::string& path, std::uint64_t capacity);
    Result<void> begin_filling(SegmentId next);

    FileSystem& files_;
    const PoolOptions options_;
    Random random_;
    std::deque<std::string> spares_;  // names
    std::unique_ptr<File> filling_;   // of spares_.back(), while zeros are written to it
    std::uint64_t filled_bytes_ = 0;
    bool no_room_ = false;
    /// A file on its way out. To unlink 64 MiB at once takes tens of milliseconds, in which nothing is committed.
    struct Leaving {
        std::string path;
        std::uint64_t bytes = 0;
    };
    std::deque<Leaving> leaving_;
    std::unique_ptr<File> shrinking_;  // the first of them, once it is begun
};

}  // namespace telpher::log
