// What the shard writes down: one function per kind of log record, encoded and appended in the order things happened.
// Owned by the shard thread.
//
// The rule that keeps snapshots right: before each step (a frame, an admission, a timer) the shard calls reserve(); if
// the segment is nearly full a new one begins there and then with a snapshot of the state, in which everything applied
// is also logged. Within the step nothing can roll.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "broker/log/log.h"
#include "broker/log/records.pb.h"
#include "broker/queue/queue.h"
#include "proto/base/clock.h"

namespace telpher::broker {

using Returned = std::vector<std::pair<queue::Range, queue::Tries>>;

struct Producer;

class Journal {
public:
    /// A range costs at most 10 + 10 bytes, its tries and due time 5 + 5 + 10, what it weighs 5 + 3 + 3, a death 1 +
    /// 10: a record's meta stays below 64 KiB.
    static constexpr std::size_t kRangesPerRecord = 1000;
    /// Replaying the settling or return of a range takes as long as reading about so many bytes of messages.
    static constexpr std::uint64_t kRangeCost = 512;

    Journal(log::Log& log, std::size_t step_meta_bytes) : log_(log), step_meta_bytes_(step_meta_bytes) {}

    /// Makes the snapshot records when a segment begins (set once).
    void on_snapshot(std::function<std::vector<log::Record>()> make) { make_snapshot_ = std::move(make); }

    /// Room for one step that appends a body of `body_bytes` and up to step_meta_bytes of everything else.
    void reserve(std::size_t body_bytes);

    log::Appended batch(QueueId queue, Offset first, std::uint32_t count, std::uint32_t generation, Slice body);
    /// `messages` of what is in `ranges` became done; nothing: all.
    void settled(QueueId queue, std::span<const queue::Range> ranges, log::v1::SettleMeta::Reason reason,
                 std::optional<std::uint64_t> messages = std::nullopt);
    /// Ready at once.
    void returned(QueueId queue, const Returned& returned, bool nacked);
    /// Nacked, ready when due; `wall_ms` says what wall time an instant is.
    void delayed(QueueId queue, std::span<const queue::Delayed> delayed,
                 const std::function<std::uint64_t(Instant)>& wall_ms);
    /// Dead letters of one cause, all at `death.at`.
    void died(QueueId queue, std::span<const queue::Died> died, const queue::Death& death, bool nacked);
    /// Messages that were stored elsewhere, in a batch of their own now; at most kRangesPerRecord stretches.
    log::Appended moved(QueueId queue, std::span<const queue::Queue::Stretch> stretches, Slice body,
                        const std::function<std::uint64_t(Instant)>& wall_ms);
    void queue_changed(QueueId queue, const log::v1::QueueMeta& change);
    void producer_opened(QueueId queue, const Producer& producer, WallTime now);
    /// Opened by its name.
    void producer_named(QueueId queue, const Producer& producer, WallTime now);
    /// Closed or expired.
    void producer_over(QueueId queue, ProducerId producer, log::v1::ProducerMeta::Change change, WallTime now);
    void marks(const log::v1::MarkMeta& marks);
    void boot(std::uint64_t boot, WallTime now);
    void end();

    /// The last record appended: what happened so far is safe when this is.
    [[nodiscard]] Lsn last() const { return log_.last_lsn(); }
    /// What it costs to replay all that was appended since the start, in bytes of messages.
    [[nodiscard]] std::uint64_t replay_cost() const { return log_.appended_bytes() + ranges_ * kRangeCost; }
    /// Something was appended, or let go of, since the last flush.
    [[nodiscard]] bool dirty() const { return dirty_; }
    /// Lets go of segments nobody needs.
    void reclaim();
    /// Hands it all to the commit thread; what does not fit its queue goes next time.
    void flush();

private:
    void moved_reasons(QueueId queue, std::span<const queue::Queue::Stretch> stretches);
    void append(log::Kind kind, QueueId queue, const google::protobuf::MessageLite& meta);

    log::Log& log_;
    const std::size_t step_meta_bytes_;
    std::function<std::vector<log::Record>()> make_snapshot_;
    bool dirty_ = false;
    std::uint64_t ranges_ = 0;  ///< Settled or returned, since the start.
};

}  // namespace telpher::broker
