// A record's fixed header: codec only, no state, any thread. FORMAT.md says what each field is for.
//
//    0   4  magic "TLR1"
//    4   1  version (1)
//    5   1  kind              (Kind in log.h)
//    6   2  flags             bit 0 = the snapshot that opens a segment ends here
//    8   4  meta bytes
//   12   4  body bytes
//   16   8  lsn
//   24   8  durable_upto      every lsn up to here was durable when this record was written
//   32   8  salt              of the segment: bytes of an earlier life of the file carry another
//   40   8  queue             0 = none
//   48   4  epoch
//   52   4  reserved (0)
//   56   8  XXH3-64 of meta, then body
//   64   8  XXH3-64 of bytes [0, 64)
//   72      meta, body, zeros up to a multiple of 8
//
// In every version to come magic, version, salt and the header checksum keep their places, so that a newer record is
// told from a broken one (FORMAT.md, "Raising the version").
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "broker/log/log.h"
#include "proto/base/bytes.h"
#include "proto/limits.h"

namespace telpher::log {

inline constexpr std::uint32_t kRecordMagic = 0x31524c54;  // "TLR1"
inline constexpr std::uint8_t kRecordVersion = 1;
inline constexpr std::size_t kRecordHeaderBytes = 72;
inline constexpr std::size_t kRecordAlign = 8;
inline constexpr std::uint16_t kFlagSnapshotEnd = 1;

inline constexpr std::size_t kMetaBytesMax = 64 * limits::kKiB;
inline constexpr std::size_t kSnapshotMetaBytesMax = limits::kMiB;

struct RecordHeader {
    std::uint8_t version = kRecordVersion;
    Kind kind = Kind::kBatch;
    std::uint16_t flags = 0;
    std::uint32_t meta_bytes = 0;
    std::uint32_t body_bytes = 0;
    Lsn lsn;
    Lsn durable_upto;
    std::uint64_t salt = 0;
    QueueId queue;
    Epoch epoch;
    std::uint64_t payload_checksum = 0;
};

/// Bytes a record takes in a segment, with header and padding.
[[nodiscard]] constexpr std::uint64_t record_bytes(std::uint64_t meta_bytes, std::uint64_t body_bytes) {
    const std::uint64_t bytes = kRecordHeaderBytes + meta_bytes + body_bytes;
    return (bytes + kRecordAlign - 1) / kRecordAlign * kRecordAlign;
}
[[nodiscard]] constexpr std::uint64_t record_bytes(const RecordHeader& header) {
    return record_bytes(header.meta_bytes, header.body_bytes);
}

/// Writes the header with its checksum to `at` (kRecordHeaderBytes).
void encode_record_header(const RecordHeader& header, std::byte* at);

/// The header at the start of `bytes`; nothing if they are too few, or magic or checksum are wrong. A record of a newer
/// version comes back with that version, and only `version` and `salt` mean anything.
[[nodiscard]] std::optional<RecordHeader> decode_record_header(Bytes bytes);

/// What stands where a header has these, be it sound or not.
struct HeaderTrace {
    std::uint64_t salt = 0;
    std::uint64_t record_bytes = 0;
};
/// Of the kRecordHeaderBytes at `at`.
[[nodiscard]] HeaderTrace trace_header(const std::byte* at);

/// XXH3-64 of meta, then body.
[[nodiscard]] std::uint64_t payload_checksum(Bytes meta, Bytes body);

/// "batch", "settle" and so on; "unknown" for numbers that are not a Kind.
[[nodiscard]] std::string_view kind_name(Kind kind);

static_assert(kRecordHeaderBytes % kRecordAlign == 0);
static_assert(record_bytes(0, 0) == kRecordHeaderBytes && record_bytes(1, 0) == kRecordHeaderBytes + kRecordAlign);
static_assert(kSnapshotMetaBytesMax + limits::kMessageBytesMax < limits::kSegmentBytes / 2);

}  // namespace telpher::log
