// The questions that wait for an answer of the broker. Two kinds: those that end with the connection (a part asks
// again), and those of user threads, which are sent again on every new connection until they are answered, given up or
// too late. Pure bookkeeping; owned by the Core.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "proto/base/clock.h"
#include "proto/session/channel.h"

namespace telpher::session {

class QueueLink;

/// A question of a user thread.
struct PendingRequest {
    v1::Op op = v1::OP_UNSPECIFIED;
    std::shared_ptr<QueueLink> link;  ///< Names the handle of this queue: waits until it is open.
    bool leave = false;               ///< When given up, the broker must be told.
    /// Refused with this code when it is sent again on another connection, it was done the first time. kOk: no code
    /// says so.
    Code done_before = Code::kOk;
    /// The header frame for the current connection.
    std::function<std::string(std::uint64_t req, Epoch epoch, HandleId handle)> encode;
    std::function<void(const Frame&)> answer;  ///< Takes what it needs of the answer.
    std::function<void(Result<void>)> done;    ///< Called once, last.
    Instant deadline = Instant::never();
    Instant reach_by = Instant::never();  ///< kUnreachable if there never was a connection until then.
};

class Requests {
public:
    using CallId = std::uint64_t;

    // Questions of user threads.
    CallId add(PendingRequest request);
    [[nodiscard]] const PendingRequest* find(CallId id) const;
    /// Calls that are not on their way and belong to `link` (nullptr: to no queue), oldest first.
    [[nodiscard]] std::vector<CallId> waiting(const QueueLink* link) const;
    /// Gives call `id` the number under which it is sent now.
    std::uint64_t send(CallId id);
    /// The broker cannot answer now: `id` waits for the next connection.
    void postpone(CallId id);
    /// The number under which `id` is on its way; 0 = it is not.
    [[nodiscard]] std::uint64_t sent_as(CallId id) const;
    /// True if it was on its way on an earlier connection, too: nobody knows whether it arrived.
    [[nodiscard]] bool repeated(CallId id) const { return calls_.at(id).repeated; }
    /// Takes the call out; its `done` is the caller's to call.
    [[nodiscard]] PendingRequest take(CallId id);
    [[nodiscard]] std::vector<CallId> all(const QueueLink* link) const;
    [[nodiscard]] std::vector<CallId> all() const;

    // Questions of parts and of the core itself, which end with the connection.
    std::uint64_t expect(v1::Op op, Answer answer);

    /// The answer numbered `req` came: what waited for it, once.
    struct Match {
        v1::Op op = v1::OP_UNSPECIFIED;  ///< Of the question; OP_UNSPECIFIED: nobody waits for this number.
        CallId call = 0;                 ///< A user thread's call, still in the table.
        Answer answer;                   ///< Else this.
    };
    [[nodiscard]] Match match(std::uint64_t req);
    /// Nothing is on its way any more.
    void disconnected();

private:
    struct Call {
        PendingRequest request;
        std::uint64_t req = 0;
        bool repeated = false;
    };
    std::uint64_t next_req_ = 1;
    CallId next_call_ = 1;
    std::map<CallId, Call> calls_;  // in the order they were made
    std::unordered_map<std::uint64_t, Match> on_way_;
};

/// The op that answers `question`.
v1::Op answer_of(v1::Op question);

}  // namespace telpher::session
