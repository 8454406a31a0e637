// The ZeroMQ end of a shard: one ROUTER socket on every listen address and its monitor. Owned by the shard thread:
// made, used and closed there. The rules that keep a peer from aborting the process are obeyed here: no input is ever
// stopped (RCVHWM 0, no ZMTP heartbeats, no handover, LINGER 0), the monitor is drained before every new peer, sends
// never block and stop after a failed id frame, routing ids are seeded, checked and never shown.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/connections.h"
#include "broker/transport.h"
#include "proto/base/eager_poll.h"
#include "telpher/error.h"

namespace telpher::broker {

class ZmqFrame;

struct RouterSettings {
    std::size_t body_bytes_max = 1 << 20;
    ConnectionLimits connections;
    /// Z85. If there is one, every tcp endpoint speaks CURVE with it; ipc is as before.
    std::string server_secret{};
    Refusals* refusals = nullptr;  ///< May be nullptr; outlives the Router.
};

class Router final : public Transport {
public:
    /// Makes the socket; nothing listens yet. `context` outlives the Router.
    static Result<std::unique_ptr<Router>> make(void* context, const RouterSettings& settings);
    ~Router() override;
    /// Binds every endpoint; all or kAddressInUse / kIo.
    Result<void> listen(const std::vector<std::string>& endpoints);

    bool receive(Incoming& into) override;
    Sent send(PeerId peer, std::string_view header, std::span<const Slice> bodies) override;
    [[nodiscard]] std::string user(PeerId peer) const override { return connections_.user(peer); }
    void welcome(PeerId peer) override { connections_.welcome(peer); }
    void kick(PeerId peer) override { connections_.kick(peer, now_); }
    bool next_gone(PeerId& peer) override { return connections_.next_gone(peer); }
    [[nodiscard]] bool congested(PeerId peer) const override { return connections_.congested(peer); }
    [[nodiscard]] std::size_t connections() const override { return connections_.size(); }
    [[nodiscard]] std::uint64_t kicked() const override { return connections_.kicked(); }
    [[nodiscard]] TransportFigures figures() const override { return figures_; }

    /// As Connections::limit().
    void limit(std::size_t connections_max, Duration hello_timeout) {
        connections_.limit(connections_max, hello_timeout);
    }

    /// Once a cycle, before receive(): monitor events and time limits.
    void tick(Instant now);
    /// When tick() has something to do.
    [[nodiscard]] Instant next_timer() const { return connections_.next_timer(); }
    /// Sleeps until there is something to receive, `wake_fd` is readable, or `timeout_ms` is over. True:
    /// `wake_fd` is readable. Without `frames`, what there is to receive wakes nobody.
    bool wait(int wake_fd, int timeout_ms, bool frames = true);
    /// The addresses as bound (with the port a * became).
    [[nodiscard]] const std::vector<std::string>& endpoints() const { return endpoints_; }

private:
    /// Who a message came from, as far as libzmq says.
    struct Sender {
        PeerId peer;  ///< 0: a routing id that libzmq did not make.
        int fd = -1;
        std::uint64_t wire_bytes = 0;
        std::string user;
    };

    Router(void* socket, void* monitor, const RouterSettings& settings);
    void drain_monitor();
    void note_failed_handshake(int fd);
    bool readable();
    bool take_message(ZmqFrame& frame, Incoming& into, Sender& sender);
    bool refuse(std::string_view id, const char* why);

    void* socket_;
    void* monitor_;
    const std::string server_secret_;
    Refusals* const refusals_;
    std::optional<Refusal> failed_handshake_;  ///< Of the connection whose end the monitor tells next.
    Sender sender_;                            ///< Of the last message; kept for its memory.
    Connections connections_;
    EagerPoll poll_;
    std::string strange_id_;  ///< Routing id of the last message, if libzmq did not make it.
    std::vector<std::string> endpoints_;
    Instant now_;
    TransportFigures figures_;
    bool drained_ = false;  ///< Nothing was there to receive and nothing was sent since: ZMQ_FD tells of the next.
    bool silent_ = false;   ///< The monitor had nothing to tell when the last sleep ended.
};

}  // namespace telpher::broker
