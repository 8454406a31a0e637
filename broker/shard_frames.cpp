// Shard's frames: who may say what, HELLO and its relatives, and the way of every op to its desk.
#include "broker/process_usage.h"
#include "broker/shard.h"
#include "proto/base/check.h"
#include "proto/frame.h"
#include "proto/version.h"

namespace telpher::broker {
namespace {

constexpr std::uint32_t kProtocolVersion = 1;

std::string token_bytes(const std::array<std::uint64_t, 2>& token) {
    return {reinterpret_cast<const char*>(token.data()), sizeof token};
}

/// Parses the message of an op and runs `handle` with it if its epoch is the session's.
template <class Message, class Handle>
Result<void> with(const Session& session, const Incoming& incoming, Handle handle) {
    Message message;
    if (auto parsed = frame::parse(incoming.header.bytes(), message); !parsed) return parsed;
    if (message.epoch() != session.epoch.value()) return fail(Code::kStaleSession);
    if constexpr (std::is_void_v<decltype(handle(message))>) {
        handle(message);
        return {};
    } else {
        return handle(message);
    }
}

}  // namespace

void Shard::take(const Incoming& incoming) {
    const v1::Op op = frame::op_of(incoming.header.bytes());
    if (op == v1::OP_HELLO) return hello(incoming);
    Session* session = sessions_.of_peer(incoming.peer);
    if (session == nullptr) return core_->refuse(incoming.peer, 0, Error(Code::kHelloRequired));
    session->last_heard = core_->now;
    if (incoming.header.size() == 0) return core_->refuse(incoming.peer, 0, Error(Code::kProtocol, "an empty header"));
    if (v1::Op_IsValid(op) && incoming.body_count != frame::body_frames(op)) {
        return core_->refuse(incoming.peer, 0, Error(Code::kProtocol, "number of frames"));
    }
    if (core_->draining && op == v1::OP_PUT) return;  // unanswered: the client sends it again after the restart
    journal_->reserve(0);
    if (auto done = dispatch(*session, op, incoming); !done) {
        core_->refuse(incoming.peer, 0, done.error());
        if (info(done.error().code()).fatal) return;
        ++core_->protocol_errors[done.error().code()];
        seams_.transport.kick(incoming.peer);
    }
}

Result<void> Shard::dispatch(Session& session, v1::Op op, const Incoming& in) {
    switch (op) {
        case v1::OP_PING:
            return with<v1::Ping>(session, in, [&](const v1::Ping& m) {
                v1::Pong pong;
                pong.set_stamp(m.stamp());
                core_->send(session, v1::OP_PONG, pong);
            });
        case v1::OP_BYE:
            return with<v1::Bye>(session, in, [&](const v1::Bye&) { bye(session); });
        case v1::OP_OPEN:
            return with<v1::Open>(session, in, [&](const auto& m) { queues_->open(session, m); });
        case v1::OP_CLOSE:
            return with<v1::Close>(session, in, [&](const auto& m) { queues_->close(session, m); });
        case v1::OP_OPEN_PRODUCER:
            return with<v1::OpenProducer>(session, in, [&](const auto& m) { puts_->open_producer(session, m); });
        case v1::OP_CLOSE_PRODUCER:
            return with<v1::CloseProducer>(session, in, [&](const auto& m) { puts_->close_producer(session, m); });
        case v1::OP_PUT:
            return with<v1::Put>(session, in, [&](const auto& m) { return puts_->put(session, m, in.bodies[0]); });
        case v1::OP_CANCEL:
            return with<v1::Cancel>(session, in, [&](const auto& m) { puts_->cancel(session, m); });
        case v1::OP_ATTACH:
            return with<v1::Attach>(session, in, [&](const auto& m) { gets_->attach(session, m); });
        case v1::OP_DETACH:
            return with<v1::Detach>(session, in, [&](const auto& m) { gets_->detach(session, m); });
        case v1::OP_CREDIT:
            return with<v1::Credit>(session, in, [&](const auto& m) { gets_->credit(session, m); });
        case v1::OP_SETTLE:
            return with<v1::Settle>(session, in, [&](const auto& m) { return gets_->settle(session, m); });
        case v1::OP_EXTEND:
            return with<v1::Extend>(session, in, [&](const auto& m) { return gets_->extend(session, m); });
        case v1::OP_SEAL:
            return with<v1::Seal>(session, in, [&](const auto& m) { ends_->seal(session, m); });
        case v1::OP_REOPEN:
            return with<v1::Reopen>(session, in, [&](const auto& m) { ends_->reopen(session, m); });
        case v1::OP_JOIN:
            return with<v1::Join>(session, in, [&](const auto& m) { ends_->join(session, m); });
        case v1::OP_LEAVE:
            return with<v1::Leave>(session, in, [&](const auto& m) { queues_->leave(session, m); });
        case v1::OP_CHANGE:
            return with<v1::Change>(session, in, [&](const auto& m) { queues_->change(session, m); });
        case v1::OP_LIST:
            return with<v1::List>(session, in, [&](const auto& m) { queues_->list(session, m); });
        case v1::OP_SHOW:
            return with<v1::Show>(session, in, [&](const auto& m) { queues_->show(session, m); });
        case v1::OP_PEEK:
            return with<v1::Peek>(session, in, [&](const auto& m) { queues_->peek(session, m); });
        case v1::OP_HANDLE_DEAD:
            return with<v1::HandleDead>(session, in, [&](const auto& m) { queues_->handle_dead(session, m); });
        case v1::OP_STATUS:
            return with<v1::Status>(session, in, [&](const auto& m) { status(session, m); });
        default:
            core_->refuse(in.peer, 0, Error(Code::kUnsupported, "op " + std::to_string(static_cast<int>(op))));
            return {};
    }
}

void Shard::hello(const Incoming& incoming) {
    v1::Hello message;
    const auto refuse = [&](Code code, std::string why = {}) {
        core_->refuse(incoming.peer, 0, Error(code, std::move(why)));
    };
    if (auto parsed = frame::parse(incoming.header.bytes(), message); !parsed) return refuse(Code::kProtocol, "HELLO");
    if (incoming.body_count != 0 || sessions_.of_peer(incoming.peer) != nullptr)
        return refuse(Code::kProtocol, "HELLO twice");
    if (message.proto_min() > kProtocolVersion || message.proto_max() < kProtocolVersion) {
        return refuse(Code::kVersion, "this broker speaks protocol 1");
    }
    if (message.client_name().size() > limits::kNameBytesMax) return refuse(Code::kProtocol, "client name");
    if (sessions_.size() >= 2 * limits::kConnectionsMax) return refuse(Code::kTooManySessions);
    if (core_->draining) {
        v1::Goodbye goodbye;
        goodbye.set_code(static_cast<std::uint32_t>(Code::kRestarting));
        goodbye.set_retry_after_ms(100);
        return core_->send(incoming.peer, v1::OP_GOODBYE, goodbye);
    }
    const std::string user = seams_.transport.user(incoming.peer);
    auto rights = core_->users->rights_of(user);
    if (rights == nullptr) return refuse(Code::kAuth, "there is no user " + user + " any more");
    Session* session = resumed(message, incoming, user);
    const bool goes_on = session != nullptr;
    if (!goes_on) session = &sessions_.create(incoming.peer, message.client_name(), user, core_->now);
    session->rights = std::move(rights);
    seams_.transport.welcome(incoming.peer);
    core_->send(*session, v1::OP_HELLO_OK, hello_ok(*session, goes_on));
}

/// The session that HELLO asks for, on its new connection; nullptr: there is none of this user's.
Session* Shard::resumed(const v1::Hello& message, const Incoming& incoming, const std::string& user) {
    std::array<std::uint64_t, 2> token{};
    if (message.resume_session() == 0 || message.resume_token().size() != sizeof token) return nullptr;
    std::memcpy(token.data(), message.resume_token().data(), sizeof token);
    Session* session = sessions_.find(SessionId(message.resume_session()), token, user);
    if (session == nullptr) return nullptr;
    if (session->connected) {
        seams_.transport.kick(session->peer);  // fenced: the newer connection has the session
        lost_connection(session->peer);
    }
    sessions_.resume(*session, incoming.peer, core_->now);
    return session;
}

v1::HelloOk Shard::hello_ok(const Session& session, bool resumed) const {
    const auto ms = [](Duration d) {
        return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(d).count());
    };
    v1::HelloOk ok;
    ok.set_proto(kProtocolVersion);
    ok.set_boot_id(boot_id_);
    ok.set_session(session.id.value());
    ok.set_token(token_bytes(session.token));
    ok.set_epoch(session.epoch.value());
    ok.set_resumed(resumed);
    ok.set_lease_ms(ms(settings_.session_lease));
    ok.set_heartbeat_ms(ms(settings_.heartbeat));
    ok.set_resume_grace_ms(ms(settings_.resume_grace));
    ok.set_version(std::string(kVersion));
    ok.set_shard(settings_.shard);
    ok.set_shard_count(settings_.shard_count);
    v1::Shard* shard = ok.add_shard_map();
    shard->set_id(settings_.shard);
    for (const std::string& endpoint : settings_.endpoints) shard->add_endpoints(endpoint);
    v1::Limits* limits = ok.mutable_limits();
    limits->set_message_bytes(settings_.message_bytes_max);
    limits->set_batch_bytes(limits::kBatchBytesMax);
    limits->set_batch_count(limits::kBatchCountMax);
    limits->set_session_put_bytes(session.window.limit());
    limits->set_puts_in_flight(limits::kPutsInFlightMax);
    limits->set_credit_messages(limits::kCreditMessagesMax);
    limits->set_credit_bytes(limits::kCreditBytesMax);
    limits->set_settle_ranges(limits::kSettleRangesMax);
    limits->set_handles(limits::kHandlesMax);
    return ok;
}

void Shard::bye(Session& session) {
    v1::Goodbye goodbye;
    core_->send(session, v1::OP_GOODBYE, goodbye);
    end(session);
}

/// Its leases return at once, what it has in line leaves, its producers are closed.
void Shard::end(Session& session) {
    puts_->disconnected(session);
    gets_->session_over(session);
    session.subscriptions.clear();
    ends_->connection_over(session);
    queues_->connection_over(session);
    for (const auto& [queue_id, id] : session.producers) puts_->close_quietly(queue_id, id, session.id);
    sessions_.remove(session.id);
}

void Shard::status(Session& session, const v1::Status& request) {
    if (!session.rights->administers()) return core_->deny(session, request.req(), "STATUS", {});
    v1::StatusIs answer = sampler_->status();
    answer.set_req(request.req());
    const ProcessUsage usage = process_usage();
    answer.set_resident_bytes(usage.resident_bytes);
    answer.set_cpu_us(usage.cpu_us);
    if (seams_.refusals != nullptr) {
        for (std::size_t i = 0; i < kRefusals; ++i) {
            const auto reason = static_cast<Refusal>(i);
            v1::StatusIs::Refused* refused = answer.add_refused();
            refused->set_reason(std::string(Refusals::name(reason)));
            refused->set_count(seams_.refusals->counted(reason));
        }
    }
    core_->send(session, v1::OP_STATUS_IS, answer);
}

}  // namespace telpher::broker
