// The life of the client's connection as a pure state machine: when to connect, HELLO, resume, heartbeat, when to give
// up and when to try again. Time, events and answers go in; what to do comes out. No socket, no thread; owned by the
// Core.
//
//   idle --retry time--> connecting --transport up--> greeting --HELLO_OK--> up
//     ^------------------------ lost(), from any state -----------------------'
#pragma once

#include <string>

#include "proto/base/clock.h"
#include "proto/base/ids.h"
#include "proto/base/random.h"
#include "proto/session/backoff.h"
#include "proto/telpher.pb.h"
#include "telpher/error.h"

namespace telpher::session {

class Connection {
public:
    enum class State { kIdle, kConnecting, kGreeting, kUp };
    enum class Action { kNone, kConnect, kPing, kGiveUp };

    Connection(std::string client_name, std::uint64_t seed);

    /// What time asks for. kConnect: make a transport; kGiveUp: the peer is silent, close the transport and call
    /// lost().
    [[nodiscard]] Action tick(Instant now);
    /// When tick() has something to do at the latest.
    [[nodiscard]] Instant next_due() const;

    /// The transport is up: send this.
    [[nodiscard]] v1::Hello greet(Instant now);
    /// True if the session goes on, false if it is a new one. kProtocol, kVersion: what came makes no sense, give up.
    [[nodiscard]] Result<bool> on_hello_ok(const v1::HelloOk& hello, Instant now);
    /// The transport is closed, or was never made. `retry_after`: the broker asked for at least this pause.
    void lost(Instant now, Duration retry_after = Duration{0});
    /// The session itself is over (BYE, or the broker will not have it back): the next HELLO asks for a new one.
    void forget_session();
    void sent(Instant now) { last_sent_ = now; }
    void received(Instant now) { last_received_ = now; }
    /// This process was stopped for `gap`: silence of the peer in that time is not its fault.
    void excuse(Duration gap);

    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] bool up() const { return state_ == State::kUp; }
    [[nodiscard]] bool ever_up() const { return ever_up_; }
    [[nodiscard]] Epoch epoch() const { return epoch_; }
    [[nodiscard]] const v1::HelloOk& hello() const { return hello_; }

private:
    [[nodiscard]] Instant silent_at() const;

    std::string client_name_;
    Random random_;
    Backoff backoff_;
    State state_ = State::kIdle;
    bool ever_up_ = false;
    Instant retry_at_;    // idle
    Instant give_up_at_;  // connecting, greeting
    Instant up_since_;    // up
    Instant last_sent_;
    Instant last_received_;
    Duration heartbeat_{0};
    v1::HelloOk hello_;  // of the session to resume, or of the one that is up; session 0 = none
    Epoch epoch_;
};

}  // namespace telpher::session
