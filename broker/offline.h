// telpherd's offline tools, for a data directory that no daemon holds. Run in main(), one thread.
#pragma once

#include <string>
#include <vector>

#include "broker/log/dir_lock.h"
#include "telpher/error.h"

namespace telpher::broker {

struct OfflineOptions {
    std::string data_dir;
    std::string queue;  ///< dump: a name or number; empty: all.
    std::string output = "ndjson";
    std::vector<std::string> queues;  ///< export: of these names; none: all.
    std::string file;                 ///< export, import: empty or "-": stdout, stdin.
    bool repair = false;              ///< fsck: do what a start would do ...
    bool dry_run = false;             ///< ... or only say what that is.
};

/// All print to stdout, errors to stderr, and return the exit status: that of the error (exit_status()), else 0, for
/// fsck 0 clean, 1 harmless or repaired, 2 damage.
int dump(const OfflineOptions& options);
int fsck(const OfflineOptions& options);
/// Writes queues and messages as JSON lines, to `file` all or nothing. The counts go to stderr.
int export_data(const OfflineOptions& options);
/// Makes a data directory of such lines, all or nothing: the directory holds nothing yet, or is not there.
int import_data(const OfflineOptions& options);

/// The lock of a data directory with a log in it. kNotFound, kLocked, kIo.
Result<log::DirLock> take_log(const OfflineOptions& options);
/// Says it on stderr; the exit status.
int report(const Error& error);
/// Where the log of the (only) shard is.
std::string shard_dir(const OfflineOptions& options);

}  // namespace telpher::broker
