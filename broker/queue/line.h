// The line of puts that wait for room: who is next, how much of it a turn lets in, and the seal that waits with them.
// Owned by one Queue.
//
// A turn goes once round the line. Its quota and its last ticket are fixed when it begins, so newcomers wait for the
// next turn, and it survives a lack of room in the middle: the next room goes to who has not had any in this turn. A
// ticket stays at its place until all of it is in. It knows nothing of producers: who needs his puts in order offers
// them one after the other.
//
// Invariants: (1) tickets are in the order of their numbers; (2) each has messages left; (3) the seal is waiting
// exactly while tickets that were in line before it still are.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "broker/queue/mean_bytes.h"
#include "broker/queue/queue.h"

namespace telpher::queue {

class Ledger;

class Line {
public:
    struct Ticket {
        TicketId id;
        MeanBytes mean;           ///< Of the whole put.
        std::uint32_t taken = 0;  ///< Messages of it that are in already.
        std::optional<Offset> under = {};
        bool before_seal = false;
        [[nodiscard]] std::uint32_t left() const { return static_cast<std::uint32_t>(mean.count()) - taken; }
    };
    /// What a turn would serve next, and how much of it at most.
    struct Next {
        const Ticket* ticket;
        std::uint64_t quota;
    };

    [[nodiscard]] bool empty() const { return tickets_.empty(); }
    [[nodiscard]] std::size_t size() const { return tickets_.size(); }
    [[nodiscard]] const Ticket& first() const { return tickets_.begin()->second; }
    [[nodiscard]] const Ticket& at(TicketId id) const;

    void add(const Put& put);
    /// Takes the ticket out; returns how many of its messages were waiting (0 = not in line).
    std::uint32_t remove(TicketId id);

    /// The ticket goes on as `renamed`, the highest number of all: it is the last in line.
    void move_to_end(TicketId id, TicketId renamed);
    void forget_lease(TicketId id);

    /// `count` of what the ticket has left are not wanted any more; fewer than it has left.
    void shrink(TicketId id, std::uint32_t count, std::uint64_t bytes);

    /// Whose turn it is; the line is not empty. A turn that would begin now has a quota from `room`.
    [[nodiscard]] Next next(std::uint64_t room) const;
    /// `count` messages of the ticket are in; its turn is over. Returns true if it left the line. `room` as in next().
    bool serve(TicketId id, std::uint32_t count, std::uint64_t room);
    /// The same without a turn: the ticket was served out of the round (policy reject).
    bool take(TicketId id, std::uint32_t count);

    /// The oldest ticket made under a lease, if every leased message has such a ticket in line; else nullopt.
    [[nodiscard]] std::optional<TicketId> waits_for_itself(const Ledger& ledger) const;

    // --- the seal ---
    [[nodiscard]] bool sealed() const { return seal_ == Seal::kSealed; }
    /// Sealed, or a seal is in line.
    [[nodiscard]] bool sealing() const { return seal_ != Seal::kOpen; }
    bool seal();
    void reopen();
    /// True once for each seal that reached the front.
    bool take_sealed_now() { return std::exchange(sealed_now_, false); }
    void restore_sealed() { seal_ = Seal::kSealed; }

    void check_all() const;

private:
    enum class Seal : std::uint8_t { kOpen, kWaiting, kSealed };

    void leave(std::map<TicketId, Ticket>::iterator found);
    void reach_seal();
    /// Who is next in the turn that has begun; nullptr = it is over.
    [[nodiscard]] const Ticket* next_in_turn() const;

    std::map<TicketId, Ticket> tickets_;
    std::set<std::pair<Offset, TicketId>> under_;  // those made under a lease

    struct Turn {
        TicketId served;  // up to this one
        TicketId last;
        std::uint64_t quota = 0;
    };
    std::optional<Turn> turn_;

    Seal seal_ = Seal::kOpen;
    std::size_t before_seal_ = 0;  // while it waits: tickets before it
    bool sealed_now_ = false;
};

}  // namespace telpher::queue
