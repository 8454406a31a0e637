// The connections behind a ROUTER socket, as its monitor tells them: which descriptors are open, which peer each
// belongs to, who has not said HELLO in time, who sends what never becomes a message, who is to be thrown out. Owned by
// the shard thread; lives as long as its Router. libzmq 4.3.4 has no call to drop one peer: shutdown(2) on its
// descriptor does it; closing it would crash.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "broker/refusals.h"
#include "broker/strangers.h"
#include "broker/transport.h"
#include "proto/base/clock.h"

namespace telpher::broker {

struct ConnectionLimits {
    std::size_t connections_max = 10'000;
    Duration hello_timeout = std::chrono::seconds(5);
    std::uint64_t unseen_bytes_max = 20 << 20;  ///< Bytes a tcp peer may have sent that did not become a message.
    StrangerLimits strangers{};
};

class Connections {
public:
    /// `refusals` (may be nullptr) outlives the object.
    explicit Connections(ConnectionLimits limits, Refusals* refusals = nullptr)
        : limits_(limits), refusals_(refusals), strangers_(limits.strangers) {}

    /// Other limits from now on. Connections there are stay, even if they are more than may come.
    void limit(std::size_t connections_max, Duration hello_timeout);

    /// Monitor events.
    void accepted(int fd, Instant now);
    void disconnected(int fd);

    /// A message of `peer` came in on `fd` (-1: not known). False: the peer is gone or being thrown out, or `user`, as
    /// whom libzmq knows the sender of this message, is not who the peer was: drop the message.
    bool heard(PeerId peer, int fd, std::uint64_t wire_bytes, std::string_view user = {});
    /// As whom libzmq knows the peer; empty: nobody in particular.
    [[nodiscard]] const std::string& user(PeerId peer) const;
    /// Where a connection comes from that has not said HELLO and was not thrown out; else nullptr.
    [[nodiscard]] const std::string* stranger(int fd) const { return strangers_.address(fd); }
    [[nodiscard]] bool knows(PeerId peer) const { return peers_.contains(peer); }
    /// libzmq says that the peer has gone, though the monitor has not said so of the connection it was taken for: then
    /// that is a newer one, on the same descriptor.
    void unreachable(PeerId peer);
    /// True if the kernel still holds more than kUnreadMax that the peer has not read.
    [[nodiscard]] bool congested(PeerId peer) const;
    void welcome(PeerId peer);
    /// Takes nothing more of the peer, and lets it go a moment later, so that what was sent to it last can leave.
    void kick(PeerId peer, Instant now);
    /// A peer whose moment has come: shut() it, if it can still be reached.
    bool next_leaving(Instant now, PeerId& peer);
    /// When next_leaving() has one, or tick() goes on with a round of looks that it has begun.
    [[nodiscard]] Instant next_timer() const {
        const Instant leaving = leaving_.empty() ? Instant::never() : leaving_.front().at;
        return to_look_at_.empty() ? leaving : std::min(leaving, next_look_);
    }
    void shut(PeerId peer);
    bool next_gone(PeerId& peer);

    /// Enforces the limits: looks at every connection twice a second, a few at a time. Call it every cycle.
    void tick(Instant now);
    [[nodiscard]] std::size_t size() const { return by_fd_.size(); }
    [[nodiscard]] std::uint64_t kicked() const { return kicked_; }

private:
    struct Connection {
        Instant since;
        PeerId peer;  ///< 0: has said nothing yet.
        bool welcome = false;
        bool going = false;  ///< Nothing more is taken of it.
        bool shut = false;   ///< Shut down, whoever it is.
        std::uint64_t heard_bytes = 0;
        std::string user;
        int suspicious = 0;  ///< Looks in a row with too many unseen bytes.
    };
    struct Leaving {
        PeerId peer;
        Instant at;
    };

    void shut(int fd, Connection& connection);
    void mark_shut(int fd, Connection& connection);
    void forget_peer(PeerId peer);
    void look_at(int fd, Connection& connection, Instant now);
    [[nodiscard]] bool sends_unseen(int fd, Connection& connection) const;
    void turn_away(int fd, Connection& connection);
    void turn_away_unfinished(int fd);

    ConnectionLimits limits_;
    Refusals* const refusals_;
    Strangers strangers_;
    std::unordered_map<int, Connection> by_fd_;
    std::unordered_map<PeerId, int> peers_;
    std::unordered_set<PeerId>
        departed_;  ///< Messages of these may still come out of the socket: bounded, oldest forgotten.
    std::deque<PeerId> departed_order_;
    std::deque<PeerId> gone_;
    std::deque<Leaving> leaving_;
    Instant look_at_;              ///< When the next round begins.
    std::vector<int> to_look_at_;  ///< What is left of this one.
    Instant next_look_;
    Duration look_pause_{};
    std::uint64_t kicked_ = 0;
};

}  // namespace telpher::broker
