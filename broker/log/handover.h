// What the shard thread and the commit thread of a log share: a bounded queue of jobs one way, a few published numbers
// the other. Made with the log, lives as long as it.
#pragma once

#include <readerwriterqueue/readerwriterqueue.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "broker/log/log.h"

namespace telpher::log {

/// Jobs handed over and not taken yet; flush() is once per cycle of the shard, so this is far more than one commit
/// group.
inline constexpr std::size_t kJobsMax = 256;

/// One thing for the commit thread to do, in order.
struct Item {
    enum class Type : std::uint8_t {
        kRecord,
        kDropSegment,  ///< Everything before it is committed first: what emptied the segment is durable when it goes.
    };
    Type type = Type::kRecord;
    bool opens_segment = false;  ///< Record: the first of `segment`, which has `capacity` bytes.
    std::uint16_t flags = 0;     ///< Record header flags.
    SegmentId segment;
    std::uint64_t at = 0;        ///< Where the record begins in `segment`.
    std::uint64_t capacity = 0;  ///< Of the segment opened or dropped.
    Lsn lsn;
    Record record;
};
using Job = std::vector<Item>;

struct Handover {
    // Shard -> commit.
    /// False if the queue is full: `job` is untouched.
    bool give(Job& job) {
        handed_over.fetch_add(1, std::memory_order_release);
        if (!jobs.try_enqueue(std::move(job))) return false;
        arrived.signal();
        return true;
    }
    bool take(Job& job) {
        if (!jobs.try_dequeue(job)) return false;
        static_cast<void>(handed_over.load(std::memory_order_acquire));
        return true;
    }

    moodycamel::ReaderWriterQueue<Job> jobs{kJobsMax};
    /// Orders a job's content for tools that do not see the fences of the queue (ThreadSanitizer of GCC); the queue
    /// needs it not.
    std::atomic<std::uint64_t> handed_over{0};
    moodycamel::spsc_sema::LightweightSemaphore arrived;
    std::atomic<bool> stopping{false};

    // Commit -> everybody.
    std::atomic<std::uint64_t> written_lsn{0};
    std::atomic<std::uint64_t> committed_lsn{0};
    std::atomic<std::uint64_t> committed_bytes{0};                         ///< Of this life of the log.
    std::atomic<std::uint64_t> group_bytes{limits::kCommitGroupBytesMax};  ///< See CommitPace.
    std::atomic<std::size_t> segments{0};                                  ///< On disk, without spares.
    std::atomic<std::size_t> spares{0};
    std::atomic<std::uint64_t> next_segment{0};  ///< The next one to be made.
    std::atomic<bool> waits_for_room{false};     ///< There is no room on the disk to make it.
    std::atomic<std::uint64_t> commits{0};       ///< Groups synced.
    AtomicHistogram<TimeBounds> sync_time;
    AtomicHistogram<CountBounds> sync_messages;
    std::atomic<bool> failed{false};
    std::optional<Error> error;       ///< Written once, before `failed`.
    std::function<void()> on_commit;  ///< Set before the commit thread starts.
};

}  // namespace telpher::log
