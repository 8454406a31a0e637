// The mark file: how far the log was known to be durable, and which segment is its first. Written by the commit thread
// after each sync but synced only when it must be (before a segment is dropped, at a clean stop), so nothing waits for
// it. It may lag behind the log, never run ahead of it. Two slots in two sectors, written in turn: a torn write leaves
// the other.
//
//    0   4  magic "TLM1"
//    4   4  version (1)
//    8   4  shard
//   12   4  reserved (0)
//   16  16  log id
//   32   8  sequence          the valid slot with the higher one counts
//   40   8  first segment     lower ones are dropped, whatever names a crash left
//   48   8  committed lsn
//   56   8  its segment
//   64   8  end of the committed bytes in that segment
//   72   8  XXH3-64 of bytes [0, 72)
//
// Slots at 0 and 512; the file has 4096 bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "broker/log/file.h"
#include "broker/log/segment.h"

namespace telpher::log {

inline constexpr std::uint32_t kMarkMagic = 0x314d4c54;  // "TLM1"
inline constexpr std::uint32_t kMarkVersion = 1;
inline constexpr std::size_t kMarkSlotBytes = 512;
inline constexpr std::size_t kMarkFileBytes = 4096;
inline constexpr std::string_view kMarkName = "mark";

struct Mark {
    std::uint32_t version = kMarkVersion;
    std::uint32_t shard = 0;
    LogId log_id;
    std::uint64_t sequence = 0;
    SegmentId first_segment{1};
    Lsn committed;
    SegmentId segment;  ///< 0 = nothing committed yet.
    std::uint64_t end = 0;
};

void encode_mark(const Mark& mark, std::byte* at);  ///< kMarkSlotBytes.
[[nodiscard]] std::optional<Mark> decode_mark(Bytes slot);

/// The newest valid slot of `dir`'s mark; nothing if there is no file or no slot is valid.
Result<std::optional<Mark>> read_mark(FileSystem& files, const std::string& dir);

/// The open mark file. Belongs to the commit thread once the log is open.
class MarkFile {
public:
    /// Makes the file if need be (durably: temporary name, sync, rename, folder) with `mark` in it.
    static Result<MarkFile> open(FileSystem& files, const std::string& dir, const Mark& mark, bool exists);

    [[nodiscard]] const Mark& mark() const { return mark_; }
    /// Writes `mark` into the older slot; not synced. An error is final, as for any file of the log.
    Result<void> write(Mark mark);
    /// Writes `mark` into both slots and syncs: no slot can be found that says less.
    Result<void> write_durably(const Mark& mark);

private:
    MarkFile(std::unique_ptr<File> file, const Mark& mark) : file_(std::move(file)), mark_(mark) {}
    std::unique_ptr<File> file_;
    Mark mark_;
};

}  // namespace telpher::log
