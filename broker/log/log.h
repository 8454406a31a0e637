// A shard's commit log, seen from the shard: append records, hand them to the commit thread, learn what is committed,
// read old bodies, and let go of segments nobody needs. FORMAT.md has every byte.
//
// Threads: Log belongs to the shard thread. Committer belongs to the commit thread (a test calls do_work() itself).
// They share one bounded queue of jobs and two atomics. Reader is thread-safe. Life: the Log is made by open(), which
// replays everything to a RecordSink, and outlives its Committer's thread.
//
// Rules: (1) lsns are dense; (2) what is appended is written in lsn order, never reordered; (3) committed_lsn only
// rises, and only after the fdatasync that covers it; (4) after the first error nothing is written any more and
// failed() says why; (5) segments are dropped oldest first, and only when a later segment's snapshot is committed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/log/file.h"
#include "broker/log/repair.h"
#include "proto/base/clock.h"
#include "proto/base/histogram.h"
#include "proto/base/ids.h"
#include "proto/base/slice.h"

namespace telpher::log {

/// What a record says. The number is on disk: never reuse one.
enum class Kind : std::uint8_t {
    kBatch = 1,        ///< BatchMeta + the batch, byte-identical to the wire.
    kSettle = 2,       ///< SettleMeta: messages that are done (acked, dropped).
    kReturn = 3,       ///< ReturnMeta: messages that came back, with delivery, attempt and due time.
    kQueue = 4,        ///< QueueMeta: created, changed, sealed, reopened, paused, removed.
    kProducer = 5,     ///< ProducerMeta: opened, closed, expired.
    kSnapshot = 6,     ///< SnapshotMeta: state at the start of a segment, in one or more records.
    kMark = 7,         ///< MarkMeta: delivered marks and memory-queue counts, logged lazily.
    kBoot = 8,         ///< BootMeta: a start of the daemon (boot counter).
    kEnd = 9,          ///< A clean stop: nothing follows but a kBoot.
    kMove = 10,        ///< MoveMeta + a batch: live messages written again, so that their old segment can go.
    kDeath = 11,       ///< DeathMeta: messages that became dead letters, and why.
    kCheckpoint = 12,  ///< CheckpointMeta: never in a segment; a part of a checkpoint file.
};

/// Where a record begins, for a later read.
struct Position {
    SegmentId segment;
    std::uint64_t at = 0;  ///< Byte position in the segment; a multiple of kRecordAlign.
    bool operator==(const Position&) const = default;
};

/// A point between two records of the log.
struct LogPoint {
    Lsn lsn;            ///< Of the record before it.
    Position next;      ///< Where the record after it begins, unless that opens the next segment.
    Lsn segment_first;  ///< The first lsn of that segment.
};

/// A record to append. `meta` is an encoded message of broker/log/records.proto (at most 64 KiB; a kSnapshot: 1 MiB).
struct Record {
    Kind kind = Kind::kBatch;
    QueueId queue;  ///< 0 where no single queue is meant.
    std::string meta;
    Slice body;                  ///< kBatch and kMove only.
    std::uint32_t messages = 0;  ///< In the body; for the statistics only.
};

/// Messages that are not settled, and the bytes of their records.
struct Live {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    bool operator==(const Live&) const = default;
};

/// What append() says.
struct Appended {
    Lsn lsn;
    Position position;
};

/// A record as replayed. Views are valid during the call.
struct RecordView {
    Lsn lsn;
    Kind kind;
    QueueId queue;
    Epoch epoch;
    Bytes meta;
    Bytes body;
    Position position;
};

/// A record as read back.
struct StoredRecord {
    Position position;
    Lsn lsn;
    Kind kind = Kind::kBatch;
    QueueId queue;
    std::string meta;
    Slice body;
};

/// Takes the records at open(), oldest first; the first are a snapshot, or the parts of a checkpoint, and each later
/// segment's snapshot comes in its place in the order, too. A settle or return may name messages whose batch was in a
/// segment dropped since. An error stops the recovery.
using RecordSink = std::function<Result<void>(const RecordView&)>;

/// Asked at open() when all was read and nothing in it forbids a start, and before anything is changed: are the
/// segments from `first` to `last` all that the records need? None are there: `first` is behind `last`. An error stops
/// the recovery.
using Acceptance = std::function<Result<void>(SegmentId first, SegmentId last)>;

struct LogOptions {
    std::string dir;  ///< Folder of this shard.
    std::uint32_t shard = 0;
    Epoch epoch{1};                             ///< Written in each record.
    std::uint64_t segment_bytes = 64ULL << 20;  ///< Tests use small ones.
    std::size_t spare_segments_max = 2;         ///< Dropped segments kept for recycling.
    std::uint64_t salt_seed = 0;                ///< Seed of the segment salts; 0 = from the system's entropy.
    const Clock* clock = &system_clock();       ///< Times writes and syncs: for statistics and CommitPace.
};

/// What a start found.
struct Recovery {
    bool clean = false;  ///< The log ended with a kEnd record.
    std::uint64_t records = 0;
    std::uint64_t torn_bytes = 0;  ///< Unconfirmed bytes cut off at the tail ...
    std::string torn;              ///< ... and where, for people.
    Lsn last;
    Lsn checkpoint;                 ///< Records up to here were not read: a checkpoint had them. 0: there was none.
    std::vector<Repaired> repairs;  ///< What was done to the folder's files.
};

/// How the commit thread works, since the start.
struct CommitFigures {
    TimeHistogram sync;       ///< Time of one fdatasync.
    CountHistogram messages;  ///< Messages put that it made durable.
};

/// What the log takes on the disk, without spares, and what of it lives.
struct LogSpace {
    std::uint64_t bytes = 0;
    Live live;
    std::size_t segments = 0;
};

/// A walk through the records of a segment that another follows.
struct Walk {
    SegmentId segment;
    std::uint64_t at = 0;  ///< Of the next record ...
    Lsn next;              ///< ... and its lsn.
    Lsn end;               ///< The first lsn of the following segment.
    [[nodiscard]] bool done() const { return next >= end; }
};

/// Reads bodies of committed records. Thread-safe; keeps a bounded number of files open.
class Reader {
public:
    virtual ~Reader() = default;
    /// The record at `position`. kCorrupt, with the place, if what stands there is not a whole record of that segment.
    virtual Result<StoredRecord> read(const Position& position) = 0;
    /// Reads on in a segment: about `bytes_max` bytes of it, at least one record. Returns those that hold messages.
    /// kCorrupt, with the place, at anything that is not the next record.
    virtual Result<std::vector<StoredRecord>> walk(Walk& walk, std::uint64_t bytes_max) = 0;
    /// The same without the records: only whether all is as it was written. At the beginning of a segment, what the
    /// system has of it in memory is dropped, so that it is the disk that is read.
    virtual Result<void> verify(Walk& walk, std::uint64_t bytes_max) = 0;
};

/// The commit thread's work.
class Committer {
public:
    virtual ~Committer() = default;
    /// Takes every job there is (at most group_bytes()), writes it, syncs once, publishes. Returns the number of
    /// records committed; 0 = nothing to do. Never throws; an error is published and is final.
    virtual std::size_t do_work() = 0;
    /// Blocks until there is a job, or until stop(), for at most `timeout_ms`.
    virtual void wait(int timeout_ms) = 0;
    /// Wakes wait() for good (any thread).
    virtual void stop() = 0;
};

class Log {
public:
    virtual ~Log() = default;

    /// Opens (or creates) the log in `options.dir`, replays it to `sink`, cuts an unconfirmed torn tail, and is ready
    /// to append. Errors: kCorrupt (confirmed data damaged: nothing was changed), kFormat (newer version), kIo.
    static Result<std::unique_ptr<Log>> open(FileSystem& files, LogOptions options, const RecordSink& sink,
                                             const Acceptance& accept = {});

    [[nodiscard]] virtual const Recovery& recovery() const = 0;
    [[nodiscard]] virtual Committer& committer() = 0;
    [[nodiscard]] virtual Reader& reader() = 0;

    /// True if a record of these sizes does not fit the current segment, or there is none yet: call roll() first.
    [[nodiscard]] virtual bool needs_roll(std::size_t meta_bytes, std::size_t body_bytes) const = 0;
    /// Starts the next segment with `snapshot` (kSnapshot records: the state with everything appended so far). A record
    /// of those sizes fits behind it, even one that was stored when messages and segments could be larger.
    virtual void roll(std::vector<Record> snapshot, std::size_t meta_bytes = 0, std::size_t body_bytes = 0) = 0;
    /// Appends to the current hand-over. Never blocks, never fails: an I/O error shows in failed(). needs_roll() must
    /// be false.
    virtual Appended append(Record record) = 0;
    /// Hands everything appended to the commit thread. False if its queue is full: try again next cycle (nothing is
    /// lost).
    virtual bool flush() = 0;
    /// Bytes appended since the start.
    [[nodiscard]] virtual std::uint64_t appended_bytes() const = 0;
    /// Bytes appended and not committed yet.
    [[nodiscard]] virtual std::uint64_t uncommitted_bytes() const = 0;
    /// What the commit thread takes at once, as of now: it has enough to do when twice that is not committed.
    [[nodiscard]] virtual std::uint64_t group_bytes() const = 0;

    /// Where the next record goes; nothing before the first roll().
    [[nodiscard]] virtual std::optional<LogPoint> point() const = 0;
    /// Writes a checkpoint: `parts`, each at most 1 MiB, say all that is known at `point`, which is committed. Returns
    /// its bytes; after an error the log is as good as before. Any thread, one at a time.
    virtual Result<std::uint64_t> write_checkpoint(const LogPoint& point, const std::vector<std::string>& parts) = 0;

    [[nodiscard]] virtual Lsn last_lsn() const = 0;       ///< The last appended.
    [[nodiscard]] virtual Lsn written_lsn() const = 0;    ///< Written to the file: survives a kill of the process.
    [[nodiscard]] virtual Lsn committed_lsn() const = 0;  ///< Durable.
    /// Why the log stopped for good; empty while it works.
    [[nodiscard]] virtual std::optional<Error> failed() const = 0;
    /// Called by the commit thread after each publish of written_lsn, committed_lsn or failed() (set once, before the
    /// thread starts): wakes the shard.
    virtual void on_commit(std::function<void()> wake) = 0;

    /// What lives in a segment: a batch appended or replayed adds, a settled message takes away.
    virtual void add_live(SegmentId segment, Live live) = 0;
    virtual void drop_live(SegmentId segment, Live live) = 0;
    /// Lets go of the oldest segments that hold nothing live and are followed by a committed snapshot. Returns how
    /// many. They go with the next flush(), behind everything appended before this call: append what emptied them
    /// first.
    virtual std::size_t reclaim() = 0;
    [[nodiscard]] virtual LogSpace space() const = 0;
    /// The way through the oldest segment, if the next one's snapshot is committed: without what lives in it, it could
    /// be let go of.
    [[nodiscard]] virtual std::optional<Walk> oldest() const = 0;
    /// The way through the first segment of [first, last] that another follows, whose snapshot is committed.
    [[nodiscard]] virtual std::optional<Walk> sealed(SegmentId first, SegmentId last) const = 0;
    [[nodiscard]] virtual Live live_in(SegmentId segment) const = 0;
    /// Segments on disk, with spares; bytes = segments * segment_bytes.
    [[nodiscard]] virtual std::size_t segment_count() const = 0;
    /// What the log can still grow by when its disk has `free_bytes` free: spares are room too, and segments that are
    /// begun but not made yet will take theirs.
    [[nodiscard]] virtual std::uint64_t room(std::uint64_t free_bytes) const = 0;
    /// The disk has no room for the next segment: nothing is written until there is. Not a failure.
    [[nodiscard]] virtual bool waits_for_room() const = 0;
    /// The next segment's file is there already: the next roll takes no room on the disk.
    [[nodiscard]] virtual bool has_spare() const = 0;
    /// Commit groups synced since the start, one fdatasync each.
    [[nodiscard]] virtual std::uint64_t commits() const = 0;
    [[nodiscard]] virtual CommitFigures commit_figures() const = 0;
};

}  // namespace telpher::log
