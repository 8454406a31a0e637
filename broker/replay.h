// Brings the shard's state back from the log, record by record, as Log::open() reads it. Used by one thread, before the
// shard runs; then finish() hands the state over and is not used again.
//
// The first snapshot, or a checkpoint, is the start; of later snapshots only refusals are new, since every change since
// is replayed. A message is live if a checkpoint or a batch record holds it and no later settle record does. What was
// delivered but not settled is held for its old consumer for a while (DESIGN: restart).
#pragma once

#include <map>

#include "broker/batch_store.h"
#include "broker/catalog.h"
#include "broker/log/log.h"
#include "broker/log/records.pb.h"
#include "proto/base/clock.h"

namespace telpher::broker {

class Replay {
public:
    Replay(Catalog& catalog, Instant now, WallTime wall) : catalog_(catalog), now_(now), wall_(wall) {}

    /// Takes one record. kFormat or kCorrupt if it makes no sense: the start stops there.
    Result<void> take(const log::RecordView& record);
    /// All was taken; the log has the segments from `first` to `last`. kCorrupt if a checkpoint does not say all there
    /// is, or if messages are in a segment that is not there: only a checkpoint, or a move that was cut, knows.
    Result<void> check_whole(SegmentId first, SegmentId last);
    /// The end of the log: holds, live counts, memory queues. `orphans_until`: open producers have so long to come
    /// back.
    void finish(log::Log& log, Instant hold_until, Instant orphans_until);
    /// The same of a log that nobody goes on with.
    void finish(Instant hold_until, Instant orphans_until);

    /// The highest boot counter seen.
    [[nodiscard]] std::uint64_t boot() const { return boot_; }
    [[nodiscard]] std::uint64_t messages() const { return messages_; }

private:
    Result<void> end_checkpoint();
    Result<void> checkpoint(const log::v1::CheckpointMeta& meta);
    Result<void> snapshot(const log::v1::SnapshotMeta& meta);
    void later_snapshot(const log::v1::SnapshotMeta& meta);
    Result<void> snapshot_queue(const log::v1::QueueState& state);
    Result<void> snapshot_producer(HostedQueue& queue, const log::v1::ProducerState& row);
    Result<void> batch(HostedQueue& queue, const log::v1::BatchMeta& meta, const log::RecordView& record);
    Result<void> moved(HostedQueue& queue, const log::v1::MoveMeta& meta, const log::RecordView& record);
    void settle(HostedQueue& queue, const log::v1::SettleMeta& meta);
    Result<void> returned(HostedQueue& queue, const log::v1::ReturnMeta& meta);
    static Result<void> died(HostedQueue& queue, const log::v1::DeathMeta& meta);
    Result<void> change(QueueId id, const log::v1::QueueMeta& meta);
    Result<void> producer(HostedQueue& queue, const log::v1::ProducerMeta& meta);
    void marks(const log::v1::MarkMeta& meta);
    void free(HostedQueue& queue);
    [[nodiscard]] Instant instant_of(std::uint64_t wall_ms) const;
    /// A time that somebody gave for something that has happened: not after now.
    [[nodiscard]] WallTime past(std::uint64_t wall_ms) const;

    Catalog& catalog_;
    const Instant now_;
    const WallTime wall_;
    bool snapshot_done_ = false;
    bool checkpoint_open_ = false;
    bool records_seen_ = false;  ///< Others than parts of a checkpoint.
    std::uint64_t boot_ = 0;
    std::uint64_t messages_ = 0;
    std::map<SegmentId, log::Live> live_;
    std::map<QueueId, Offset> marks_;
    std::map<QueueId, Offset> again_;
    std::map<QueueId, std::uint64_t> memory_unfinished_;
};

}  // namespace telpher::broker
