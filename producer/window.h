// Batches that were sent and have no verdict for all their messages yet: what must be sent again on a new connection,
// in order and unchanged (but for what a broker that was started again does not know any more: that is cut out), and
// what may be sent now (byte limit of the handle, PUTs in flight, and a batch that is parked at the broker stops those
// behind it). Pure; owned by the engine thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "producer/range.h"
#include "proto/base/slice.h"
#include "proto/session/queue_impl.h"

namespace telpher::producer {

using session::Under;

class Window {
public:
    struct Batch {
        enum class State : std::uint8_t {
            kUnsent,  ///< Not on this connection yet.
            kSent,
            kParked,  ///< Waits in line at the broker.
            kAsked,   ///< Was parked; there is room, and the broker asked for it again.
        };
        Slice bytes;
        std::uint64_t first = 0;
        std::uint32_t count = 0;
        Under under;
        State state = State::kUnsent;

        [[nodiscard]] std::uint64_t end() const { return first + count; }
    };

    /// Leaves only what `undecided` names of each batch, cut out of it. Between connections.
    void keep(const std::function<std::vector<Range>(Range)>& undecided);
    /// The messages that are larger than that. Between connections.
    [[nodiscard]] std::vector<Range> larger_than(std::size_t message_bytes_max) const;
    /// A new connection: nothing was sent on it yet.
    void connected(std::uint64_t byte_limit, std::size_t in_flight_max);
    void raise_limit(std::uint64_t byte_limit);

    /// A batch never sent before. Its sequences are above all others.
    void push(Batch batch);
    /// The batch to send now; nullptr: none may go.
    [[nodiscard]] Batch* next();
    /// True if a new batch could be pushed and sent at once.
    [[nodiscard]] bool takes_new() const;
    /// next() is on its way.
    void sent(Batch& batch);

    /// The batch that starts at `first` waits in line.
    void parked(std::uint64_t first);
    /// There is room for the batch that starts at `first`: it may be sent again.
    void asked(std::uint64_t first);
    /// Every sequence below `below` has its verdict.
    void decided(std::uint64_t below);
    void clear();

    [[nodiscard]] bool empty() const { return batches_.empty(); }
    [[nodiscard]] std::size_t size() const { return batches_.size(); }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    /// Where the oldest batch that may have to be sent again starts; `otherwise` if there is none.
    [[nodiscard]] std::uint64_t first(std::uint64_t otherwise) const;
    /// True if `sequence` is in a batch that was sent on this connection.
    [[nodiscard]] bool is_sent(std::uint64_t sequence) const;

private:
    [[nodiscard]] Batch* find(std::uint64_t first);
    [[nodiscard]] bool may_send() const { return sent_bytes_ < byte_limit_; }

    std::deque<Batch> batches_;  // in sequence order
    std::size_t bytes_ = 0;
    std::size_t unsent_ = 0;        // kUnsent; they are the last ones
    std::size_t parked_ = 0;        // kParked
    std::size_t asked_ = 0;         // kAsked
    std::uint64_t sent_bytes_ = 0;  // on this connection
    std::uint64_t byte_limit_ = 0;
    std::size_t in_flight_max_ = 0;
};

}  // namespace telpher::producer
