#include "proto/session/queue_link.h"

#include <utility>

#include "proto/session/core.h"

namespace telpher::session {

Epoch QueueLink::epoch() const { return core_.epoch(); }

const v1::Limits& QueueLink::limits() const { return core_.limits(); }

void QueueLink::send(v1::Op op, const google::protobuf::MessageLite& header, std::span<const Slice> bodies) {
    core_.send(op, header, bodies);
}

bool QueueLink::may_put() const { return core_.may_put(); }

void QueueLink::bind(std::uint32_t sub, Part& part) { core_.bind(sub, part); }

void QueueLink::unbind(std::uint32_t sub) { core_.unbind(sub); }

/// The part that asked may be gone with the queue before the answer comes: then nobody is told.
std::uint64_t QueueLink::expect(v1::Op op, Answer answer) {
    auto tell = [self = weak_from_this(), answer = std::move(answer)](const Result<const Frame*>& result) {
        const auto link = self.lock();
        if (link != nullptr && link->state_ != State::kFailed) answer(result);
    };
    return core_.expect(op, std::move(tell));
}

}  // namespace telpher::session
