// The batches that hold live messages, by first offset: which batch an offset lies in, what its messages weigh, how
// many of them still live. One small entry per batch, side by side in nodes of a B-tree. Pure; a part of one queue.
//
// Invariants: (1) batches are disjoint; (2) a batch is here exactly while a message of it lives; (3) bytes() is the sum
// over the live messages, each counted as the mean of its batch.
#pragma once

#include <absl/container/btree_map.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "broker/queue/mean_bytes.h"
#include "broker/queue/offset_set.h"
#include "broker/queue/queue.h"

namespace telpher::queue {

class BatchIndex {
public:
    /// The part of a range that lies in one batch.
    struct Place {
        BatchRef batch;
        std::uint32_t index = 0;  ///< In the batch, of range.first.
        Range range;
        MeanBytes mean;      ///< Of the batch ...
        std::uint64_t at{};  ///< ... in which range.first has this number.
        WallTime put;
        Offset piece;  ///< The first message of the batch, or of the piece of it that is kept as one.
        [[nodiscard]] std::uint64_t bytes() const { return mean.of(at, range.count); }
    };

    /// All messages of a new batch live.
    void add(const StoredBatch& batch);
    /// The batch that holds `range.first`, with as much of `range` as is in it. The first message must live.
    [[nodiscard]] Place place(Range range) const;
    /// Bytes of live messages.
    [[nodiscard]] std::uint64_t bytes(Range range) const;
    /// Bytes of all that is live in `range`, which may have holes: those that are not `present`.
    [[nodiscard]] std::uint64_t bytes(Range range, const OffsetSet& present) const;
    /// A batch, or a piece of one, of which only some messages live; which ones is known elsewhere.
    void restore(const LiveBatch& batch);
    /// The numbers make sense, and nothing is there yet.
    [[nodiscard]] bool fits(const LiveBatch& batch) const;
    [[nodiscard]] std::uint64_t live() const;  ///< Messages; goes through all batches.
    /// These live messages are gone; returns their bytes.
    std::uint64_t release(Range range);
    /// The same of what is `present` in `range`.
    std::uint64_t release(Range range, const OffsetSet& present);
    /// Both for a caller who knows how many messages that is, which spares counting them if they are of one batch.
    [[nodiscard]] std::uint64_t bytes(Range range, const OffsetSet& present, std::uint64_t messages) const;
    std::uint64_t release(Range range, const OffsetSet& present, std::uint64_t messages);
    /// The batches of what is `present` in `range`, for messages next to each other in one: calls `visit(Place)`.
    template <class Visit>
    void places(Range range, const OffsetSet& present, Visit visit) const;
    /// Nothing of `range` is in these batches any more: what is left of them beside it, if `present`, becomes pieces.
    void carve(Range range, const OffsetSet& present);
    /// A piece of a batch, or all of it, is stored in another place; it must weigh what it did, and nothing else of the
    /// batch be `present` between its messages.
    void relocate(const LiveBatch& moved, const OffsetSet& present);

    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
    [[nodiscard]] std::size_t size() const { return batches_.size(); }
    /// What release() took since the last call; a batch may be in it more than once.
    std::vector<Freed> take_freed() { return std::exchange(freed_, {}); }

    /// Calls `visit(LiveBatch)` for each batch, in order.
    template <class Visit>
    void each(Visit visit) const {
        for (const auto& [first, batch] : batches_) visit(stored(first, batch));
    }

private:
    /// A batch, or a piece of one. There may be millions of them: 40 bytes, and 8 for the key.
    struct Batch {
        BatchRef ref;
        std::uint32_t bytes;     // of the whole batch ...
        std::uint32_t of_count;  // ... and its messages: what one weighs
        std::uint32_t at;        // of the piece in it
        std::uint32_t count;     // of the piece, as all that follows
        std::uint32_t live;
        std::uint32_t live_bytes;
        std::uint32_t index;        // of the first message in what `ref` names
        std::uint32_t put_seconds;  // wall clock
    };
    using Batches = absl::btree_map<Offset, Batch>;
    template <class Map>
    [[nodiscard]] static auto holding(Map& batches, Offset offset);
    [[nodiscard]] static Place place_in(Batches::const_iterator batch, Range range);
    [[nodiscard]] static LiveBatch stored(Offset first, const Batch& batch);
    /// The first batch that ends above `at`.
    template <class Map>
    [[nodiscard]] static auto ending_above(Map& batches, Offset at);
    /// The part of `range` in that batch: calls `visit(Range)` for what is present in it, next to each other.
    template <class Visit>
    static void each_run(Batches::const_iterator batch, Range range, const OffsetSet& present, Visit visit);
    /// What is present of `range` in that batch.
    struct Weight {
        std::uint64_t messages = 0;
        std::uint64_t bytes = 0;
    };
    [[nodiscard]] static Weight weigh(Batches::const_iterator batch, Range range, const OffsetSet& present);
    /// A part of it, of which that much lives.
    [[nodiscard]] static Batch part_of(const Batch& batch, std::uint64_t skipped, std::uint64_t count, Weight live);
    /// Enters it, if anything of it lives.
    void enter(Offset first, const Batch& batch);
    /// What `messages` of `range` weigh, if that can be said without looking: in one batch, where all weigh the same.
    [[nodiscard]] static std::optional<std::uint64_t> alike(Batches::const_iterator batch, Range range,
                                                            std::uint64_t messages);
    /// Takes so much off a batch and notes it; returns the next one, as it may be over then.
    Batches::iterator take(Batches::iterator batch, std::uint64_t messages, std::uint64_t bytes);

    Batches batches_;
    std::uint64_t bytes_ = 0;
    std::vector<Freed> freed_;
};

template <class Map>
auto BatchIndex::ending_above(Map& batches, Offset at) {
    auto batch = batches.upper_bound(at);
    if (batch != batches.begin() && std::prev(batch)->first + std::prev(batch)->second.count > at) --batch;
    return batch;
}

template <class Visit>
void BatchIndex::each_run(Batches::const_iterator found, Range range, const OffsetSet& present, Visit visit) {
    const auto& [first, batch] = *found;
    const Offset from = std::max(first, range.first);
    const Offset end = std::min(first + batch.count, range.end());
    if (from >= end) return;
    if (batch.live == batch.count) return visit(Range{from, end - from});
    present.each_run({from, end - from}, visit);
}

template <class Visit>
void BatchIndex::places(Range range, const OffsetSet& present, Visit visit) const {
    for (auto batch = ending_above(batches_, range.first); batch != batches_.end() && batch->first < range.end();
         ++batch) {
        each_run(batch, range, present, [&](Range run) { visit(place_in(batch, run)); });
    }
}

}  // namespace telpher::queue
