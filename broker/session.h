// A client's session on this shard: its connection, its limits, the queues it has opened, what it is attached to.
// Owned by the shard thread (Sessions). Lives from HELLO until BYE, the end of its resume grace, or silence beyond the
// lease.
//
// Everything under "of this connection" starts anew when the session is resumed on another connection: the client
// opens, attaches and resends again. What outlives a connection is the session's id and token and its open producers.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/rights.h"
#include "broker/transport.h"
#include "proto/base/clock.h"
#include "proto/base/ids.h"

namespace telpher::broker {

/// An absolute limit in one direction: what was received, and up to where the peer may send.
class PutWindow {
public:
    explicit PutWindow(std::uint64_t window = 0) : window_(window), limit_(window) {}
    /// Counts a body that came in. False if it was begun beyond the limit.
    bool receive(std::uint64_t bytes) {
        const bool allowed = received_ < limit_;
        received_ += bytes;
        return allowed;
    }
    /// The bytes are off the account (committed, parked, refused or dropped).
    void settle(std::uint64_t bytes) { settled_ += bytes; }
    /// The new absolute limit, if it is worth telling the peer (a quarter of the window); 0 = not now.
    std::uint64_t raise() {
        const std::uint64_t limit = settled_ + window_;
        if (limit < limit_ + window_ / 4) return 0;
        limit_ = limit;
        return limit_;
    }
    [[nodiscard]] std::uint64_t limit() const { return limit_; }

private:
    std::uint64_t window_;
    std::uint64_t limit_;
    std::uint64_t received_ = 0;
    std::uint64_t settled_ = 0;
};

/// A queue as opened by a session.
struct Handle {
    HandleId id;
    QueueId queue;
    PutWindow window;
    bool limit_due = false;
    RightSet rights{};  ///< Of the session's user: looked at instead of its rules.
};

struct Session {
    // constant
    SessionId id;
    std::array<std::uint64_t, 2> token{};
    std::string name;
    std::string user;  ///< Whose it is (Transport::user()): nobody else resumes it.
    // of the session
    std::shared_ptr<const Rights> rights;  ///< Never null; another one after a reload.
    Epoch epoch{1};
    Instant last_heard;
    bool connected = false;
    Instant gone_until;                                     ///< Not connected: the session ends then.
    std::vector<std::pair<QueueId, ProducerId>> producers;  ///< Opened by it (some may be closed by now).
    // of this connection
    PeerId peer;
    PutWindow window;
    bool limit_due = false;
    std::unordered_map<HandleId, Handle> handles;
    std::uint32_t next_handle = 1;
    std::vector<std::uint32_t> subscriptions;  ///< Numbers known to GetDesk.
};

}  // namespace telpher::broker
