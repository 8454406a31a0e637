// The queue as simple as it can be said: one object per message, one pass over all of them per question. What Queue
// does with runs must be the same. For tests; slow on purpose.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "broker/queue/queue.h"
#include "broker/queue/ranges.h"

namespace telpher::queue {

class ReferenceQueue {
public:
    enum class Where { kGone, kReady, kLeased, kDelayed, kHeld, kDead };
    struct Message {
        Where where = Where::kReady;
        Tries tries;
        ConsumerId consumer;
        Instant at;  // deadline, due or end of the hold
        bool unclaimed = false;
        std::uint64_t batch = 0;
        std::uint32_t index = 0;
        std::uint64_t bytes = 0;
        [[nodiscard]] bool in_hands() const { return where == Where::kLeased || where == Where::kHeld; }
        DeathNote note = {};
        [[nodiscard]] bool gone() const { return where == Where::kGone; }
        [[nodiscard]] bool live() const { return where != Where::kGone && where != Where::kDead; }
    };
    struct Ticket {
        std::uint32_t count, taken;
        std::uint64_t bytes;
        std::optional<Range> under;
        bool before_seal;
    };
    struct Credit {
        std::uint64_t messages = 0, bytes = 0, messages_max = 0, bytes_max = 0;
        [[nodiscard]] bool left() const { return messages < messages_max && bytes < bytes_max; }
    };
    /// One message of a Grant or of Peeked.
    struct Given {
        std::uint64_t consumer, offset, batch;
        std::uint32_t index;
        Tries tries;
        std::uint64_t bytes;
        bool operator==(const Given&) const = default;
    };

    explicit ReferenceQueue(Options with) : options(with) {}

    Offered offer(const Put& put);
    std::optional<Admission> admit_next();
    void stored(std::uint64_t batch, Range range, std::uint64_t bytes);
    [[nodiscard]] std::optional<TicketId> next_admission() const;
    std::uint32_t cancel(TicketId ticket);
    void shrink(TicketId ticket, std::uint32_t count, std::uint64_t bytes);
    [[nodiscard]] std::uint64_t room() const;

    std::vector<ReturnedRange> detach(ConsumerId consumer);
    void hold(ConsumerId consumer, Instant until);
    std::vector<Given> deliver(Instant now, std::uint64_t messages_max);
    Settled settle(ConsumerId consumer, Range range, std::uint32_t delivery, const Ruling& ruling, Instant now);
    std::vector<ReturnedRange> redrive(Range range, std::uint64_t messages_max);
    std::vector<Range> drop_dead(Range range, std::uint64_t messages_max);
    std::vector<Range> extend(ConsumerId consumer, Range range, std::uint32_t delivery, Instant now, Duration lease);
    std::vector<Range> claim(ConsumerId consumer, Range range, std::uint32_t delivery, Instant now);
    void claim_begin(ConsumerId consumer);
    std::vector<ReturnedRange> claim_end(ConsumerId consumer);
    [[nodiscard]] std::vector<Given> recall(std::uint64_t messages_max) const;
    Queue::Ended run_timers(Instant now, const DeathNote& note);
    [[nodiscard]] Instant next_due() const;
    void restart(Offset mark, Offset again, Instant hold_end, Instant now);

    bool seal();
    void reopen();
    [[nodiscard]] bool sealed() const { return seal_asked && !seal_waits(); }

    [[nodiscard]] std::uint64_t count(Where where) const;
    [[nodiscard]] std::uint64_t live() const { return messages.size() - count(Where::kGone) - count(Where::kDead); }
    [[nodiscard]] std::uint64_t in_hands() const { return count(Where::kLeased) + count(Where::kHeld); }
    [[nodiscard]] std::uint64_t bytes() const;
    [[nodiscard]] std::uint64_t floor() const;

    Options options;
    std::vector<Message> messages;  // by offset
    std::map<TicketId, Ticket> line;
    std::map<ConsumerId, Credit> consumers;
    Counters counters;
    std::uint64_t visible = 0;
    std::uint64_t delivered_mark = 0;
    bool seal_asked = false;
    bool paused = false;

private:
    struct Step {
        TicketId ticket;
        std::uint32_t count;
        Code refused;
        std::uint64_t quota;  // of the turn it belongs to
    };
    [[nodiscard]] std::optional<Step> plan() const;
    [[nodiscard]] std::uint32_t fitting(const Ticket& ticket, std::uint64_t most) const;
    [[nodiscard]] std::uint64_t turn_room() const;
    [[nodiscard]] std::optional<TicketId> deadlocked() const;
    [[nodiscard]] const std::pair<const TicketId, Ticket>* next_in_turn() const;
    std::vector<Range> make_room(std::uint64_t count, std::uint64_t bytes);
    [[nodiscard]] bool seal_waits() const;
    [[nodiscard]] Message* first_ready(std::uint64_t below);
    [[nodiscard]] Instant lease_end(Instant now) const;
    [[nodiscard]] bool worn_out(const Message& message) const {
        return options.max_attempts > 0 && message.tries.attempts >= options.max_attempts;
    }
    void bury(std::uint64_t at, const DeathNote& note, std::vector<Died>& died);
    /// Calls visit(offset, message) for what is in the range; returns the part above all messages.
    template <class Visit>
    Range each(Range range, Visit visit);
    [[nodiscard]] static std::uint64_t minus(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; }
    [[nodiscard]] static std::uint64_t cost(std::uint64_t count, std::uint64_t bytes, std::uint64_t index) {
        return bytes * (index + 1) / count - bytes * index / count;
    }

    std::uint64_t turn_quota_ = 0;  // 0 = no turn yet
    TicketId turn_last_;
    TicketId turn_served_;
    ConsumerId last_consumer_;
};

}  // namespace telpher::queue
