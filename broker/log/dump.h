// Prints what a log folder holds, for people with a problem: offline, read-only, on a folder that no daemon holds (the
// caller takes the DirLock). Damage does not end it: it goes on behind, and the findings are printed last.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>

#include "broker/log/file.h"
#include "proto/base/ids.h"
#include "telpher/error.h"

namespace telpher::log {

/// Which records; without a filter all of them.
struct DumpOptions {
    std::optional<QueueId> queue;
    std::optional<std::string> queue_name;  ///< Every queue that ever had the name.
};

/// Writes one JSON object a line to `out`: {"segment", "position", "lsn", "epoch", "kind", "queue", "queue_name",
/// "meta": {...}, "body_bytes", "count"} for a record (queue, queue_name, body_bytes and count only where they mean
/// something), then
/// {"finding", "action"} for each damage. Offsets and sequences are printed as ranges [first, last].
/// Errors: kNotFound (no log there), kIo, kFormat.
Result<void> dump(FileSystem& files, const std::string& dir, const DumpOptions& options, std::ostream& out);

}  // namespace telpher::log
