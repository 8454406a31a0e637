#include "proto/session/decoder.h"

#include "proto/frame.h"

namespace telpher::session {
namespace {

/// Parses the header into `message` and finds the key of `route` in it.
template <class M>
Result<Routed> parse(const Received& received, v1::Op op, Route route, M& message) {
    if (auto parsed = frame::parse(as_bytes(received.header), message); !parsed) return fail(parsed.error());
    std::uint64_t key = 0;
    if constexpr (requires { message.req(); }) key = message.req();
    if constexpr (requires { message.handle(); }) {
        if (route == Route::kHandle) key = message.handle();
    }
    if constexpr (requires { message.sub(); }) {
        if (route == Route::kSub) key = message.sub();
    }
    return Routed{{op, message, {received.bodies.data(), received.body_count}}, route, key};
}

}  // namespace

Result<Routed> Decoder::decode(const Received& received) {
    const v1::Op op = frame::op_of(as_bytes(received.header));
    if (received.body_count != frame::body_frames(op)) return fail(Code::kProtocol, "wrong number of body frames");
    switch (op) {
        case v1::OP_HELLO_OK:
            return parse(received, op, Route::kSession, hello_ok_);
        case v1::OP_PONG:
            return parse(received, op, Route::kSession, pong_);
        case v1::OP_GOODBYE:
            return parse(received, op, Route::kSession, goodbye_);
        case v1::OP_OPENED:
            return parse(received, op, Route::kRequest, opened_);
        case v1::OP_PRODUCER_OPENED:
            return parse(received, op, Route::kRequest, producer_opened_);
        case v1::OP_OK:
            return parse(received, op, Route::kRequest, ok_);
        case v1::OP_ERROR:
            return parse(received, op, Route::kRequest, error_);
        case v1::OP_CONFIRM:
            return parse(received, op, Route::kHandle, confirm_);
        case v1::OP_LIMIT:
            return parse(received, op, Route::kHandle, limit_);
        case v1::OP_PARKED:
            return parse(received, op, Route::kHandle, parked_);
        case v1::OP_ROOM:
            return parse(received, op, Route::kHandle, room_);
        case v1::OP_ATTACHED:
            return parse(received, op, Route::kRequest, attached_);
        case v1::OP_DELIVER:
            return parse(received, op, Route::kSub, deliver_);
        case v1::OP_SETTLED:
            return parse(received, op, Route::kSub, settled_);
        case v1::OP_RECALL:
            return parse(received, op, Route::kSub, recall_);
        case v1::OP_END:
            return parse(received, op, Route::kSub, end_);
        case v1::OP_EXTENDED:
            return parse(received, op, Route::kRequest, extended_);
        case v1::OP_JOINED:
            return parse(received, op, Route::kRequest, joined_);
        case v1::OP_QUEUES:
            return parse(received, op, Route::kRequest, queues_);
        case v1::OP_PEEKED:
            return parse(received, op, Route::kRequest, peeked_);
        case v1::OP_STATUS_IS:
            return parse(received, op, Route::kRequest, status_is_);
        case v1::OP_DEAD_HANDLED:
            return parse(received, op, Route::kRequest, dead_handled_);
        default:
            return fail(Code::kProtocol, "unknown op " + std::to_string(static_cast<int>(op)));
    }
}

}  // namespace telpher::session
