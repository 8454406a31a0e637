// Makes a log of an export (export_format.h), by the code that a broker writes its log with: a snapshot of the queues,
// then the messages as records of kind move, then the end mark. Offline. One thread.
#pragma once

#include <cstdint>
#include <iosfwd>

#include "broker/log/log.h"
#include "proto/base/clock.h"
#include "telpher/error.h"

namespace telpher::broker {

struct ImportSummary {
    std::uint64_t queues = 0;
    std::uint64_t messages = 0;
};

/// Writes a log to `options.dir`, which holds nothing yet, reads it again, and syncs it. After an error what lies there
/// is no log: the caller removes it. Errors: kCorrupt (with the line: the export is cut, damaged or makes no sense),
/// kFormat (a newer program's), kDiskFull, kIo.
Result<ImportSummary> import_log(log::FileSystem& files, const log::LogOptions& options, std::istream& in);

}  // namespace telpher::broker
