// A client on a simulated connection that does what the input says: frames of every op, with values that fit what the
// broker has told it so far, or not at all, in any order. Everything the broker sends must be what a client's decoder
// takes. Used by one thread.
#pragma once

#include <string>
#include <vector>

#include "proto/session/decoder.h"
#include "tests/fuzz/choices.h"
#include "tests/sim/sim_broker.h"

namespace telpher::fuzz {

class HostileClient {
public:
    explicit HostileClient(sim::SimBroker& broker) : broker_(broker), peer_(broker.transport().connect()) {}

    /// Sends one frame, or takes a connection down or up.
    void act(Choices& choices);
    /// Takes what the broker has sent.
    void read();
    void lose() { broker_.transport().lose(peer_); }
    /// Another connection; what was learned on the one before is still tried.
    void reconnect() { peer_ = broker_.transport().connect(); }

private:
    struct OpenProducer {
        std::uint32_t handle = 0;
        std::uint64_t producer = 0;
        std::uint64_t next = 0;
    };
    struct Held {
        std::uint32_t sub = 0;
        std::uint64_t first = 0;
        std::uint32_t count = 0;
        std::uint32_t delivery = 0;
    };

    template <class Message>
    void send(v1::Op op, Message& message, Choices& choices, const std::vector<Slice>& bodies = {});
    void hello(Choices& choices);
    void open(Choices& choices);
    void open_producer(Choices& choices);
    void close_producer(Choices& choices);
    void put(Choices& choices);
    void cancel(Choices& choices);
    void attach(Choices& choices);
    void of_subscription(Choices& choices);
    void settle(Choices& choices);
    void extend(Choices& choices);
    void end(Choices& choices);
    void change(Choices& choices);
    void look(Choices& choices);
    void handle_dead(Choices& choices);
    void ping(Choices& choices);
    void raw(Choices& choices);
    void take(const session::Frame& frame);

    std::uint32_t pick_handle(Choices& choices) const;
    std::uint32_t pick_sub(Choices& choices) const;
    OpenProducer* pick_producer(Choices& choices);
    void add_held(Choices& choices, google::protobuf::RepeatedField<std::uint64_t>& ranges) const;

    sim::SimBroker& broker_;
    broker::PeerId peer_;
    session::Decoder decoder_;
    v1::HelloOk hello_;
    std::uint64_t requests_ = 0;
    std::uint32_t asked_handle_ = 0;  ///< Of the latest OPEN_PRODUCER.
    std::uint64_t settles_ = 0;
    std::vector<std::uint32_t> handles_;
    std::vector<std::uint32_t> subs_;
    std::vector<OpenProducer> producers_;
    std::vector<Held> held_;
};

}  // namespace telpher::fuzz
