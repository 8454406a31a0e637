// What a Queue is made of. Included by the files that implement Queue and by nothing else.
#pragma once

#include <optional>
#include <vector>

#include "broker/queue/consumers.h"
#include "broker/queue/ledger.h"
#include "broker/queue/line.h"
#include "broker/queue/queue.h"
#include "broker/queue/ranges.h"

namespace telpher::queue {

struct Queue::State {
    explicit State(Options with) : options(with) {}

    /// What admit_next() would do.
    struct Step {
        TicketId ticket;
        std::uint32_t count = 0;
        Code refused = Code::kOk;
    };

    // Admission (puts.cpp).
    [[nodiscard]] std::uint64_t staying() const;
    [[nodiscard]] std::uint64_t room_for_turn() const;
    [[nodiscard]] std::uint32_t fitting(const Line::Ticket& ticket) const;
    /// How many of `left` messages, the first of them `index` of those that weigh `mean`, come in beside `stays`
    /// messages of `bytes`. One that is larger than the whole bound would wait for ever: it goes in alone.
    [[nodiscard]] std::uint64_t fitting(const MeanBytes& mean, std::uint64_t index, std::uint64_t left,
                                        std::uint64_t stays, std::uint64_t bytes) const;
    [[nodiscard]] std::optional<Step> plan() const;
    [[nodiscard]] std::optional<TicketId> deadlocked() const;
    [[nodiscard]] std::uint64_t excess_messages(std::uint64_t count) const;
    [[nodiscard]] std::uint64_t excess_bytes(std::uint64_t bytes) const;
    std::vector<Range> make_room(std::uint64_t count, std::uint64_t bytes);

    // Delivery (delivery.cpp).
    std::uint64_t serve(ConsumerId consumer, std::uint64_t want, Instant now, std::vector<Grant>& out);
    [[nodiscard]] Spread next_lot(const Segment& ready, const Consumers::Credit& credit, std::uint64_t most) const;
    /// Messages that may be granted now; may be too few if some between them were dropped, but not 0 then.
    [[nodiscard]] std::uint64_t grantable() const;
    [[nodiscard]] Instant lease_end(Instant now) const;
    /// Leases and holds that end go back to ready.
    void give_back(const Segment& segment, Tries tries, std::vector<ReturnedRange>& returned);

    // Settling (settle.cpp).
    void settle(const Segment& segment, ConsumerId consumer, std::uint32_t delivery, const Ruling& ruling, Instant now,
                Settled& result);
    /// An ack of a lease, or of a part of one.
    void finish(const Spread& lease, Settled& result);
    /// The handling failed: again now, later, or never.
    void fail(const Segment& segment, Tries tries, const Ruling& ruling, Instant now, Settled& result);
    /// True if a message whose handling failed so often is a dead letter.
    [[nodiscard]] bool worn_out(Tries tries) const {
        return options.max_attempts > 0 && tries.attempts >= options.max_attempts;
    }
    void bury(const Segment& segment, Tries tries, const DeathNote& note, std::vector<Died>& died);

    void raise_high_water();

    Options options;
    Ledger ledger;
    Line line;
    Consumers consumers;
    Counters counters;
    Offset delivered_mark;
    Offset allowed{UINT64_MAX};  ///< Nothing from here on is granted.
    bool paused = false;
};

}  // namespace telpher::queue
