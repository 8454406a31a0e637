// Checks a log folder, and on request does to it what a start would do, no more: offline, on a folder that no daemon
// holds (the caller takes the DirLock). It judges by the same code and table as the recovery of a start, but goes on
// behind damage to find all of it, and reads what a checkpoint would spare a start.
#pragma once

#include <functional>
#include <iosfwd>
#include <string>

#include "broker/log/file.h"
#include "telpher/error.h"

namespace telpher::log {

/// The exit status of `telpherd fsck`.
enum class FsckResult {
    kClean = 0,
    kTorn = 1,     ///< Harmless, mended now or by the next start: an unconfirmed tail, a damaged checkpoint, leftovers.
    kDamaged = 2,  ///< Confirmed data is damaged; a start would refuse it, or stop later.
};

struct FsckOptions {
    bool repair = false;   ///< Do what a start would do to the files; nothing if confirmed data is damaged.
    bool dry_run = false;  ///< Say what that would be, and change nothing.
    /// Whether a start would take what its records say; asked when the files are sound. kCorrupt is a finding.
    std::function<Result<void>()> accept = {};
};

/// Prints a line for each segment and each finding, each repair, then a summary. Errors: kNotFound (no log there), kIo,
/// kFormat (a newer program wrote it).
Result<FsckResult> fsck(FileSystem& files, const std::string& dir, std::ostream& out, const FsckOptions& options = {});

}  // namespace telpher::log
