#include "broker/sessions.h"

#include <vector>

#include "proto/base/check.h"

namespace telpher::broker {

Session& Sessions::create(PeerId peer, std::string name, std::string user, Instant now) {
    SessionId id;
    do {
        id = SessionId(entropy_());
    } while (id.value() == 0 || by_id_.contains(id));
    auto session = std::make_unique<Session>();
    session->id = id;
    session->token = {entropy_(), entropy_()};
    session->name = std::move(name);
    session->user = std::move(user);
    Session& made = *session;
    by_id_.emplace(id, std::move(session));
    begin_connection(made, peer, now);
    return made;
}

void Sessions::resume(Session& session, PeerId peer, Instant now) {
    if (session.connected) by_peer_.erase(session.peer);
    session.epoch += 1;
    begin_connection(session, peer, now);
}

Session* Sessions::find(SessionId id, const std::array<std::uint64_t, 2>& token, std::string_view user) {
    Session* session = find(id);
    return session != nullptr && session->token == token && session->user == user ? session : nullptr;
}

void Sessions::begin_connection(Session& session, PeerId peer, Instant now) {
    TELPHER_CHECK(!by_peer_.contains(peer));
    session.peer = peer;
    session.connected = true;
    session.last_heard = now;
    session.window = PutWindow(limits::kSessionPutWindowBytes);
    session.limit_due = false;
    session.handles.clear();
    session.subscriptions.clear();
    by_peer_.emplace(peer, &session);
}

Session* Sessions::of_peer(PeerId peer) {
    const auto found = by_peer_.find(peer);
    return found == by_peer_.end() ? nullptr : found->second;
}

Session* Sessions::find(SessionId id) {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : found->second.get();
}

void Sessions::disconnect(Session& session, Instant now) {
    if (!session.connected) return;
    by_peer_.erase(session.peer);
    session.connected = false;
    session.gone_until = now + settings_.resume_grace;
}

void Sessions::remove(SessionId id) {
    Session* session = find(id);
    if (session == nullptr) return;
    if (session->connected) by_peer_.erase(session->peer);
    by_id_.erase(id);
}

void Sessions::run_timers(Instant now, const std::function<void(Session&)>& silent,
                          const std::function<void(Session&)>& over) {
    std::vector<Session*> late;
    for (auto& [id, session] : by_id_) {
        const Instant end = session->connected ? session->last_heard + settings_.session_lease : session->gone_until;
        if (end <= now) late.push_back(session.get());
    }
    for (Session* session : late) (session->connected ? silent : over)(*session);
}

void Sessions::for_each(const std::function<void(Session&)>& visit) {
    for (auto& [id, session] : by_id_) visit(*session);
}

}  // namespace telpher::broker
