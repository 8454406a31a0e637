// The batches that hold live messages, by first offset: which batch an offset lies in, what its messages weigh, how
// many of them still live. One small entry per batch. Pure; a part of one queue.
//
// Invariants: (1) batches are disjoint; (2) a batch is here exactly while a message of it lives; (3) bytes() is the sum
// over the live messages, each counted as the mean of its batch.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "broker/queue/mean_bytes.h"
#include "broker/queue/queue.h"

namespace telpher::queue {

class BatchIndex {
public:
    /// The part of a range that lies in one batch.
    struct Place {
        BatchRef batch;
        std::uint32_t index = 0;  ///< In the batch, of range.first.
        Range range;
        MeanBytes mean;  ///< Of the batch.
        [[nodiscard]] std::uint64_t bytes() const { return mean.of(index, range.count); }
    };

    /// All messages of a new batch live.
    void add(BatchRef batch, Range range, std::uint64_t bytes);
    /// The batch that holds `range.first`, with as much of `range` as is in it. The first message must live.
    [[nodiscard]] Place place(Range range) const;
    /// Bytes of live messages.
    [[nodiscard]] std::uint64_t bytes(Range range) const;
    /// These live messages are gone; returns their bytes.
    std::uint64_t release(Range range);

    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
    [[nodiscard]] std::size_t size() const { return batches_.size(); }
    /// What release() took since the last call; a batch may be in it more than once.
    std::vector<Freed> take_freed() { return std::exchange(freed_, {}); }

    /// Calls `visit(Range of the batch, live messages)` for each batch, in order.
    template <class Visit>
    void each(Visit visit) const {
        for (const auto& [first, batch] : batches_) visit(Range{first, batch.count}, batch.live);
    }

private:
    struct Batch {
        BatchRef ref;
        std::uint64_t bytes;
        std::uint32_t count;
        std::uint32_t live;
    };
    using Batches = std::map<Offset, Batch>;
    template <class Map>
    [[nodiscard]] static auto holding(Map& batches, Offset offset);
    [[nodiscard]] static Place place_in(Batches::const_iterator batch, Range range);

    Batches batches_;
    std::uint64_t bytes_ = 0;
    std::vector<Freed> freed_;
};

}  // namespace telpher::queue
