// A client for tests of the shard: speaks the protocol frame by frame, one connection, nothing done by itself. Awaiting
// an answer drives the broker until it is there. Used by one thread.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/sim_broker.h"

namespace telpher::sim {

class SimPeer {
public:
    /// Connects; says nothing yet.
    explicit SimPeer(SimBroker& broker, std::string user = {})
        : broker_(broker), user_(std::move(user)), peer_(broker.transport().connect(user_)) {}

    /// Sends a frame; sets its epoch if it has one that is 0.
    template <class Message>
    void send(v1::Op op, Message message, const Slice& body = {}) {
        if constexpr (requires { message.set_epoch(0); }) {
            if (message.epoch() == 0) message.set_epoch(epoch_);
        }
        broker_.transport().to_broker(peer_, op, message, body);
    }
    void send_raw(std::string header, const std::vector<Slice>& bodies = {}) {
        broker_.transport().to_broker(peer_, std::move(header), bodies);
    }

    /// Drives the broker until it rests and takes the first frame with that op; other frames stay. Throws
    /// std::runtime_error if there is none.
    Frame await(v1::Op op);
    template <class Message>
    Message await(v1::Op op) {
        return await(op).template as<Message>();
    }
    /// The same, but there may be none.
    std::optional<Frame> look(v1::Op op);
    template <class Message>
    std::optional<Message> look(v1::Op op) {
        const auto frame = look(op);
        return frame ? std::optional(frame->as<Message>()) : std::nullopt;
    }
    /// The code of the next ERROR; kOk if there is none.
    Code refused();
    /// Forgets what came in so far.
    void clear();
    /// The connection still stands (from the client's end), once the broker rests.
    bool connected();
    void lose() { broker_.transport().lose(peer_); }
    /// Another connection for the same client.
    void reconnect() {
        peer_ = broker_.transport().connect(user_);
        inbox_.clear();
    }
    [[nodiscard]] PeerId peer() const { return peer_; }

    // --- the usual exchanges; each throws std::runtime_error if it is refused ---
    v1::HelloOk hello(const v1::HelloOk& resume = {});
    /// Opens a queue, made if it is not there.
    std::uint32_t open(std::string_view queue, const v1::QueueOptions& options = {});
    std::uint64_t open_producer(std::uint32_t handle, std::uint64_t producer = 0);
    /// A producer with that name; with an id: the same one goes on.
    v1::ProducerOpened open_named(std::uint32_t handle, std::string_view name, std::uint64_t producer = 0);
    /// The same, refused with this code.
    Code refused_named(std::uint32_t handle, std::string_view name, std::uint64_t producer = 0);
    void put(std::uint32_t handle, std::uint64_t producer, std::uint64_t first, std::uint32_t count,
             std::size_t bytes = 16, std::uint64_t known_below = 0);
    void cancel(std::uint32_t handle, std::uint64_t producer, std::uint64_t first, std::uint32_t count);
    /// Both return the request, which is answered by OK.
    std::uint64_t close_producer(std::uint32_t handle, std::uint64_t producer);
    std::uint64_t seal(std::uint32_t handle);
    std::uint32_t attach(std::uint32_t handle, std::uint64_t credit, std::initializer_list<std::uint64_t> held = {});
    void settle(std::uint32_t sub, std::uint64_t number, v1::Settle::Verdict verdict,
                std::initializer_list<std::uint64_t> triples, std::uint64_t delay_ms = 0);
    v1::QueueState show(std::string_view queue);
    std::uint64_t request() { return ++requests_; }
    [[nodiscard]] std::uint32_t epoch() const { return epoch_; }

private:
    void ask_producer(std::uint32_t handle, std::uint64_t producer, std::string_view name);
    void read();

    SimBroker& broker_;
    std::string user_;  ///< As whom the transport knows it.
    PeerId peer_;
    std::vector<Frame> inbox_;
    std::uint32_t epoch_ = 0;
    std::uint64_t requests_ = 0;
};

/// Options of a queue with everything else by default.
v1::QueueOptions bounded(std::uint64_t maxsize, std::uint32_t on_full = 1, std::uint32_t durability = 1);
/// Batches as clients make them: `count` payloads of `bytes` each, that follow from their sequences.
Slice make_batch(std::uint64_t producer, std::uint64_t first, std::uint32_t count, std::size_t bytes);
/// The runs of triples in a CONFIRM, SETTLE and the like.
std::vector<frame::Run> runs_of(const frame::Numbers& triples);

}  // namespace telpher::sim
