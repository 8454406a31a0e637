// The transport seam in memory: what ZeroMQ promises and no more. Frames of one connection stay in order and whole;
// connections are served in any order (seeded); a connection that breaks loses what was on its way, both ways. Owned by
// the simulation's one thread; outlives the broker's lives.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "broker/transport.h"
#include "proto/base/random.h"
#include "proto/frame.h"

namespace telpher::sim {

using broker::PeerId;

/// A message from the broker.
struct Frame {
    v1::Op op = v1::OP_UNSPECIFIED;
    std::string header;
    std::vector<Slice> bodies;

    /// The header's protobuf. Throws std::runtime_error if the broker sent nonsense.
    template <class Message>
    [[nodiscard]] Message as() const {
        Message message;
        if (!frame::parse(as_bytes(header), message)) throw std::runtime_error("the broker sent a malformed header");
        return message;
    }
};

class SimTransport final : public broker::Transport {
public:
    explicit SimTransport(std::uint64_t seed) : random_(seed) {}

    // --- the clients' end ---
    PeerId connect(std::string user = {});
    /// The connection is there, or something it brought is still to be read.
    [[nodiscard]] bool open(PeerId peer) const { return peers_.contains(peer); }
    /// The broker may still send to it.
    [[nodiscard]] bool connected(PeerId peer) const {
        const auto found = peers_.find(peer);
        return found != peers_.end() && !found->second.kicked;
    }
    void to_broker(PeerId peer, v1::Op op, const google::protobuf::MessageLite& message, const Slice& body = {});
    /// Any frames at all: what a hostile client would send. At most two bodies.
    void to_broker(PeerId peer, std::string header, const std::vector<Slice>& bodies);
    std::optional<Frame> from_broker(PeerId peer);
    /// The connection breaks: everything on its way is lost.
    void lose(PeerId peer);
    /// What is on its way, both ways, stays there until resume_all().
    void stall(PeerId peer);
    void resume_all();
    /// The broker died: every connection breaks, and nobody is there to be told.
    void broker_gone();
    /// Sees every frame in the order the broker sends them.
    void on_send(std::function<void(PeerId, const Frame&)> tap) { tap_ = std::move(tap); }
    /// Messages a peer may leave unread before send() says kFull.
    void set_high_water(std::size_t messages) { high_water_ = messages; }

    // --- the broker's end ---
    bool receive(broker::Incoming& into) override;
    broker::Sent send(PeerId peer, std::string_view header, std::span<const Slice> bodies) override;
    [[nodiscard]] std::string user(PeerId peer) const override;
    void welcome(PeerId) override {}
    void kick(PeerId peer) override;
    bool next_gone(PeerId& peer) override;
    [[nodiscard]] bool congested(PeerId) const override { return false; }
    [[nodiscard]] std::size_t connections() const override;
    [[nodiscard]] std::uint64_t kicked() const override { return kicked_; }

private:
    struct Connection {
        std::deque<broker::Incoming> up;
        std::deque<Frame> down;
        bool kicked = false;
        bool stalled = false;
        std::string user{};
    };

    Random random_;
    std::map<PeerId, Connection> peers_;
    std::deque<PeerId> gone_;
    PeerId next_{1};
    std::uint64_t kicked_ = 0;
    std::size_t high_water_ = 16'384;
    std::function<void(PeerId, const Frame&)> tap_;
};

}  // namespace telpher::sim
