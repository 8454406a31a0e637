// A segment file's name and header block: codec only, no state, any thread. FORMAT.md says what each field is for.
//
//    0   4  magic "TLS1"
//    4   4  version (1)       of the header and of every record in the segment
//    8   4  shard
//   12   4  reserved (0)
//   16   8  segment number
//   24   8  salt              random for each life of the file; every record repeats it
//   32  16  log id            random, the same in every segment of a log
//   48   8  first lsn
//   56   8  capacity          bytes of the file
//   64   8  XXH3-64 of bytes [0, 64)
//   72      zeros up to 4096; the first record begins there
//
// The block is durable before the file gets its name, so a name with a broken block is damage, never a torn write.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "broker/log/file.h"
#include "proto/base/ids.h"

namespace telpher::log {

inline constexpr std::uint32_t kSegmentMagic = 0x31534c54;  // "TLS1"
inline constexpr std::uint32_t kSegmentVersion = 1;
inline constexpr std::size_t kSegmentHeaderBytes = 4096;

/// Tells one log from another: a segment copied in from elsewhere is noticed.
struct LogId {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    bool operator==(const LogId&) const = default;
};

struct SegmentHeader {
    std::uint32_t version = kSegmentVersion;
    std::uint32_t shard = 0;
    SegmentId number;
    std::uint64_t salt = 0;
    LogId log_id;
    Lsn first_lsn;
    std::uint64_t capacity = 0;
};

/// Writes the whole block to `at` (kSegmentHeaderBytes).
void encode_segment_header(const SegmentHeader& header, std::byte* at);

/// The header at the start of `bytes`; nothing if they are too few, or magic or checksum are wrong. Of a newer version
/// only `version` means anything.
[[nodiscard]] std::optional<SegmentHeader> decode_segment_header(Bytes bytes);

/// Names in a log folder: 16 hex digits and what the file is.
inline constexpr std::string_view kSegmentSuffix = ".seg";
inline constexpr std::string_view kSpareSuffix = ".spare";
inline constexpr std::string_view kTemporarySuffix = ".tmp";
[[nodiscard]] std::string file_name(SegmentId number, std::string_view suffix);
/// The number in a name with that suffix; nothing for any other name.
[[nodiscard]] std::optional<SegmentId> parse_file_name(std::string_view name, std::string_view suffix);
[[nodiscard]] std::string join_path(std::string_view dir, std::string_view name);
[[nodiscard]] Result<std::uint64_t> file_bytes(FileSystem& files, const std::string& path);

}  // namespace telpher::log
