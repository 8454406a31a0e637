// What a start does to a log folder that a crash left untidy: a list made from what was found, and the acts. `telpherd
// fsck --repair` does the same. Only what nothing proves to have been confirmed is ever removed, and it goes to the
// quarantine. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "broker/log/mark.h"
#include "proto/base/ids.h"
#include "telpher/error.h"

namespace telpher::log {

class FileSystem;
struct Inspection;
struct Survey;

struct Repair {
    enum class Kind : std::uint8_t {
        kCutTail,           ///< Unconfirmed bytes at the end of the last segment: overwritten with zeros.
        kRemoveUnfinished,  ///< A last segment that never got its whole snapshot.
        kSetAside,          ///< A damaged checkpoint.
        kFinishDrop,        ///< A segment that the mark says was dropped.
        kRemoveTemporary,   ///< A file that was being made.
        kMakeMark,          ///< The mark is missing, or neither of its slots is valid: it says what was found.
    };
    Kind kind;
    std::string name;  ///< The file.
    std::uint64_t at = 0;
    std::uint64_t bytes = 0;
    Lsn lsn;    ///< The first that is missing from here on; 0: none in particular.
    Mark mark;  ///< The one to be made.

    /// "cut 0000000000000003.seg: 300 bytes from byte 8192 on, lsn 17: never confirmed".
    [[nodiscard]] std::string text() const;
};

/// What became of it.
struct Repaired {
    Repair repair;
    std::string kept_as;   ///< In the quarantine: its name within the log folder.
    std::string not_kept;  ///< Why it could not be kept there. A damaged checkpoint then stays where it is.
    /// It was something to keep, whether or not it could be.
    [[nodiscard]] bool quarantined() const { return !kept_as.empty() || !not_kept.empty(); }

    [[nodiscard]] std::string text() const;
};

/// Syncs what a start reads first and trusts: the mark and the last segment; the segments before it were synced before
/// it was made. For whoever acts on what is found afterwards.
Result<void> sync_found(FileSystem& files, const std::string& dir);

/// What the mark would say of a log that was found like that; it has segments.
[[nodiscard]] Mark mark_of(const Inspection& inspection);

/// In the order in which they are done. The inspection must forbid nothing.
[[nodiscard]] std::vector<Repair> repairs_of(const Survey& found, const Inspection& inspection);

/// Does them; the caller syncs the folder afterwards. That a thing could not be kept is no error. Errors: kIo and
/// kDiskFull of the log's own files.
Result<std::vector<Repaired>> repair(FileSystem& files, const std::string& dir, const std::vector<Repair>& repairs);

}  // namespace telpher::log
