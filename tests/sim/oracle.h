// Judges a simulated run as it goes: what clients were told, what the broker sent, against what a queue promises. Sees
// deliveries and ends in the order the broker sends them, verdicts and settle-confirms when a client reads them. Used
// by one thread.
//
// What may go without a violation: an async queue's messages with a power cut, a memory queue's with any restart, what
// drop-oldest counted as dropped, and the fate of whatever nobody was told.
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/bytes.h"
#include "proto/base/clock.h"
#include "proto/telpher.pb.h"
#include "telpher/error.h"

namespace telpher::sim {

enum class OnFull : std::uint8_t { kBlock = 1, kReject = 2, kDropOldest = 3 };
enum class Durability : std::uint8_t { kFsync = 1, kAsync = 2, kMemory = 3 };

/// How a broker's life ended.
enum class Death : std::uint8_t { kStop, kKill, kPowerCut };

struct QueueSpec {
    std::string name;
    std::uint64_t maxsize = 1;
    OnFull on_full = OnFull::kBlock;
    Durability durability = Durability::kFsync;
    std::uint64_t lease_ms = 0;
    std::uint32_t max_attempts = 0;  ///< Above 0: its messages may become dead letters; nobody seals it before the end.
};

/// A message of the run: the payload names it.
using Serial = std::uint64_t;
std::string payload_of(Serial serial);

class Oracle {
public:
    explicit Oracle(std::vector<QueueSpec> queues);
    /// Writes down everything it is told from now on.
    void tell(std::ostream& out);
    [[nodiscard]] bool telling() const { return out_ != nullptr; }
    void note(const std::string& text);

    // --- producers ---
    /// A producer whose messages keep their order.
    std::uint64_t new_lane() { return ++lanes_; }
    /// A message is about to be put, as so many-th of its lane.
    Serial made(std::size_t queue, std::uint64_t lane, std::uint64_t position);
    void stored(Serial serial, std::uint64_t offset);
    void refused(Serial serial, Code code);
    /// It is known to be stored.
    [[nodiscard]] bool placed(Serial serial) const { return messages_[serial].offset.has_value(); }
    /// The broker says that it is stored, not where.
    void counted(Serial serial);

    // --- what the broker sends ---
    void attached(std::uint32_t sub, std::size_t queue);
    /// Tells whether an attachment stands, as the broker must see it.
    void on_ask_attached(std::function<bool(std::uint32_t sub)> ask) { is_attached_ = std::move(ask); }
    struct Delivery {
        std::uint32_t sub = 0;
        std::uint64_t offset = 0;
        std::uint32_t delivery = 0;
        std::uint32_t attempt = 0;
        Instant at;
    };
    void delivered(const Delivery& delivery, Bytes payload);
    void end_sent(std::uint32_t sub, std::uint32_t generation);

    // --- consumers ---
    /// An ack is given; returns in which life of the queue.
    std::uint64_t acked(Serial serial);
    /// Its holder says something of it, whatever: somebody else may be given it.
    void let_go(Serial serial) { messages_[serial].holder.reset(); }
    /// `taken`: what taken_over() said when it was sent.
    void ack_confirmed(Serial serial, std::uint64_t life, std::uint32_t taken);
    /// The delivery to somebody else that followed this one, if there was one; else 0.
    [[nodiscard]] std::uint32_t taken_over(Serial serial, std::uint32_t delivery) const {
        return messages_[serial].delivery > delivery ? messages_[serial].delivery : 0;
    }
    /// A nack is given: an attempt failed.
    void nacked(Serial serial) { ++messages_[serial].nacks; }
    /// It is committed, so the message does not come again before `due`.
    void nack_confirmed(Serial serial, std::uint32_t delivery, std::uint64_t life, Instant due);
    /// Who came back in time is told that the message is not his any more.
    void claim_lost(Serial serial, std::uint32_t delivery);
    void ack_lost(Serial serial, std::uint64_t life);
    /// A message is said to be dead; returns how often its queue was redriven by then. A redrive on its way may come
    /// before or after it: then nothing can be said of that death.
    [[nodiscard]] std::uint64_t killed(Serial serial) const {
        const Queue& queue = queues_[messages_[serial].queue];
        return queue.redrive_open ? UINT64_MAX : queue.redrives;
    }
    void death_confirmed(Serial serial, std::uint64_t life, std::uint64_t redrives);
    [[nodiscard]] std::uint64_t life_of(Serial serial) const { return queues_[messages_[serial].queue].life; }

    // --- the queue as a whole ---
    void seal_asked(std::size_t queue) { queues_[queue].seal_asked = true; }
    /// The generation that ended may be followed by another: from now on there may be messages again.
    void reopen_asked(std::size_t queue, std::uint32_t generation) {
        queues_[queue].ended = false;
        queues_[queue].reopened = generation;
    }
    void redrive_asked(std::size_t queue) {
        ++queues_[queue].redrives;
        queues_[queue].redrive_open = true;
    }
    /// It was answered, or its connection is gone.
    void redrive_over(std::size_t queue) { queues_[queue].redrive_open = false; }
    /// JOIN for a sealed queue was answered.
    void joined(std::size_t queue);
    /// What a client was told of the queue.
    void state(std::size_t queue, const v1::QueueState& state) { check_bound(queue, state); }
    /// How the queue stands now.
    void observed(std::size_t queue, const v1::QueueState& state);

    /// A message that is in its queue for sure, the first from `from` on.
    [[nodiscard]] std::optional<Serial> any_live(Serial from) const;
    [[nodiscard]] std::uint64_t messages() const { return messages_.size(); }

    void died(Death death);
    /// Everything was drained and settled: is all there that must be?
    void finish();

    void violation(const std::string& property, const std::string& text);
    /// The first violation; empty while there is none.
    [[nodiscard]] const std::string& verdict() const { return verdict_; }
    /// The first violation was a confirmed message that is gone.
    [[nodiscard]] bool lost() const { return lost_; }
    [[nodiscard]] std::uint64_t redelivered() const { return redelivered_; }
    [[nodiscard]] std::uint64_t confirmed() const { return confirmed_; }
    [[nodiscard]] std::uint64_t settled() const { return settled_; }

private:
    struct Message {
        std::size_t queue = 0;
        std::optional<std::uint64_t> offset = {};
        std::uint64_t lane = 0;
        std::uint64_t position = 0;  ///< In its lane.
        std::uint64_t floor = 0;     ///< One above the highest offset confirmed when it was made.
        bool stored = false;         ///< Its producer was told so.
        std::optional<Code> refused = {};
        bool delivered = false;
        std::uint32_t delivery = 0;  ///< The last.
        std::uint32_t nacks = 0;
        Instant due{};  ///< Its delivery number `due_delivery` does not come before.
        std::uint32_t due_delivery = 0;
        std::optional<std::uint32_t> holder = {};  ///< The attachment that was given it last and said nothing yet.
        bool certain = false;                      ///< It is in its queue: stored, and nobody let go of it.
        bool settled = false;                      ///< A consumer was told that its ack is committed.
        std::uint32_t acks_open = 0;               ///< Acks whose fate is unknown.
        std::optional<std::uint64_t> dead = {};    ///< A dead letter since its queue had been redriven so often.
    };
    struct Queue {
        QueueSpec spec;
        std::map<std::uint64_t, Serial> by_offset = {};
        std::uint64_t confirmed_end = 0;
        std::uint64_t certain = 0;  ///< Messages that are in it for sure.
        std::map<std::uint64_t, std::map<std::uint64_t, std::uint64_t>> lanes = {};  ///< Offsets by lane and position.
        bool seal_asked = false;
        bool ended = false;
        std::uint32_t reopened = 0;  ///< The last generation that somebody asked to go on from.
        std::uint64_t redrives = 0;
        bool redrive_open = false;  ///< One was asked for and has no answer.
        std::uint64_t dropped = 0;
        std::uint64_t life = 0;  ///< Rises when it may have lost everything: older acks say nothing any more.
    };
    struct Attachment {
        std::size_t queue = 0;
        std::optional<std::uint64_t> newest;  ///< Highest offset it was the first to be given.
    };

    void place(Serial serial, std::uint64_t offset, const char* by);
    void check_lease(Serial serial, const Delivery& delivery);
    void check_retry(Serial serial, const Delivery& delivery);
    void check_lane(Serial serial, std::uint64_t offset);
    void there_for_sure(Message& message);
    void uncertain(Message& message);
    void check_bound(std::size_t queue, const v1::QueueState& state);
    void check_over(std::size_t queue, const char* what);
    void forget(std::size_t queue);
    [[nodiscard]] std::string name(Serial serial) const;

    std::vector<Queue> queues_;
    std::vector<Message> messages_;  // by serial
    std::uint64_t lanes_ = 0;
    std::map<std::uint32_t, Attachment> attachments_;
    std::function<bool(std::uint32_t)> is_attached_;
    std::ostream* out_ = nullptr;
    std::string verdict_;
    bool lost_ = false;
    std::uint64_t redelivered_ = 0;
    std::uint64_t confirmed_ = 0;
    std::uint64_t settled_ = 0;
};

}  // namespace telpher::sim
