// Writes what a log holds as the lines of an export (export_format.h): everything a start would find but what lies in
// memory only. Offline, on a log that no daemon holds; changes nothing there. One thread.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include "broker/log/file.h"
#include "proto/base/clock.h"
#include "telpher/error.h"

namespace telpher::broker {

struct ExportSummary {
    std::uint64_t queues = 0;
    std::uint64_t messages = 0;
    std::string torn;  ///< Unconfirmed bytes at the log's end that were passed by, for people; empty: none.
};

/// Exports these queues, all of them if none is named. Errors: kNotFound (no log there, or no such queue), kCorrupt,
/// kFormat, kIo; `out` may have got a part, but never the last line.
Result<ExportSummary> export_log(log::FileSystem& files, const std::string& dir, const std::vector<std::string>& names,
                                 const Clock& clock, std::ostream& out);

}  // namespace telpher::broker
