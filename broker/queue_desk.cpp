#include "broker/queue_desk.h"

#include <algorithm>

#include "broker/queue_options.h"
#include "broker/quota.h"
#include "proto/frame.h"

namespace telpher::broker {
namespace {

constexpr std::uint32_t kListMax = 1000;
constexpr std::ptrdiff_t kWaitingOpensMax = 1000;  // of one session: others may wait too
constexpr std::size_t kListBytesMax = 48 * 1024;   // one more state still fits a control frame

}  // namespace

void QueueDesk::open(Session& session, const v1::Open& request) {
    if (!frame::legal_name(request.name())) {
        return core_.refuse(session.peer, request.req(), Error(Code::kBadName, request.name().substr(0, 64)));
    }
    // Who has no right there learns nothing, not even whether it exists.
    const RightSet rights = session.rights->on(request.name());
    if (rights.empty()) return core_.deny(session, request.req(), "OPEN", request.name());
    HostedQueue* queue = core_.catalog.find(request.name());
    if (queue != nullptr) {
        const auto wanted = apply_options(queue->queue.options(), request.options());
        if (!wanted) return core_.refuse(session.peer, request.req(), wanted.error());
        if (*wanted != queue->queue.options()) {
            return core_.refuse(session.peer, request.req(), Error(Code::kQueueMismatch, request.name()));
        }
        return opened(session, *queue, request.req(), false);
    }
    if (request.create()) {
        if (!rights.any_of(RightSet::kAdmin)) return core_.deny(session, request.req(), "CREATE", request.name());
        const auto made = create(session, request.name(), request.options());
        if (!made) return core_.refuse(session.peer, request.req(), made.error());
        return opened(session, **made, request.req(), true);
    }
    if (!request.wait()) return core_.refuse(session.peer, request.req(), Error(Code::kNotFound, request.name()));
    const auto waits = std::count_if(waiting_opens_.begin(), waiting_opens_.end(),
                                     [&](const auto& open) { return open.second.session == session.id; });
    if (waiting_opens_.size() >= limits::kJoinersMax || waits >= kWaitingOpensMax) {
        return core_.refuse(session.peer, request.req(), Error(Code::kLimit, "waiting opens"));
    }
    waiting_opens_.emplace(request.name(), WaitingOpen{session.id, request.req()});
}

/// The quota is that of the owner, whoever changes the queue. Who is no user any more has none.
Result<void> QueueDesk::within_quota(const std::string& owner, const queue::Options& wanted,
                                     const HostedQueue* changed) {
    const auto rights = owner.empty() ? nullptr : core_.users->rights_of(owner);
    if (rights == nullptr) return {};
    return check_quota(rights->quota(), owner, core_.catalog.owned_by(owner), wanted, changed);
}

Result<HostedQueue*> QueueDesk::create(const Session& session, const std::string& name,
                                       const v1::QueueOptions& options) {
    if (core_.catalog.size() >= limits::kQueuesMax) return fail(Code::kLimit, "queues of this shard");
    const auto wanted = apply_options(core_.settings.queue_defaults, options);
    if (!wanted) return fail(wanted.error());
    if (auto within = within_quota(session.user, *wanted, nullptr); !within) return fail(within.error());
    HostedQueue& queue = core_.catalog.create(name, *wanted);
    core_.catalog.give(queue, session.user);
    log::v1::QueueMeta change;
    change.set_change(log::v1::QueueMeta::CHANGE_CREATED);
    change.set_name(name);
    change.set_generation(queue.generation);
    change.set_owner(queue.owner);
    encode_options(*wanted, *change.mutable_options());
    core_.journal.queue_changed(queue.id, change);
    answer_waiting(queue);
    return &queue;
}

void QueueDesk::answer_waiting(HostedQueue& queue) {
    const auto [first, last] = waiting_opens_.equal_range(queue.name);
    for (auto open = first; open != last; ++open) {
        Session* session = core_.sessions.find(open->second.session);
        if (session == nullptr) continue;
        if (session->rights->on(queue.name).empty()) {  // lost while it waited
            core_.deny(*session, open->second.req, "OPEN", queue.name);
        } else {
            opened(*session, queue, open->second.req, false);
        }
    }
    waiting_opens_.erase(first, last);
}

void QueueDesk::opened(Session& session, HostedQueue& queue, std::uint64_t req, bool created) {
    if (session.handles.size() >= limits::kHandlesMax) {
        return core_.refuse(session.peer, req, Error(Code::kLimit, "open queues of one session"));
    }
    Handle handle;
    handle.id = HandleId(session.next_handle++);
    handle.queue = queue.id;
    handle.rights = session.rights->on(queue.name);
    handle.window = PutWindow(limits::kHandlePutWindowBytes);
    v1::Opened answer;
    answer.set_req(req);
    answer.set_handle(handle.id.value());
    answer.set_generation(queue.generation);
    encode_options(queue.queue.options(), *answer.mutable_options());
    answer.set_put_bytes(handle.window.limit());
    answer.set_sealed(queue.queue.sealed());
    answer.set_created(created);
    session.handles.emplace(handle.id, handle);
    queue.openers.emplace(session.id, handle.id);
    // The queue may be new: nobody is told of it before its record is committed.
    core_.send_when_committed(session, v1::OP_OPENED, std::move(answer));
}

void QueueDesk::close(Session& session, const v1::Close& request) {
    const auto found = session.handles.find(HandleId(request.handle()));
    if (found == session.handles.end()) return;
    closed(session, found->second);
    session.handles.erase(found);
}

void QueueDesk::closed(const Session& session, const Handle& handle) {
    if (HostedQueue* queue = core_.catalog.find(handle.queue)) queue->openers.erase({session.id, handle.id});
}

void QueueDesk::change(Session& session, const v1::Change& request) {
    const auto refuse = [&](Error error) { core_.refuse(session.peer, request.req(), error); };
    if (!frame::legal_name(request.name())) return refuse(Error(Code::kBadName, request.name().substr(0, 64)));
    if (!session.rights->on(request.name()).any_of(RightSet::kAdmin)) {
        return core_.deny(session, request.req(), "CHANGE", request.name());
    }
    HostedQueue* queue = core_.catalog.find(request.name());
    Result<void> done;
    if (request.what() == v1::Change::WHAT_CREATE) {
        if (queue == nullptr) {
            const auto made = create(session, request.name(), request.options());
            if (!made) done = fail(made.error());
        } else if (const auto wanted = apply_options(queue->queue.options(), request.options()); !wanted) {
            done = fail(wanted.error());
        } else if (*wanted != queue->queue.options()) {
            done = fail(Code::kQueueMismatch, request.name());
        }
    } else if (queue == nullptr) {
        done = fail(Code::kNotFound, request.name());
    } else if (request.what() == v1::Change::WHAT_SET) {
        done = set(*queue, request.options());
    } else if (request.what() == v1::Change::WHAT_REMOVE) {
        done = remove(*queue, request.force());
    } else if (request.what() == v1::Change::WHAT_PAUSE || request.what() == v1::Change::WHAT_RESUME) {
        const bool paused = request.what() == v1::Change::WHAT_PAUSE;
        queue->queue.pause(paused);
        log::v1::QueueMeta meta;
        meta.set_change(paused ? log::v1::QueueMeta::CHANGE_PAUSED : log::v1::QueueMeta::CHANGE_RESUMED);
        core_.journal.queue_changed(queue->id, meta);
        core_.catalog.touch(*queue);
    } else {
        done = fail(Code::kUnsupported, "CHANGE");
    }
    if (!done) return refuse(done.error());
    core_.ok_when_committed(session, request.req());
}

Result<void> QueueDesk::set(HostedQueue& queue, const v1::QueueOptions& options) {
    const auto wanted = apply_options(queue.queue.options(), options);
    if (!wanted) return fail(wanted.error());
    if (wanted->durability != queue.queue.options().durability) {
        return fail(Code::kBadOption, "the durability of a queue cannot change; make another queue");
    }
    if (auto within = within_quota(queue.owner, *wanted, &queue); !within) return within;
    queue.queue.set_options(*wanted);
    log::v1::QueueMeta change;
    change.set_change(log::v1::QueueMeta::CHANGE_SET);
    encode_options(*wanted, *change.mutable_options());
    core_.journal.queue_changed(queue.id, change);
    core_.catalog.touch(queue);
    return {};
}

Result<void> QueueDesk::remove(HostedQueue& queue, bool force) {
    const queue::Queue& state = queue.queue;
    const std::uint64_t unfinished = state.ready() + state.leased() + state.delayed() + state.waiters();
    if (unfinished + state.dead() > 0 && !force) {
        return fail(Code::kBusy, queue.name + " holds " + std::to_string(unfinished) + " messages and " +
                                     std::to_string(state.dead()) + " dead letters; use force");
    }
    puts_.queue_removed(queue);
    gets_.queue_removed(queue);
    ends_.queue_removed(queue);
    tell_removed(queue);
    queue.queue.purge();
    core_.account(queue);
    log::v1::QueueMeta change;
    change.set_change(log::v1::QueueMeta::CHANGE_REMOVED);
    core_.journal.queue_changed(queue.id, change);
    core_.catalog.remove(queue.id);
    return {};
}

// Handles stay: they name a queue that is not there any more, and what comes on them is refused.
void QueueDesk::tell_removed(const HostedQueue& queue) {
    const Error why = queue.removed();
    for (const auto& [session, handle] : queue.openers) {
        if (const Session* opener = core_.sessions.find(session)) core_.refuse_handle(opener->peer, handle, why);
    }
}

void QueueDesk::list(Session& session, const v1::List& request) {
    // As with PEEK: nothing else bounds how many answers wait for a peer that asks and does not read.
    if (core_.transport.congested(session.peer)) {
        return core_.refuse(session.peer, request.req(), Error(Code::kLimit, "read the earlier answers first"));
    }
    v1::Queues answer;
    answer.set_req(request.req());
    const std::uint32_t max = request.max() == 0 ? kListMax : std::min(request.max(), kListMax);
    const auto& queues = core_.catalog.by_name();
    std::uint32_t count = 0;
    std::size_t bytes = 0;
    for (auto at = queues.upper_bound(request.after()); at != queues.end(); ++at) {
        if (session.rights->on(at->first).empty()) continue;
        if (count++ == max || bytes > kListBytesMax) {
            answer.set_more(true);
            break;
        }
        v1::QueueState* state = answer.add_queues();
        *state = at->second->state();
        bytes += state->ByteSizeLong();
    }
    core_.send(session, v1::OP_QUEUES, answer);
}

void QueueDesk::show(Session& session, const v1::Show& request) {
    if (session.rights->on(request.name()).empty()) return core_.deny(session, request.req(), "SHOW", request.name());
    const HostedQueue* queue = core_.catalog.find(request.name());
    if (queue == nullptr) {
        return core_.refuse(session.peer, request.req(), Error(Code::kNotFound, request.name().substr(0, 64)));
    }
    v1::Queues answer;
    answer.set_req(request.req());
    *answer.add_queues() = queue->state();
    core_.send(session, v1::OP_QUEUES, answer);
}

void QueueDesk::leave(Session& session, const v1::Leave& request) {
    std::erase_if(waiting_opens_, [&](const auto& open) {
        return open.second.session == session.id && open.second.req == request.req();
    });
    ends_.leave(session, request);
}

void QueueDesk::connection_over(const Session& session) {
    for (const auto& [id, handle] : session.handles) closed(session, handle);
    std::erase_if(waiting_opens_, [&](const auto& open) { return open.second.session == session.id; });
    std::erase_if(waiting_peeks_, [&](const WaitingPeek& peek) { return peek.session == session.id; });
}

}  // namespace telpher::broker
