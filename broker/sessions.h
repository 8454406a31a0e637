// The table of sessions: by id, and by the connection that has them. Owned by the shard thread; lives as long as the
// shard. Pure: no socket; time is passed in.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>

#include "broker/session.h"
#include "broker/settings.h"
#include "telpher/error.h"

namespace telpher::broker {

class Sessions {
public:
    /// `entropy` makes ids and tokens: unguessable in a daemon, seeded in a simulation.
    Sessions(const ShardSettings& settings, std::function<std::uint64_t()> entropy)
        : settings_(settings), entropy_(std::move(entropy)) {}

    /// A new session of `user` on `peer`.
    Session& create(PeerId peer, std::string name, std::string user, Instant now);
    /// The session moves to `peer` with the next epoch.
    void resume(Session& session, PeerId peer, Instant now);
    /// The session of that id, token and user; nullptr if there is none.
    [[nodiscard]] Session* find(SessionId id, const std::array<std::uint64_t, 2>& token, std::string_view user);
    /// nullptr if the peer has said no HELLO.
    [[nodiscard]] Session* of_peer(PeerId peer);
    [[nodiscard]] Session* find(SessionId id);
    /// The connection is gone: the session waits for a resume.
    void disconnect(Session& session, Instant now);
    void remove(SessionId id);
    /// Calls `silent` for connected sessions past their lease and `over` for lost ones past their grace (both may
    /// remove).
    void run_timers(Instant now, const std::function<void(Session&)>& silent,
                    const std::function<void(Session&)>& over);
    void for_each(const std::function<void(Session&)>& visit);
    [[nodiscard]] std::size_t size() const { return by_id_.size(); }

private:
    void begin_connection(Session& session, PeerId peer, Instant now);

    const ShardSettings& settings_;
    const std::function<std::uint64_t()> entropy_;
    std::unordered_map<SessionId, std::unique_ptr<Session>> by_id_;
    std::unordered_map<PeerId, Session*> by_peer_;
};

}  // namespace telpher::broker
