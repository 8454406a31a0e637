// Messages that were put and not sent yet, gathered into batches. A batch is taken when it is full; a part-filled one
// only when the taker says so (nothing is in flight, or a confirm just came): Nagle's rule, so that a lone message goes
// at once and a stream goes in large batches, without a delay to tune. Pure; guarded by its owner.
//
// Invariants: sequences rise; those of one batch are dense; only the last batch is open.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "producer/range.h"
#include "proto/batch.h"
#include "proto/session/queue_impl.h"

namespace telpher::producer {

using session::Under;

class Batcher {
public:
    struct Unsent {
        batch::Builder builder;
        std::uint64_t first = 0;
        Under under;
        bool full = false;  ///< Takes no more.
    };

    explicit Batcher(std::size_t target_bytes) : target_bytes_(target_bytes) {}

    /// Appends a message that fits (batch::check_record). True if a batch is full now that was not before.
    bool append(std::uint64_t sequence, const batch::RecordIn& record, Under under);
    /// The oldest batch, if it is full or `partial`.
    [[nodiscard]] std::optional<Unsent> take(bool partial);
    /// Gives back the memory of a builder that was sealed.
    void recycle(batch::Builder builder);
    /// Takes the messages of `range` out; those that were here are appended to `removed`.
    void cancel(Range range, std::vector<Range>& removed);

    [[nodiscard]] bool empty() const { return batches_.empty(); }
    [[nodiscard]] std::size_t batches() const { return batches_.size(); }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    /// The first sequence that is here; only if not empty.
    [[nodiscard]] std::uint64_t first() const { return batches_.front().first; }

private:
    Unsent& open(std::uint64_t sequence, Under under);
    void split(std::uint64_t sequence);

    std::size_t target_bytes_;
    std::size_t bytes_ = 0;
    std::deque<Unsent> batches_;
    std::vector<batch::Builder> spare_;
};

}  // namespace telpher::producer
