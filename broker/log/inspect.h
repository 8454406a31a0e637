// Reads a whole log folder and judges it by the recovery table, changing nothing: the common part of recovery, fsck and
// dump. One thread, short-lived.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "broker/log/checkpoint_file.h"
#include "broker/log/log.h"
#include "broker/log/mark.h"
#include "broker/log/recovery_table.h"
#include "broker/log/segment.h"

namespace telpher::log {

struct FoundSegment {
    SegmentId number;
    std::uint64_t file_bytes = 0;
    std::optional<SegmentHeader> header;  ///< Nothing if broken.
    std::uint64_t salt = 0;               ///< As found, even of a file whose header is no good here.
};

struct FoundCheckpoint {
    std::string name;
    std::uint64_t file_bytes = 0;
    std::optional<CheckpointHeader> header;  ///< Nothing if anything in the file is broken.
};

/// A file without use that a crash left: a dropped segment or a temporary file.
struct Leftover {
    std::string name;
    std::uint64_t file_bytes = 0;
};

/// The files of a log folder, before any record is read.
struct Survey {
    /// The newest checkpoint from which this log can be read on; nullptr: none.
    [[nodiscard]] const FoundCheckpoint* usable_checkpoint() const;
    /// The highest lsn, and the highest segment, that checkpoints of this log say was durable; 0: none says any.
    [[nodiscard]] Lsn checkpointed() const;
    [[nodiscard]] SegmentId checkpointed_segment() const;
    [[nodiscard]] LogId log_id() const;
    /// Nothing here was ever a log.
    [[nodiscard]] bool empty() const { return !mark_exists && segments.empty() && checkpoints.empty(); }

    bool mark_exists = false;  ///< The file; `mark` may still be missing because no slot is valid.
    std::optional<Mark> mark;
    std::vector<FoundSegment> segments;  ///< Rising, from the mark's first segment on.
    std::vector<FoundSegment> spares;
    std::vector<FoundCheckpoint> checkpoints;  ///< Oldest first.
    std::vector<Leftover> leftovers;
};
Result<Survey> survey(FileSystem& files, const std::string& dir);
/// Of a log that must be there: kNotFound if nothing is.
Result<Survey> survey_log(FileSystem& files, const std::string& dir);

/// Something that is not as it should be.
struct Finding {
    Damage damage;
    Place place;
    SegmentId segment;
    std::uint64_t at = 0;
    std::uint64_t bytes = 0;  ///< 0 = unknown.
    Lsn lsn;                  ///< The lsn that should have been there.

    [[nodiscard]] Action action() const { return decide(damage, place); }
    /// "segment 3, byte 8192 (300 bytes), lsn 17: no valid record header (earlier segment)".
    [[nodiscard]] std::string text() const;
};

/// One sound segment.
struct InspectedSegment {
    SegmentHeader header;
    Lsn snapshot_end;       ///< The lsn of the last record of its opening snapshot.
    std::uint64_t end = 0;  ///< Where its records end.
};

/// The log as it would be recovered.
struct Inspection {
    std::vector<InspectedSegment> segments;
    std::vector<Finding> findings;
    std::uint64_t records = 0;
    Lsn last;
    bool clean = false;                ///< The last record is a kEnd.
    std::uint64_t cut_end = 0;         ///< Unconfirmed bytes follow the last segment's end up to here; 0 = none.
    std::optional<SegmentId> discard;  ///< The last segment file never got its snapshot: it goes.
    std::uint64_t discard_bytes = 0;   ///< Unconfirmed bytes in it.
};

struct HowToInspect {
    bool go_on = false;  ///< Pass damage by where it can be; else return at the first that forbids recovery.
    std::optional<LogPoint> from = {};  ///< A point that was committed: what is before it is not read.
};

/// Reads every record, or every one from a point on, and passes the sound ones to `sink`. Errors: the sink's, I/O,
/// kFormat for a newer mark.
Result<Inspection> inspect(FileSystem& files, const std::string& dir, const Survey& found, const HowToInspect& how,
                           const RecordSink& sink);

}  // namespace telpher::log
