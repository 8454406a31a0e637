#include "proto/session/requests.h"

#include <utility>

#include "proto/base/check.h"

namespace telpher::session {

Requests::CallId Requests::add(PendingRequest request) {
    const CallId id = next_call_++;
    calls_.emplace(id, Call{std::move(request)});
    return id;
}

const PendingRequest* Requests::find(CallId id) const {
    const auto found = calls_.find(id);
    return found == calls_.end() ? nullptr : &found->second.request;
}

std::vector<Requests::CallId> Requests::waiting(const QueueLink* link) const {
    std::vector<CallId> ids;
    for (const auto& [id, call] : calls_) {
        if (call.req == 0 && call.request.link.get() == link) ids.push_back(id);
    }
    return ids;
}

std::uint64_t Requests::send(CallId id) {
    Call& call = calls_.at(id);
    call.req = next_req_++;
    on_way_.emplace(call.req, Match{call.request.op, id, nullptr});
    return call.req;
}

void Requests::postpone(CallId id) { calls_.at(id).req = 0; }

std::uint64_t Requests::sent_as(CallId id) const {
    const auto found = calls_.find(id);
    return found == calls_.end() ? 0 : found->second.req;
}

PendingRequest Requests::take(CallId id) {
    const auto found = calls_.find(id);
    TELPHER_CHECK(found != calls_.end());
    on_way_.erase(found->second.req);
    PendingRequest request = std::move(found->second.request);
    calls_.erase(found);
    return request;
}

std::vector<Requests::CallId> Requests::all(const QueueLink* link) const {
    std::vector<CallId> ids;
    for (const auto& [id, call] : calls_) {
        if (call.request.link.get() == link) ids.push_back(id);
    }
    return ids;
}

std::vector<Requests::CallId> Requests::all() const {
    std::vector<CallId> ids;
    for (const auto& [id, call] : calls_) ids.push_back(id);
    return ids;
}

std::uint64_t Requests::expect(v1::Op op, Answer answer) {
    on_way_.emplace(next_req_, Match{op, 0, std::move(answer)});
    return next_req_++;
}

Requests::Match Requests::match(std::uint64_t req) {
    const auto found = on_way_.find(req);
    if (found == on_way_.end()) return {};
    Match match = std::move(found->second);
    on_way_.erase(found);
    return match;
}

void Requests::disconnected() {
    on_way_.clear();
    for (auto& [id, call] : calls_) {
        if (std::exchange(call.req, 0) != 0) call.repeated = true;
    }
}

v1::Op answer_of(v1::Op question) {
    switch (question) {
        case v1::OP_OPEN:
            return v1::OP_OPENED;
        case v1::OP_OPEN_PRODUCER:
            return v1::OP_PRODUCER_OPENED;
        case v1::OP_ATTACH:
            return v1::OP_ATTACHED;
        case v1::OP_EXTEND:
            return v1::OP_EXTENDED;
        case v1::OP_JOIN:
            return v1::OP_JOINED;
        case v1::OP_LIST:
        case v1::OP_SHOW:
            return v1::OP_QUEUES;
        case v1::OP_PEEK:
            return v1::OP_PEEKED;
        case v1::OP_STATUS:
            return v1::OP_STATUS_IS;
        case v1::OP_HANDLE_DEAD:
            return v1::OP_DEAD_HANDLED;
        default:
            return v1::OP_OK;
    }
}

}  // namespace telpher::session
