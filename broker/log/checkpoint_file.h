// A checkpoint: all that a shard knew after a record of its log, so that a start reads only what follows. It is never
// needed: without one the log is read from its first segment. Free functions; a written file never changes, so any
// thread may write the next one while others are read.
//
//    0   4  magic "TLC1"
//    4   4  version (1)
//    8   4  shard
//   12   4  reserved (0)
//   16  16  log id
//   32   8  lsn               every record up to it is in here, and was committed when this file got its name
//   40   8  segment           in which the record after it begins ...
//   48   8  at                ... there, or in the next segment if nothing of the log follows there
//   56   8  first lsn         of that segment
//   64   8  parts             records of kind checkpoint that follow, lsns 1, 2, ..., salt = `lsn`
//   72   8  bytes             of the file
//   80   8  XXH3-64 of bytes [0, 80)
//   88      zeros up to 4096; the first part begins there
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "broker/log/file.h"
#include "broker/log/log.h"
#include "broker/log/segment.h"

namespace telpher::log {

inline constexpr std::uint32_t kCheckpointMagic = 0x31434c54;  // "TLC1"
inline constexpr std::uint32_t kCheckpointVersion = 1;
inline constexpr std::size_t kCheckpointHeaderBytes = 4096;
inline constexpr std::string_view kCheckpointSuffix = ".checkpoint";
/// So many are kept: a damaged one costs a longer start, no more.
inline constexpr std::size_t kCheckpointsKept = 2;

struct CheckpointHeader {
    std::uint32_t version = kCheckpointVersion;
    std::uint32_t shard = 0;
    LogId log_id;
    LogPoint point;
    std::uint64_t parts = 0;
    std::uint64_t bytes = 0;
};

void encode_checkpoint_header(const CheckpointHeader& header, std::byte* at);  ///< kCheckpointHeaderBytes.
/// Nothing if the bytes are too few, or magic or checksum are wrong. Of a newer version only `version` means anything.
[[nodiscard]] std::optional<CheckpointHeader> decode_checkpoint_header(Bytes bytes);

/// The file's name: its lsn in 16 hex digits, and what it is.
[[nodiscard]] std::string checkpoint_name(Lsn lsn);

/// Writes the checkpoint, durably, name and all, then removes all but the newest kCheckpointsKept. Returns its bytes.
/// An error leaves the log as it was: the checkpoints before still count.
Result<std::uint64_t> write_checkpoint(FileSystem& files, const std::string& dir, CheckpointHeader header,
                                       const std::vector<std::string>& parts);

/// The file's header, if all of the file is sound; nothing if it is damaged in any way. Errors: kIo, kFormat (a newer
/// program's).
Result<std::optional<CheckpointHeader>> check_checkpoint(FileSystem& files, const std::string& dir,
                                                         const std::string& name);
/// Passes its parts to `sink`, in order, as records of kind kCheckpoint with the checkpoint's lsn.
Result<void> read_checkpoint(FileSystem& files, const std::string& dir, const std::string& name,
                             const RecordSink& sink);

}  // namespace telpher::log
