// Checks a log folder without changing it: offline, on a folder that no daemon holds (the caller takes the DirLock). It
// judges by the same code and table as the recovery of a start, but goes on behind damage to find all of it.
#pragma once

#include <iosfwd>
#include <string>

#include "broker/log/file.h"
#include "telpher/error.h"

namespace telpher::log {

/// The exit status of `telpherd fsck`.
enum class FsckResult {
    kClean = 0,
    kTorn = 1,     ///< Harmless, the next start mends it: an unconfirmed tail, a damaged checkpoint.
    kDamaged = 2,  ///< Confirmed data is damaged; a start would refuse.
};

/// Prints a line for each segment and each finding, then a summary. Errors: kNotFound (no log there), kIo, kFormat (a
/// newer program wrote it).
Result<FsckResult> fsck(FileSystem& files, const std::string& dir, std::ostream& out);

}  // namespace telpher::log
