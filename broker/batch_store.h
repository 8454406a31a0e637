// The batches a shard holds messages of: where each lies in the log, and the recent ones in memory, so that a consumer
// that keeps up never causes a read. Owned by the shard thread; lives as long as the shard.
//
// Invariants: (1) a body is evicted only if it can be read back (it has a committed position); (2) the bodies in memory
// take at most the cache's bytes, beside those that cannot be evicted yet; (3) a number is never reused.
#pragma once

#include <deque>
#include <optional>
#include <unordered_map>

#include "broker/log/log.h"
#include "broker/queue/queue.h"
#include "proto/batch.h"

namespace telpher::broker {

using queue::BatchRef;

class BatchStore {
public:
    explicit BatchStore(std::size_t cache_bytes_max) : cache_bytes_max_(cache_bytes_max) {}

    struct Entry {
        log::Position position;  ///< bytes == 0: in memory only.
        QueueId queue;
        Instant since;        ///< When it was admitted; of one from before the start, when it was put.
        bool pinned = false;  ///< Not committed yet, or memory only.
        std::optional<batch::View> body;
    };

    /// A batch just admitted; `view` holds exactly the admitted messages. Pinned until unpin() if it has a position.
    BatchRef add(QueueId queue, batch::View view, const log::Position& position, Instant now);
    /// A batch found in the log.
    BatchRef add_stored(QueueId queue, const log::Position& position, Instant since);
    /// The batch is committed: its body may be evicted.
    void unpin(BatchRef ref);
    /// The body came back from the log.
    void loaded(BatchRef ref, batch::View view);
    /// nullptr if no message of it is live any more.
    [[nodiscard]] Entry* find(BatchRef ref);
    void erase(BatchRef ref);
    [[nodiscard]] std::size_t cached_bytes() const { return cached_bytes_; }
    [[nodiscard]] std::size_t size() const { return entries_.size(); }

private:
    void evict();

    const std::size_t cache_bytes_max_;
    std::unordered_map<BatchRef, Entry> entries_;
    std::deque<BatchRef> recent_;  // evictable bodies, oldest first; may name erased ones
    std::size_t cached_bytes_ = 0;
    BatchRef next_{1};
};

}  // namespace telpher::broker
