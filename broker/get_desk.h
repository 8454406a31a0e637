// Gives messages to consumers and takes their verdicts: attach, credit, deliver, settle, extend, detach. Owned by the
// shard thread; lives as long as the shard.
//
// A grant whose body is not in memory waits for it, and those of the same consumer behind it; the others go on. A
// connection that ends leaves its leases held for a resume.
#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "broker/background.h"
#include "broker/core.h"

namespace telpher::broker {

class GetDesk {
public:
    GetDesk(Core& core, Background& background) : core_(core), background_(background) {}

    void attach(Session& session, const v1::Attach& request);
    void detach(Session& session, const v1::Detach& request);
    void credit(Session& session, const v1::Credit& request);
    /// An error is fatal to the connection.
    Result<void> settle(Session& session, const v1::Settle& request);
    Result<void> extend(Session& session, const v1::Extend& request);

    /// Hands out what is ready to who has credit.
    void deliver(HostedQueue& queue);
    /// Asks who holds more than its share for what it has not begun, while another consumer waits idle.
    void recall(HostedQueue& queue);
    /// Tells SETTLED for what became safe.
    void tell(HostedQueue& queue);
    /// Runs the queue's timers: delays, lease ends, holds.
    void run_timers(HostedQueue& queue);
    /// The connection ended: its leases are held for a while.
    void disconnected(const Session& session);
    /// The session said BYE: its leases go back at once.
    void session_over(const Session& session);
    void queue_removed(HostedQueue& queue);

    /// True if the body of that message, which is there, is in memory; else asks for it, unless it is on its way, and
    /// then looks what it can send to `waiting`.
    bool want_body(const HostedQueue& queue, Offset offset, ConsumerId waiting = {});
    /// What was read back and is not what was stored: the shard must stop.
    [[nodiscard]] const std::optional<Error>& damage() const { return damage_; }
    /// Bodies that came back, since the start.
    [[nodiscard]] std::uint64_t bodies_read() const { return bodies_read_; }

    [[nodiscard]] Subscription* find(std::uint32_t number);
    /// True if the session has that message of the queue by that delivery, or may claim it.
    [[nodiscard]] bool holds(const Session& session, const HostedQueue& queue, Offset offset,
                             std::uint32_t delivery) const;

private:
    /// A body on its way from the log.
    struct ColdBody {
        QueueId queue;
        Offset offset;        ///< A message of it that was there when it was asked for ...
        std::uint32_t index;  ///< ... and its number in the batch.
        std::vector<ConsumerId> waiting;
    };
    void log_again(HostedQueue& queue);
    void ask_for(BatchRef batch);
    void take_loaded(BatchRef batch, const Result<log::StoredRecord>& record);
    Result<void> take_body(BatchRef batch, const ColdBody& cold, const Result<log::StoredRecord>& record);
    Subscription* of(const Session& session, std::uint32_t number);
    std::optional<queue::Grant> send_grant(HostedQueue& queue, const Subscription& subscription,
                                           const queue::Grant& grant);
    void send_waiting(Subscription& subscription);
    bool cut_ended(HostedQueue& queue, Subscription& subscription);
    void drop(Subscription& subscription);

    Core& core_;
    Background& background_;
    std::unordered_map<std::uint32_t, Subscription> subscriptions_;
    std::unordered_map<ConsumerId, std::uint32_t> by_consumer_;
    std::unordered_map<BatchRef, ColdBody> cold_;
    std::optional<Error> damage_;
    std::uint64_t bodies_read_ = 0;
    std::uint32_t next_subscription_ = 1;
    ConsumerId next_consumer_{1};
    std::vector<queue::Grant> grants_;         // reused
    std::vector<queue::Queue::Stored> parts_;  // reused
};

}  // namespace telpher::broker
