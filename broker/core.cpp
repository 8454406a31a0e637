#include "broker/core.h"

#include "proto/base/check.h"
#include "proto/base/mutant.h"
#include "proto/frame.h"

namespace telpher::broker {
namespace {

v1::Error message_of(const Error& error) {
    v1::Error message;
    message.set_code(static_cast<std::uint32_t>(error.code()));
    message.set_detail(error.detail());
    message.set_retryable(info(error.code()).retryable);
    return message;
}

}  // namespace

void Core::send(PeerId peer, v1::Op op, const google::protobuf::MessageLite& message, std::span<const Slice> bodies) {
    switch (transport.send(peer, frame::encode(op, message), bodies)) {
        case Sent::kSent:
            return;
        case Sent::kFull:
            transport.kick(peer);
            [[fallthrough]];
        case Sent::kGone:
            dead.push_back(peer);
            return;
    }
}

void Core::send(const Session& session, v1::Op op, const google::protobuf::MessageLite& message,
                std::span<const Slice> bodies) {
    if (session.connected) send(session.peer, op, message, bodies);
}

void Core::refuse(PeerId peer, std::uint64_t req, const Error& error) {
    v1::Error message = message_of(error);
    message.set_req(req);
    send(peer, v1::OP_ERROR, message);
    if (info(error.code()).fatal) {
        ++protocol_errors[error.code()];
        transport.kick(peer);
        dead.push_back(peer);
    }
}

void Core::deny(const Session& session, std::uint64_t req, std::string_view op, std::string_view queue) {
    // What a peer calls a queue may be anything, and goes to the log.
    const std::string where = frame::legal_name(queue) ? " " + std::string(queue) : "";
    const std::string what = "user " + session.user + ": " + std::string(op) + where;
    if (refusals != nullptr) refusals->count(Refusal::kDenied, what);
    refuse(session.peer, req, Error(Code::kDenied, what));
}

void Core::refuse_handle(PeerId peer, HandleId handle, const Error& error) {
    v1::Error message = message_of(error);
    message.set_handle(handle.value());
    send(peer, v1::OP_ERROR, message);
}

void Core::ok(const Session& session, std::uint64_t req) {
    v1::Ok message;
    message.set_req(req);
    send(session, v1::OP_OK, message);
}

void Core::ok_when_committed(const Session& session, std::uint64_t req) {
    v1::Ok message;
    message.set_req(req);
    send_when_committed(session, v1::OP_OK, std::move(message));
}

Lsn Core::safe_upto(queue::Durability durability) const {
    switch (durability) {
        case queue::Durability::kFsync:
            return TELPHER_MUTANT("written-is-committed") ? log.written_lsn() : log.committed_lsn();
        case queue::Durability::kAsync:
            return log.written_lsn();
        default:
            return log.last_lsn();
    }
}

void Core::account(HostedQueue& queue) {
    for (const queue::Freed& freed : queue.queue.take_freed()) {
        const auto position = position_of(freed.batch);
        if (position) log.drop_live(position->segment, {freed.messages, freed.bytes});
        settled_bytes += freed.bytes;
        if (freed.empty) store.erase(freed.batch);
    }
}

std::uint64_t Core::wall_ms(Instant at) const {
    const auto ahead = std::chrono::duration_cast<std::chrono::milliseconds>(at - now).count();
    return static_cast<std::uint64_t>(std::max<std::int64_t>(wall.ms + ahead, 1));
}

Instant Core::instant_of(WallTime at) const {
    constexpr std::int64_t kAgeMaxMs = 10LL * 365 * 24 * 3600 * 1000;
    const std::int64_t age_ms = wall.ms - std::clamp(at.ms, wall.ms - kAgeMaxMs, wall.ms);  // it may be any number
    return now + -Duration(std::chrono::milliseconds(age_ms));
}

}  // namespace telpher::broker
