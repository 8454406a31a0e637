// PutDesk's other half: opening and closing producers, telling verdicts, taking puts back.
#include <algorithm>
#include <utility>

#include "broker/put_desk.h"
#include "proto/base/check.h"
#include "proto/base/mutant.h"
#include "proto/frame.h"

namespace telpher::broker {
namespace {

/// Runs of verdicts in one CONFIRM; more go in the next.
constexpr std::size_t kConfirmRunsMax = 256;

}  // namespace

void PutDesk::open_producer(Session& session, const v1::OpenProducer& request) {
    const auto handle = session.handles.find(HandleId(request.handle()));
    HostedQueue* queue = handle == session.handles.end() ? nullptr : core_.catalog.find(handle->second.queue);
    if (queue == nullptr) return core_.refuse(session.peer, request.req(), Error(Code::kNotFound, "no such handle"));
    if (!handle->second.rights.any_of(RightSet::kPut)) {
        return core_.deny(session, request.req(), "OPEN_PRODUCER", queue->name);
    }
    const auto id = producer_to_open(session, *queue, request);
    if (!id) return core_.refuse(session.peer, request.req(), id.error());
    Producer& producer = queue->producers[*id];
    producer.id = *id;
    if (request.producer() == 0) producer.known = true;  // told only once its opening is committed
    if (request.producer() == 0 && !request.name().empty()) give_name(*queue, producer, request.name());
    if (producer.session != session.id) session.producers.emplace_back(queue->id, *id);
    producer.session = session.id;
    const bool other_user = std::exchange(producer.user, session.user) != session.user;  // or not known until now
    producer.peer = session.peer;
    producer.handle = handle->first;
    producer.orphan_until = Instant::never();
    producer.last_put = core_.wall;
    // What an older connection was told may not have arrived, and what a CONFIRM passes over counts as a hole.
    producer.confirm_from = Sequence();
    for (const TicketId ticket : producer.line) {
        tickets_.at(ticket).session = session.id;
        tickets_.at(ticket).peer = session.peer;
        tickets_.at(ticket).handle = handle->first;
        tickets_.at(ticket).room_asked = false;
    }
    if (!producer.open || other_user) {
        queue->set_open(producer, true);
        // One that is not known must not be so after a restart either: it may have stored what it would send again.
        if (request.producer() == 0 && !producer.name.empty()) {
            core_.journal.producer_named(queue->id, producer, core_.wall);
        } else if (producer.known) {
            core_.journal.producer_opened(queue->id, producer, core_.wall);
        }
    }
    v1::ProducerOpened opened;
    opened.set_req(request.req());
    opened.set_producer(id->value());
    opened.set_next_sequence(producer.window.decided_below().value());
    core_.send_when_committed(session, v1::OP_PRODUCER_OPENED, std::move(opened));
}

void PutDesk::close_producer(Session& session, const v1::CloseProducer& request) {
    const auto handle = session.handles.find(HandleId(request.handle()));
    HostedQueue* queue = handle == session.handles.end() ? nullptr : core_.catalog.find(handle->second.queue);
    Producer* producer = queue == nullptr ? nullptr : producer_of(session, *queue, ProducerId(request.producer()));
    if (producer == nullptr) return core_.refuse(session.peer, request.req(), Error(Code::kUnknownProducer));
    close(*queue, *producer);
    core_.ok_when_committed(session, request.req());
}

void PutDesk::close_quietly(QueueId queue_id, ProducerId id, SessionId session) {
    HostedQueue* queue = core_.catalog.find(queue_id);
    if (queue == nullptr) return;
    const auto found = queue->producers.find(id);
    if (found == queue->producers.end() || found->second.session != session) return;
    core_.journal.reserve(0);
    close(*queue, found->second);
    found->second.session = SessionId();
}

void PutDesk::close(HostedQueue& queue, Producer& producer) {
    refuse_all(queue, producer, Code::kCancelled);
    if (producer.open) {
        queue.set_open(producer, false);
        if (producer.known) {
            core_.journal.producer_over(queue.id, producer.id, log::v1::ProducerMeta::CHANGE_CLOSED, core_.wall);
        }
    }
    core_.catalog.touch(queue);
}

void PutDesk::confirm_later(HostedQueue& queue, Producer& producer) {
    if (!producer.confirm_due) queue.confirm_due.push_back(producer.id);
    producer.confirm_due = true;
    core_.catalog.touch(queue);
}

void PutDesk::tell(HostedQueue& queue) {
    std::vector<ProducerId> due;
    due.swap(queue.confirm_due);
    for (const ProducerId id : due) {
        const auto found = queue.producers.find(id);
        if (found == queue.producers.end()) continue;
        found->second.confirm_due = false;
        confirm(queue, found->second);
    }
}

void PutDesk::confirm(HostedQueue& queue, Producer& producer) {
    const Session* session = core_.sessions.find(producer.session);
    if (session == nullptr || !session->connected || session->peer != producer.peer) return;
    if (producer.confirm_from >= producer.committed_below) return;
    v1::Confirm message;
    message.set_handle(producer.handle.value());
    message.set_producer(producer.id.value());
    std::uint64_t stored_end = 0;
    std::uint64_t refused_end = 0;
    Sequence told = producer.committed_below;
    const auto verdicts = producer.window.verdicts(producer.confirm_from, kConfirmRunsMax);
    if (verdicts.size() == kConfirmRunsMax) told = std::min(told, verdicts.back().first + verdicts.back().count);
    for (const queue::SequenceVerdict& verdict : verdicts) {
        if (verdict.first >= producer.committed_below) break;
        const std::uint64_t count = std::min<std::uint64_t>(verdict.count, producer.committed_below - verdict.first);
        if (verdict.code == Code::kOk) {
            frame::add_run(*message.mutable_stored(), stored_end,
                           {verdict.first.value(), count, verdict.offset.value()});
        } else {
            frame::add_run(*message.mutable_refused(), refused_end,
                           {verdict.first.value(), count, static_cast<std::uint64_t>(verdict.code)});
        }
    }
    message.set_decided_below(told.value());
    producer.confirm_from = told;
    core_.send(*session, v1::OP_CONFIRM, message);
    if (told < producer.committed_below) confirm_later(queue, producer);
}

void PutDesk::cancel(Session& session, const v1::Cancel& request) {
    const auto handle = session.handles.find(HandleId(request.handle()));
    HostedQueue* queue = handle == session.handles.end() ? nullptr : core_.catalog.find(handle->second.queue);
    Producer* producer = queue == nullptr ? nullptr : producer_of(session, *queue, ProducerId(request.producer()));
    if (producer == nullptr) return core_.refuse(session.peer, 0, Error(Code::kUnknownProducer, "CANCEL"));
    const Sequence first(request.first_sequence());
    const Sequence end = first + request.count();
    if (end < first || request.count() == 0)
        return core_.refuse(session.peer, 0, Error(Code::kProtocol, "CANCEL range"));
    v1::Confirm told;
    told.set_handle(request.handle());
    told.set_producer(request.producer());
    told.set_decided_below(std::min(producer->committed_below, producer->confirm_from).value());
    std::uint64_t told_end = 0;
    // What has a name leaves no holes: what follows on the cancelled will not be stored either.
    const Sequence line_end = producer->name.empty() ? end : std::max(end, producer->window.next());
    const std::vector<TicketId> line(producer->line.begin(), producer->line.end());
    for (const TicketId id : line) cancel_in(*queue, tickets_.at(id), first, line_end, told, told_end);
    const Sequence seen = producer->window.next();
    if (end > seen) {  // never came: it will not come any more, the client says
        const Sequence from = std::max(first, seen);
        frame::add_run(*told.mutable_refused(), told_end,
                       {from.value(), end - from, static_cast<std::uint64_t>(Code::kCancelled)});
        producer->window.skip_to(end);
        if (!producer->name.empty()) producer->broken = true;
        producer->skipped = true;
        tell_skipped(*queue, *producer);
    }
    if (told.refused_size() > 0) core_.send(session, v1::OP_CONFIRM, told);
    if (first < producer->window.decided_below()) {
        producer->confirm_from = std::min(producer->confirm_from, first);
        confirm_later(*queue, *producer);
    }
    while (!producer->line.empty() && tickets_.at(producer->line.front()).runs.empty()) finish_first(*queue, *producer);
    place_first(*queue, *producer);
    core_.catalog.touch(*queue);
}

void PutDesk::cancel_in(HostedQueue& queue, Ticket& ticket, Sequence first, Sequence end, v1::Confirm& told,
                        std::uint64_t& told_end) {
    std::vector<Run> runs;
    std::uint32_t cancelled = 0;
    std::uint32_t left = 0;
    for (const Run& run : ticket.runs) {
        const Sequence from = std::max(first, run.first);
        const Sequence to = std::min(end, run.first + run.count);
        if (from >= to) {
            runs.push_back(run);
            left += run.cancelled ? 0 : run.count;
            continue;
        }
        const auto before = static_cast<std::uint32_t>(from - run.first);
        const auto inside = static_cast<std::uint32_t>(to - from);
        const std::uint32_t after = run.count - before - inside;
        if (before > 0) runs.push_back({run.first, before, run.index, run.cancelled});
        runs.push_back({from, inside, run.index + before, !TELPHER_MUTANT("cancelled-is-stored")});
        if (after > 0) runs.push_back({to, after, run.index + before + inside, run.cancelled});
        if (!run.cancelled) {
            cancelled += inside;
            left += before + after;
        }
        frame::add_run(*told.mutable_refused(), told_end,
                       {from.value(), inside, static_cast<std::uint64_t>(Code::kCancelled)});
    }
    ticket.runs = std::move(runs);
    if (cancelled == 0) return;
    const std::uint64_t bytes = ticket.bytes / (left + cancelled) * cancelled;
    ticket.bytes -= bytes;
    Producer& producer = queue.producers.at(ticket.producer);
    if (left > 0) {
        if (ticket.in_line) queue.queue.shrink(ticket.id, cancelled, bytes);
        return;
    }
    if (ticket.in_line) queue.queue.cancel(ticket.id);
    if (producer.line.front() == ticket.id) pass_cancelled(queue, producer, ticket);
}

void PutDesk::refuse_all(HostedQueue& queue, Producer& producer, Code code) {
    while (!producer.line.empty()) {
        Ticket& ticket = tickets_.at(producer.line.front());
        if (ticket.in_line) queue.queue.cancel(ticket.id);
        refuse_rest(queue, producer, ticket, code);
        finish_first(queue, producer);
    }
    seal_when_in_line(queue);
}

void PutDesk::disconnected(const Session& session) {
    for (const auto& [queue_id, id] : session.producers) {
        HostedQueue* queue = core_.catalog.find(queue_id);
        if (queue == nullptr) continue;
        const auto found = queue->producers.find(id);
        if (found != queue->producers.end() && found->second.session == session.id) found->second.peer = PeerId();
    }
}

void PutDesk::session_over(const Session& session) {
    for (const auto& [queue_id, id] : session.producers) {
        HostedQueue* queue = core_.catalog.find(queue_id);
        if (queue == nullptr) continue;
        const auto found = queue->producers.find(id);
        if (found == queue->producers.end() || found->second.session != session.id) continue;
        orphan(*queue, found->second);
    }
}

/// Its puts keep their places, unless a body would have to be asked for: nobody would answer, and the others would
/// wait.
void PutDesk::orphan(HostedQueue& queue, Producer& producer) {
    producer.session = SessionId();
    producer.orphan_until = core_.now + core_.settings.session_lease;
    const bool whole = std::all_of(producer.line.begin(), producer.line.end(),
                                   [&](TicketId id) { return tickets_.at(id).body.has_value(); });
    if (!whole) {
        core_.journal.reserve(0);
        refuse_all(queue, producer, Code::kCancelled);
    }
    for (const TicketId id : producer.line) queue.queue.forget_lease(id);
    core_.catalog.touch(queue);
}

void PutDesk::queue_removed(HostedQueue& queue) {
    for (auto& [id, producer] : queue.producers) {
        refuse_all(queue, producer, Code::kNotFound);
        producer.committed_below = producer.window.decided_below();
        confirm(queue, producer);
    }
}

void PutDesk::expire(HostedQueue& queue) {
    if (core_.now < queue.expire_at) return;
    // So that many producers cost little: a look at each takes well below a microsecond.
    queue.expire_at = core_.now + std::chrono::microseconds(50) * queue.producers.size();
    for (auto at = queue.producers.begin(); at != queue.producers.end();) {
        Producer& producer = at->second;
        if (producer.open && producer.session == SessionId() && producer.orphan_until <= core_.now) {
            core_.journal.reserve(0);
            close(queue, producer);
        }
        ++at;
        if (is_idle(producer)) forget_idle(queue, producer);
    }
}

void PutDesk::seal_asked(HostedQueue& queue) {
    queue.seal_asked = true;
    seal_when_in_line(queue);
}

void PutDesk::seal_when_in_line(HostedQueue& queue) {
    if (queue.seal_asked && queue.behind == 0) queue.queue.seal();
}

}  // namespace telpher::broker
