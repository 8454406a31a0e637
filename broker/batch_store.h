// The bodies of batches that a shard has in memory: those not committed yet, those of memory queues, and the recent
// ones, so that a consumer that keeps up never causes a read. Owned by the shard thread; lives as long as the shard.
//
// A BatchRef says by itself where a batch lies in the log, so that a batch that is not in memory costs nothing here.
//
// Invariants: (1) a body is evicted only if it can be read back (it has a committed position); (2) the bodies in memory
// take at most the cache's bytes, beside those that cannot be evicted yet.
#pragma once

#include <deque>
#include <optional>
#include <unordered_map>

#include "broker/log/log.h"
#include "broker/queue/queue.h"
#include "proto/batch.h"

namespace telpher::broker {

using queue::BatchRef;

/// The number of the batch whose record is at `position`.
[[nodiscard]] BatchRef ref_of(const log::Position& position);
/// Where the record of a batch is; nothing if it is in memory only.
[[nodiscard]] std::optional<log::Position> position_of(BatchRef ref);

class BatchStore {
public:
    explicit BatchStore(std::size_t cache_bytes_max) : cache_bytes_max_(cache_bytes_max) {}

    struct Entry {
        batch::View body;
        Instant since;        ///< When it was admitted; of one that was read back, when it was put.
        bool pinned = false;  ///< Not committed yet, or memory only.
    };

    /// A number for a batch that is in memory only; never given again.
    BatchRef memory_ref();
    /// A batch just admitted; `view` holds exactly the admitted messages. Pinned until unpin().
    void add(BatchRef ref, batch::View view, Instant now);
    /// The batch is committed: its body may be evicted, unless it is in memory only.
    void unpin(BatchRef ref);
    /// The body came back from the log.
    void loaded(BatchRef ref, batch::View view, Instant since);
    /// nullptr if it is not in memory.
    [[nodiscard]] Entry* find(BatchRef ref);
    /// It is hardly wanted any more: nothing of it lives, or of a part of it.
    void erase(BatchRef ref);
    [[nodiscard]] std::size_t cached_bytes() const { return cached_bytes_; }
    [[nodiscard]] std::size_t size() const { return entries_.size(); }

private:
    void evict();

    const std::size_t cache_bytes_max_;
    std::unordered_map<BatchRef, Entry> entries_;
    std::deque<BatchRef> recent_;  // evictable bodies, oldest first; may name erased ones
    std::size_t cached_bytes_ = 0;
    std::uint64_t next_memory_ref_ = 0;
};

}  // namespace telpher::broker
