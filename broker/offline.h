// telpherd's offline tools, for a data directory that no daemon holds. Run in main(), one thread.
#pragma once

#include <string>

namespace telpher::broker {

struct OfflineOptions {
    std::string data_dir;
    std::string queue;  ///< dump: a name or number; empty: all.
    std::string output = "ndjson";
    bool repair = false;   ///< fsck: do what a start would do ...
    bool dry_run = false;  ///< ... or only say what that is.
};

/// All print to stdout, errors to stderr, and return the exit status: that of the error (exit_status()), else for dump
/// 0, for fsck 0 clean, 1 harmless or repaired, 2 damage.
int dump(const OfflineOptions& options);
int fsck(const OfflineOptions& options);

}  // namespace telpher::broker
