// Reads bodies of committed records, from any thread. Lives with the log. Keeps a bounded number of files open: one per
// slot, the newest that was asked for. Nothing is locked: a slot is a shared pointer exchanged atomically, and a reader
// that loses a race has only opened a file too many.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "broker/log/log.h"
#include "broker/log/segment.h"

namespace telpher::log {

inline constexpr std::size_t kReaderFilesMax = 64;

class SegmentReader final : public Reader {
public:
    SegmentReader(FileSystem& files, std::string dir) : files_(files), dir_(std::move(dir)) {}

    Result<StoredRecord> read(const Position& position) override;
    Result<std::vector<StoredRecord>> walk(Walk& walk, std::uint64_t bytes_max) override;
    Result<void> verify(Walk& walk, std::uint64_t bytes_max) override;
    /// The segment is about to lose its name: later reads do not find it.
    void forget(SegmentId segment);

private:
    struct Entry {
        SegmentId segment;
        std::unique_ptr<File> file;
        SegmentHeader header;
    };
    /// Reads on and passes each record to `take`, with its position.
    template <class Take>
    Result<void> each(Walk& walk, std::uint64_t bytes_max, const Take& take);
    /// The open segment, from its slot or opened now.
    Result<std::shared_ptr<const Entry>> find(SegmentId segment);
    std::shared_ptr<const Entry>& slot(SegmentId segment) { return slots_[segment.value() % kReaderFilesMax]; }

    FileSystem& files_;
    const std::string dir_;
    std::array<std::shared_ptr<const Entry>, kReaderFilesMax> slots_;  // through std::atomic_load and the like only
};

}  // namespace telpher::log
