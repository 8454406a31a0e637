// Takes puts: checks them, keeps them in line while their queue is full, admits them in turn, logs them, and tells the
// verdicts once they are safe. Owned by the shard thread; lives as long as the shard.
//
// A ticket is the new part of one PUT. Of each producer only the first ticket is in its queue's line; the others wait
// behind it, so a producer's messages stay in order. A ticket that must wait leaves the session's account at once (one
// full queue never blocks another); what a producer has waiting beyond kParkedBodyBytes, or the shard beyond
// kParkedBytesMax, keeps its place but not its body, and ROOM asks for that again when its turn comes.
#pragma once

#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "broker/core.h"

namespace telpher::broker {

class GetDesk;

class PutDesk {
public:
    PutDesk(Core& core, const GetDesk& gets) : core_(core), gets_(gets) {}

    void open_producer(Session& session, const v1::OpenProducer& request);
    void close_producer(Session& session, const v1::CloseProducer& request);
    /// An error is fatal to the connection.
    Result<void> put(Session& session, const v1::Put& header, const Slice& body);
    void cancel(Session& session, const v1::Cancel& request);

    /// Admits what there is room for.
    void admit(HostedQueue& queue);
    /// Tells the verdicts that became safe.
    void tell(HostedQueue& queue);
    /// The session's connection ended: its producers wait for it to come back.
    void disconnected(const Session& session);
    /// The session is over: its producers, with what they have in line, are orphans until another one opens them.
    void session_over(const Session& session);
    /// The session said BYE: its producer is closed, what it has in line leaves.
    void close_quietly(QueueId queue, ProducerId producer, SessionId session);
    /// The queue is being removed: what is in its line is refused.
    void queue_removed(HostedQueue& queue);
    /// Producers nobody has used for long are forgotten; open ones without a session are closed.
    void expire(HostedQueue& queue);
    /// SEAL was asked: it goes in line behind every put that came before it.
    void seal_asked(HostedQueue& queue);
    /// Starts numbering producers of this boot.
    void start(std::uint64_t boot) { boot_ = boot; }

    [[nodiscard]] std::size_t parked_bytes() const { return parked_bytes_; }

private:
    /// A run of sequences of a ticket: to be put, or cancelled meanwhile.
    struct Run {
        Sequence first;
        std::uint32_t count = 0;
        std::uint32_t index = 0;  ///< In the batch.
        bool cancelled = false;
    };
    struct Ticket {
        TicketId id;
        QueueId queue;
        ProducerId producer;
        SessionId session;
        PeerId peer;
        HandleId handle;
        Sequence put_first;     ///< First sequence of the PUT that brought it (ROOM names it).
        std::vector<Run> runs;  ///< What is left, in order.
        std::optional<batch::View> body;
        std::uint64_t bytes = 0;    ///< Of the records still to be admitted (an estimate once cut).
        std::uint64_t account = 0;  ///< Body bytes still on the session's account.
        std::optional<queue::Range> under;
        Code refusal = Code::kOk;  ///< Known from the start: told when its turn comes.
        bool in_line = false;
        bool parked = false;  ///< PARKED was told; the body (if any) counts as parked.
        bool room_asked = false;
        Instant room_until;
        Instant since;
        Instant arrived;
        [[nodiscard]] Sequence first() const { return runs.front().first; }
        [[nodiscard]] Sequence end() const { return runs.back().first + runs.back().count; }
    };

    // Producers that have a name: put_desk_names.cpp.
    [[nodiscard]] Result<ProducerId> producer_to_open(const Session& session, const HostedQueue& queue,
                                                      const v1::OpenProducer& request);
    [[nodiscard]] Result<void> check_opener(const Session& session, const HostedQueue& queue,
                                            const v1::OpenProducer& request) const;
    void give_name(HostedQueue& queue, Producer& producer, const std::string& name);
    void fence(HostedQueue& queue, Producer& producer);
    [[nodiscard]] bool is_idle(const Producer& producer) const;
    void forget_idle(HostedQueue& queue, const Producer& producer);
    [[nodiscard]] static bool leaves_hole(const Producer& producer, Sequence first);

    void refuse_put(const Session& session, HandleId handle, const batch::Header& header, Code code);
    Producer* producer_of(const Session& session, HostedQueue& queue, ProducerId id);
    TicketId take_part(HostedQueue& queue, Producer& producer, const Session& session, const batch::View& view,
                       const queue::ProducerWindow::Part& part, const v1::Put& header);
    void give_bodies(Producer& producer, const batch::View& view);
    /// Puts the producer's first ticket in the queue's line, if it has one that is not.
    void place_first(HostedQueue& queue, Producer& producer);
    /// Asks for the body of the ticket whose turn it is. False: its producer did not answer in time and must not hold
    /// up the others; the ticket is at the end of the line now.
    bool ask_for_body(HostedQueue& queue, Ticket& ticket);
    void move_to_end(HostedQueue& queue, Producer& producer);
    void store(HostedQueue& queue, Producer& producer, Ticket& ticket, const queue::Admission& admission);
    void store_run(HostedQueue& queue, const Ticket& ticket, std::uint32_t index, std::uint32_t count, Offset first);
    void decide(HostedQueue& queue, Producer& producer, const queue::SequenceVerdict& verdict);
    void tell_skipped(HostedQueue& queue, Producer& producer);
    void tell_below(HostedQueue& queue, const Producer& producer, Sequence end);
    void pass_cancelled(HostedQueue& queue, Producer& producer, Ticket& ticket);
    void refuse_rest(HostedQueue& queue, Producer& producer, Ticket& ticket, Code code);
    void finish_first(HostedQueue& queue, Producer& producer);
    void park(HostedQueue& queue, Producer& producer, Ticket& ticket);
    void drop_body(Ticket& ticket);
    void leave_account(Ticket& ticket);
    void settle_account(SessionId session, PeerId peer, HandleId handle, std::uint64_t bytes);
    void orphan(HostedQueue& queue, Producer& producer);
    void confirm_later(HostedQueue& queue, Producer& producer);
    void confirm(HostedQueue& queue, Producer& producer);
    void cancel_in(HostedQueue& queue, Ticket& ticket, Sequence first, Sequence end, v1::Confirm& told,
                   std::uint64_t& told_end);
    void refuse_all(HostedQueue& queue, Producer& producer, Code code);
    void close(HostedQueue& queue, Producer& producer);
    void seal_when_in_line(HostedQueue& queue);

    Core& core_;
    const GetDesk& gets_;
    std::unordered_map<TicketId, Ticket> tickets_;
    std::size_t parked_bytes_ = 0;
    std::uint64_t boot_ = 0;
    std::uint32_t next_producer_ = 1;
    TicketId next_ticket_{1};
};

}  // namespace telpher::broker
