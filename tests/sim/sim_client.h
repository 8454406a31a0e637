// A simulated client: a state machine on the codecs alone that keeps to docs/protocol, one connection at a time. It
// connects, says HELLO (with the session it had), opens its queue, and takes a few frames a step. What it does with
// them is the producer's, the consumer's or the watcher's part. Used by one thread.
#pragma once

#include <optional>
#include <string>

#include "tests/sim/oracle.h"
#include "tests/sim/sim_broker.h"
#include "tests/sim/sometimes.h"
#include "tests/sim/work.h"

namespace telpher::sim {

class SimClient {
public:
    struct World {
        SimBroker& broker;
        Oracle& oracle;
        Random& random;
        Marks& marks;
        Work& work;
        const bool& healing;  ///< No more mischief: finish what is begun.
    };

    SimClient(World world, std::size_t queue, QueueSpec spec) : world_(world), queue_(queue), spec_(std::move(spec)) {}
    virtual ~SimClient() = default;

    void step();
    /// The connection breaks; the client comes back by itself.
    void lose();
    /// The process dies and another takes its place, which knows nothing of it.
    void die();
    /// Nothing is open any more.
    [[nodiscard]] virtual bool idle() const = 0;
    [[nodiscard]] std::size_t queue() const { return queue_; }
    /// Its connection, if it has one.
    [[nodiscard]] std::optional<PeerId> peer() const { return peer_; }

protected:
    /// On a new connection, the queue is open.
    virtual void opened() = 0;
    virtual void take(const Frame& frame) = 0;
    virtual void act() = 0;
    virtual void forget() = 0;
    /// The connection, which the broker still has, is about to break.
    virtual void losing() {}

    template <class Message>
    void send(v1::Op op, Message message, const Slice& body = {}) {
        if constexpr (requires { message.set_epoch(0); }) message.set_epoch(epoch_);
        world_.broker.transport().to_broker(*peer_, op, message, body);
        heard_ = world_.broker.clock().now();
    }
    std::uint64_t request() {
        ++world_.work.admin;
        return ++requests_;
    }
    bool chance(std::uint64_t percent) { return world_.random.below(100) < percent; }
    /// What a client that keeps to the protocol is never told.
    void unexpected(const Frame& frame);

    World world_;
    const std::size_t queue_;
    const QueueSpec spec_;
    std::uint32_t handle_ = 0;
    /// Some HELLO was not a resume since whoever cares last cleared it: nothing of this client waits at the broker.
    bool session_is_new_ = true;

private:
    void connect();
    void read(const Frame& frame);

    std::optional<PeerId> peer_;
    bool up_ = false;
    std::uint64_t session_ = 0;
    std::string token_;
    std::uint32_t epoch_ = 0;
    std::uint64_t requests_ = 0;
    Instant heard_;  ///< When it last sent something.
};

}  // namespace telpher::sim
