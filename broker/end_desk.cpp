#include "broker/end_desk.h"

#include <algorithm>

#include "proto/base/mutant.h"

namespace telpher::broker {

HostedQueue* EndDesk::queue_of(Session& session, std::uint64_t req, std::uint32_t handle) {
    const auto found = session.handles.find(HandleId(handle));
    HostedQueue* queue = found == session.handles.end() ? nullptr : core_.catalog.find(found->second.queue);
    if (queue == nullptr) core_.refuse(session.peer, req, Error(Code::kNotFound, "no such handle"));
    return queue;
}

bool EndDesk::allowed(const Session& session, std::uint64_t req, std::uint32_t handle, RightSet::Right right,
                      const char* op) {
    const auto found = session.handles.find(HandleId(handle));
    if (found->second.rights.any_of(right)) return true;
    core_.deny(session, req, op, core_.catalog.find(found->second.queue)->name);
    return false;
}

void EndDesk::seal(Session& session, const v1::Seal& request) {
    HostedQueue* queue = queue_of(session, request.req(), request.handle());
    if (queue == nullptr || !allowed(session, request.req(), request.handle(), RightSet::kPut, "SEAL")) return;
    if (queue->sealers.size() >= limits::kJoinersMax)
        return core_.refuse(session.peer, request.req(), Error(Code::kLimit, "seals of one queue"));
    if (!queue->queue.sealed()) {
        queue->sealers.emplace_back(session.id, request.req());
        puts_.seal_asked(*queue);
        core_.catalog.touch(*queue);
        return;
    }
    core_.ok_when_committed(session, request.req());
}

void EndDesk::reopen(Session& session, const v1::Reopen& request) {
    HostedQueue* queue = queue_of(session, request.req(), request.handle());
    if (queue == nullptr || !allowed(session, request.req(), request.handle(), RightSet::kAdmin, "REOPEN")) return;
    if (!queue->queue.sealed()) {
        const Error why(queue->seal_asked ? Code::kBusy : Code::kBadOption, "the queue is not sealed");
        return core_.refuse(session.peer, request.req(), why);
    }
    queue->seal_asked = false;
    queue->queue.reopen();
    ++queue->generation;
    queue->lost_lately = 0;
    log::v1::QueueMeta change;
    change.set_change(log::v1::QueueMeta::CHANGE_REOPENED);
    change.set_generation(queue->generation);
    core_.journal.queue_changed(queue->id, change);
    core_.catalog.touch(*queue);
    core_.ok_when_committed(session, request.req());
}

void EndDesk::join(Session& session, const v1::Join& request) {
    HostedQueue* queue = queue_of(session, request.req(), request.handle());
    if (queue == nullptr) return;
    if (queue->joiners.size() >= limits::kJoinersMax) {
        return core_.refuse(session.peer, request.req(), Error(Code::kLimit, "joins of one queue"));
    }
    const Joiner joiner{session.id, request.req(), request.generation(), request.sealed()};
    if (joiner.generation != 0 && joiner.generation < queue->generation) {
        // That generation is over: reopened since, or lost in a restart.
        core_.gate.add(queue::Durability::kFsync, core_.journal.last(), [this, id = queue->id, joiner] {
            HostedQueue* still = core_.catalog.find(id);
            if (still != nullptr) answer(*still, joiner);
        });
        return;
    }
    queue->joiners.push_back(joiner);
    queue->end_checked = false;
    core_.catalog.touch(*queue);
}

void EndDesk::leave(Session& session, const v1::Leave& request) {
    for (HostedQueue* queue : queues_of(session)) {
        std::erase_if(queue->joiners, [&](const Joiner& joiner) {
            return joiner.session == session.id && joiner.req == request.req();
        });
    }
}

/// Each queue that the session has open, once.
std::vector<HostedQueue*> EndDesk::queues_of(const Session& session) {
    std::vector<HostedQueue*> queues;
    for (const auto& [id, handle] : session.handles) {
        if (HostedQueue* queue = core_.catalog.find(handle.queue)) queues.push_back(queue);
    }
    std::sort(queues.begin(), queues.end());
    queues.erase(std::unique(queues.begin(), queues.end()), queues.end());
    return queues;
}

void EndDesk::check(HostedQueue& queue) {
    if (queue.queue.take_sealed_now()) {
        log::v1::QueueMeta change;
        change.set_change(log::v1::QueueMeta::CHANGE_SEALED);
        core_.journal.queue_changed(queue.id, change);
        for (const auto& [id, req] : queue.sealers) {
            if (const Session* session = core_.sessions.find(id)) core_.ok_when_committed(*session, req);
        }
        queue.sealers.clear();
    }
    if (!queue.queue.idle()) {
        queue.end_checked = false;
        return;
    }
    const bool ended = queue.queue.drained();
    const bool somebody = !queue.joiners.empty() || (ended && !queue.subscriptions.empty());
    if (!somebody || (queue.end_checked && queue.end_checked_at == core_.journal.last())) return;
    queue.end_checked = true;
    queue.end_checked_at = core_.journal.last();
    const auto when = TELPHER_MUTANT("end-not-gated") ? queue::Durability::kMemory : queue::Durability::kFsync;
    core_.gate.add(when, core_.journal.last(), [this, id = queue.id] {
        HostedQueue* still = core_.catalog.find(id);
        if (still != nullptr) tell(*still);
    });
}

void EndDesk::answer(const HostedQueue& queue, const Joiner& joiner) {
    const Session* session = core_.sessions.find(joiner.session);
    if (session == nullptr) return;
    v1::Joined joined;
    joined.set_req(joiner.req);
    *joined.mutable_state() = queue.state();
    const bool cut_short = joiner.generation != 0 && joiner.generation <= queue.lost_generation;
    joined.set_lost(cut_short || queue.lost_lately > 0);
    core_.send(*session, v1::OP_JOINED, joined);
}

void EndDesk::tell(HostedQueue& queue) {
    if (!queue.queue.idle()) return;
    const bool ended = queue.queue.drained();
    std::vector<Joiner> waiting;
    waiting.swap(queue.joiners);
    for (const Joiner& joiner : waiting) {
        const bool past = joiner.generation != 0 && joiner.generation < queue.generation;
        if (joiner.sealed && !ended && !past) {
            queue.joiners.push_back(joiner);
        } else {
            answer(queue, joiner);
        }
    }
    if (!ended) return;
    for (const std::uint32_t number : queue.subscriptions) {
        Subscription* subscription = gets_.find(number);
        if (subscription == nullptr || subscription->ended_generation == queue.generation) continue;
        subscription->ended_generation = queue.generation;
        v1::End end;
        end.set_sub(number);
        end.set_generation(queue.generation);
        if (const Session* session = core_.sessions.find(subscription->session)) core_.send(*session, v1::OP_END, end);
    }
}

void EndDesk::connection_over(const Session& session) {
    for (HostedQueue* queue : queues_of(session)) {
        std::erase_if(queue->joiners, [&](const Joiner& joiner) { return joiner.session == session.id; });
        std::erase_if(queue->sealers, [&](const auto& sealer) { return sealer.first == session.id; });
    }
}

void EndDesk::queue_removed(HostedQueue& queue) {
    const Error why = queue.removed();
    const auto refuse = [&](SessionId id, std::uint64_t req) {
        const Session* session = core_.sessions.find(id);
        if (session != nullptr && session->connected) core_.refuse(session->peer, req, why);
    };
    for (const Joiner& joiner : queue.joiners) refuse(joiner.session, joiner.req);
    for (const auto& [id, req] : queue.sealers) refuse(id, req);
    queue.joiners.clear();
    queue.sealers.clear();
}

}  // namespace telpher::broker
