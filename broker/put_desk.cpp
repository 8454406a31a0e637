#include "broker/put_desk.h"

#include <algorithm>
#include <utility>

#include "broker/get_desk.h"
#include "proto/base/check.h"
#include "proto/base/mutant.h"
#include "proto/frame.h"

namespace telpher::broker {
namespace {

/// Columns of the attribute table this broker acts on: none yet, so a batch that needs one is refused, never misread.
constexpr std::uint32_t kColumnsKnown = 0;
/// Bodies one producer may have parked behind its first.
constexpr std::size_t kParkedBodyBytes = limits::kMiB;
/// Tickets one producer may have: its PUTs on their way, each of which may fall into parts when it is sent again.
constexpr std::size_t kTicketsMax = 2 * limits::kPutsInFlightMax;
/// A producer asked for a body again has this long before its ticket goes to the end of the line.
constexpr auto kRoomPatience = std::chrono::seconds(2);

}  // namespace

Result<void> PutDesk::put(Session& session, const v1::Put& header, const Slice& body) {
    const auto handle = session.handles.find(HandleId(header.handle()));
    if (handle == session.handles.end()) return fail(Code::kProtocol, "PUT names no open handle");
    const bool in_window = session.window.receive(body.size()) && handle->second.window.receive(body.size());
    if (!in_window) return fail(Code::kFlowViolation, "PUT beyond the limit");
    auto view = batch::View::parse(body, core_.settings.message_bytes_max, kColumnsKnown);
    if (!view) return fail(view.error());
    HostedQueue* queue = core_.catalog.find(handle->second.queue);
    if (!handle->second.rights.any_of(RightSet::kPut)) {
        settle_account(session.id, session.peer, handle->first, body.size());
        refuse_put(session, handle->first, view->header(), Code::kDenied);
        return {};
    }
    const ProducerId id = view->header().producer;
    const Sequence first = view->header().first;
    Producer* producer = queue == nullptr ? nullptr : producer_of(session, *queue, id);
    if (producer == nullptr || !producer->open || (!producer->known && first.value() > 0)) {
        settle_account(session.id, session.peer, handle->first, body.size());
        const bool fenced = producer != nullptr && producer->fenced;
        const Code why = fenced ? Code::kFenced : Code::kUnknownProducer;
        refuse_put(session, handle->first, view->header(), queue == nullptr ? Code::kNotFound : why);
        return {};
    }
    const std::uint64_t too_many = TELPHER_MUTANT("window-off-by-one") ? 1 : 0;
    producer->window.known_below(Sequence(header.known_below() + too_many));
    producer->last_put = core_.wall;
    if (producer->line.size() >= kTicketsMax) return fail(Code::kFlowViolation, "more PUTs on their way than allowed");
    auto parts = producer->window.classify(first, view->count());
    if (!parts) return fail(parts.error());
    std::vector<TicketId> made;
    for (const auto& part : *parts) {
        using Kind = queue::ProducerWindow::Part::Kind;
        if (part.kind == Kind::kNew) {
            made.push_back(take_part(*queue, *producer, session, *view, part, header));
        } else if (part.kind == Kind::kDecided) {
            producer->confirm_from = std::min(producer->confirm_from, part.first);
            confirm_later(*queue, *producer);
        }
    }
    give_bodies(*producer, *view);
    if (made.empty()) {
        settle_account(session.id, session.peer, handle->first, body.size());
    } else {
        tickets_.at(made.front()).account = body.size();
    }
    place_first(*queue, *producer);
    admit(*queue);
    for (const TicketId ticket : made) {
        const auto waiting = tickets_.find(ticket);
        if (waiting != tickets_.end()) park(*queue, *producer, waiting->second);
    }
    core_.catalog.touch(*queue);
    return {};
}

void PutDesk::refuse_put(const Session& session, HandleId handle, const batch::Header& header, Code code) {
    v1::Confirm refused;
    refused.set_handle(handle.value());
    refused.set_producer(header.producer.value());
    std::uint64_t end = 0;
    frame::add_run(*refused.mutable_refused(), end,
                   {header.first.value(), header.count, static_cast<std::uint64_t>(code)});
    core_.send(session, v1::OP_CONFIRM, refused);
}

Producer* PutDesk::producer_of(const Session& session, HostedQueue& queue, ProducerId id) {
    const auto found = queue.producers.find(id);
    if (found == queue.producers.end()) return nullptr;
    return found->second.session == session.id && found->second.peer == session.peer ? &found->second : nullptr;
}

TicketId PutDesk::take_part(HostedQueue& queue, Producer& producer, const Session& session, const batch::View& view,
                            const queue::ProducerWindow::Part& part, const v1::Put& header) {
    const auto index = static_cast<std::uint32_t>(part.first - view.header().first);
    Ticket ticket;
    ticket.id = next_ticket_;
    next_ticket_ += 1;
    ticket.queue = queue.id;
    ticket.producer = producer.id;
    ticket.session = session.id;
    ticket.peer = session.peer;
    ticket.handle = HandleId(header.handle());
    ticket.put_first = view.header().first;
    ticket.runs.push_back({part.first, part.count, index, false});
    ticket.body = view;
    ticket.bytes = view.bytes_before(index + part.count) - view.bytes_before(index);
    const Offset under(header.under_offset());
    if (gets_.holds(session, queue, under, header.under_delivery())) ticket.under = queue::Range{under, 1};
    if (core_.disk_full && queue.durable()) ticket.refusal = Code::kDiskFull;
    if (queue.seal_asked && !ticket.under) ticket.refusal = Code::kSealed;
    if (ticket.refusal == Code::kOk && leaves_hole(producer, part.first)) ticket.refusal = Code::kCancelled;
    ticket.since = core_.now;
    ticket.arrived = core_.now;
    producer.window.waiting(part.first, part.count);
    producer.known = true;
    if (!producer.line.empty()) ++queue.behind;
    producer.line.push_back(ticket.id);
    const TicketId id = ticket.id;
    tickets_.emplace(id, std::move(ticket));
    return id;
}

void PutDesk::give_bodies(Producer& producer, const batch::View& view) {
    for (const TicketId id : producer.line) {
        Ticket& ticket = tickets_.at(id);
        if (ticket.body || ticket.put_first != view.header().first) continue;
        const std::uint64_t last = ticket.end() - view.header().first;
        if (last > view.count()) continue;  // not the PUT it was
        ticket.body = view;
        ticket.room_asked = false;
        if (ticket.parked) parked_bytes_ += view.bytes().size();
    }
}

void PutDesk::place_first(HostedQueue& queue, Producer& producer) {
    while (!producer.line.empty()) {
        Ticket& ticket = tickets_.at(producer.line.front());
        if (ticket.in_line) return;
        pass_cancelled(queue, producer, ticket);
        if (ticket.runs.empty()) {
            finish_first(queue, producer);
            continue;
        }
        if (producer.broken && ticket.refusal == Code::kOk) ticket.refusal = Code::kCancelled;
        std::uint32_t count = 0;
        for (const Run& run : ticket.runs) count += run.cancelled ? 0 : run.count;
        const bool sealed = ticket.refusal == Code::kOk && queue.queue.offer({ticket.id, count, ticket.bytes,
                                                                              ticket.under}) == queue::Offered::kSealed;
        if (sealed) ticket.refusal = Code::kSealed;
        if (ticket.refusal == Code::kOk) {
            ticket.in_line = true;
            ticket.since = core_.now;
            if (ticket.parked) ++queue.blocked_producers;
            return;
        }
        refuse_rest(queue, producer, ticket, ticket.refusal);
        finish_first(queue, producer);
    }
}

void PutDesk::admit(HostedQueue& queue) {
    while (const auto next = queue.queue.next_admission()) {
        Ticket& ticket = tickets_.at(*next);
        if (!ticket.body) {
            if (ask_for_body(queue, ticket)) break;
            continue;
        }
        core_.journal.reserve(ticket.body->bytes().size());
        const auto admission = queue.queue.admit_next();
        TELPHER_CHECK(admission && admission->ticket == *next);
        Producer& producer = queue.producers.at(ticket.producer);
        if (!admission->dropped.empty() && queue.durable() && !TELPHER_MUTANT("drop-not-logged")) {
            core_.journal.settled(queue.id, admission->dropped, log::v1::SettleMeta::REASON_DROPPED);
        }
        if (admission->refused == Code::kOk) {
            store(queue, producer, ticket, *admission);
        } else {
            TELPHER_CHECK(admission->finished);
            refuse_rest(queue, producer, ticket, admission->refused);
        }
        core_.account(queue);
        if (admission->finished) {
            TELPHER_CHECK(ticket.runs.empty());
            finish_first(queue, producer);
            place_first(queue, producer);
        }
    }
    seal_when_in_line(queue);
}

bool PutDesk::ask_for_body(HostedQueue& queue, Ticket& ticket) {
    if (ticket.room_asked) {
        if (core_.now < ticket.room_until) return true;
        move_to_end(queue, queue.producers.at(ticket.producer));
        return false;
    }
    ticket.room_asked = true;
    ticket.room_until = core_.now + kRoomPatience;
    v1::Room room;
    room.set_handle(ticket.handle.value());
    room.set_producer(ticket.producer.value());
    room.set_first_sequence(ticket.put_first.value());
    const Session* session = core_.sessions.find(ticket.session);
    if (session != nullptr && session->peer == ticket.peer) core_.send(*session, v1::OP_ROOM, room);
    return true;
}

void PutDesk::move_to_end(HostedQueue& queue, Producer& producer) {
    auto node = tickets_.extract(producer.line.front());
    Ticket& ticket = node.mapped();
    queue.queue.move_to_end(ticket.id, next_ticket_);
    ticket.id = next_ticket_;
    next_ticket_ += 1;
    ticket.room_asked = false;
    node.key() = ticket.id;
    producer.line.front() = ticket.id;
    tickets_.insert(std::move(node));
}

void PutDesk::store(HostedQueue& queue, Producer& producer, Ticket& ticket, const queue::Admission& admission) {
    queue.metrics.put_wait.observe((core_.now - ticket.arrived).count(), admission.count);
    std::uint32_t left = admission.count;
    Offset offset = admission.first;
    while (left > 0) {
        pass_cancelled(queue, producer, ticket);
        TELPHER_CHECK(!ticket.runs.empty());
        Run& run = ticket.runs.front();
        const std::uint32_t count = std::min(left, run.count);
        store_run(queue, ticket, run.index, count, offset);
        decide(queue, producer, {run.first, count, Code::kOk, offset});
        run.first += count;
        run.index += count;
        run.count -= count;
        if (run.count == 0) ticket.runs.erase(ticket.runs.begin());
        offset += count;
        left -= count;
    }
    pass_cancelled(queue, producer, ticket);
    if (ticket.account == 0) return;
    core_.gate.add(queue.queue.options().durability, core_.journal.last(),
                   [this, session = ticket.session, peer = ticket.peer, handle = ticket.handle,
                    bytes = ticket.account] { settle_account(session, peer, handle, bytes); });
    ticket.account = 0;
}

void PutDesk::store_run(HostedQueue& queue, const Ticket& ticket, std::uint32_t index, std::uint32_t count,
                        Offset first) {
    const bool whole = index == 0 && count == ticket.body->count();
    auto part = whole ? Result<batch::View>(*ticket.body) : batch::View::reopen(ticket.body->cut(index, count), false);
    TELPHER_CHECK(part.has_value());
    const std::uint64_t bytes = part->records_bytes();
    BatchRef ref;
    if (queue.durable()) {
        const auto position = core_.journal.batch(queue.id, first, count, queue.generation, part->bytes()).position;
        core_.log.add_live(position.segment, {count, bytes});
        ref = ref_of(position);
    } else {
        ref = core_.store.memory_ref();
    }
    const WallTime put = part->header().put_time;
    core_.store.add(ref, std::move(*part), core_.now);
    queue.queue.stored({.ref = ref, .range = {first, count}, .bytes = bytes, .put = put});
    core_.gate.add(queue.queue.options().durability, core_.journal.last(),
                   [this, id = queue.id, ref, end = first + count] {
                       core_.store.unpin(ref);
                       HostedQueue* still = core_.catalog.find(id);
                       if (still == nullptr) return;
                       still->queue.make_visible(end);
                       core_.catalog.touch(*still);
                   });
}

void PutDesk::decide(HostedQueue& queue, Producer& producer, const queue::SequenceVerdict& verdict) {
    producer.window.decided(verdict);
    if (verdict.code == Code::kOk) {
        producer.known = true;
        producer.stored_below = verdict.first + verdict.count;
    } else if (!producer.name.empty()) {
        producer.broken = true;
    }
    tell_below(queue, producer, verdict.first + verdict.count);
}

/// What was cancelled before it came may be told of when nothing before it waits: verdicts are told in order.
void PutDesk::tell_skipped(HostedQueue& queue, Producer& producer) {
    if (!producer.line.empty() || !std::exchange(producer.skipped, false)) return;
    tell_below(queue, producer, producer.window.next());
}

/// Verdicts below `end` may be told once what was decided so far is committed.
void PutDesk::tell_below(HostedQueue& queue, const Producer& producer, Sequence end) {
    auto durability = queue.queue.options().durability;
    if (TELPHER_MUTANT("confirm-not-gated")) durability = queue::Durability::kMemory;
    core_.gate.add(durability, core_.journal.last(), [this, id = queue.id, of = producer.id, end] {
        HostedQueue* still = core_.catalog.find(id);
        if (still == nullptr) return;
        const auto found = still->producers.find(of);
        if (found == still->producers.end()) return;
        found->second.committed_below = std::max(found->second.committed_below, end);
        confirm_later(*still, found->second);
    });
}

void PutDesk::pass_cancelled(HostedQueue& queue, Producer& producer, Ticket& ticket) {
    while (!ticket.runs.empty() && ticket.runs.front().cancelled) {
        const Run run = ticket.runs.front();
        ticket.runs.erase(ticket.runs.begin());
        decide(queue, producer, {run.first, run.count, Code::kCancelled, Offset()});
    }
}

void PutDesk::refuse_rest(HostedQueue& queue, Producer& producer, Ticket& ticket, Code code) {
    for (const Run& run : ticket.runs) {
        if (!run.cancelled) queue.metrics.reject(code, run.count);
        decide(queue, producer, {run.first, run.count, run.cancelled ? Code::kCancelled : code, Offset()});
    }
    ticket.runs.clear();
}

void PutDesk::finish_first(HostedQueue& queue, Producer& producer) {
    const auto found = tickets_.find(producer.line.front());
    TELPHER_CHECK(found != tickets_.end() && found->second.runs.empty());
    Ticket& ticket = found->second;
    leave_account(ticket);
    if (ticket.parked && ticket.in_line) {
        --queue.blocked_producers;
        queue.blocked += core_.now - ticket.since;
    }
    drop_body(ticket);
    tickets_.erase(found);
    producer.line.pop_front();
    if (!producer.line.empty()) {
        TELPHER_CHECK(queue.behind > 0);
        --queue.behind;
    }
    tell_skipped(queue, producer);
    core_.catalog.touch(queue);
}

void PutDesk::park(HostedQueue& queue, Producer& producer, Ticket& ticket) {
    leave_account(ticket);
    std::size_t behind_bytes = 0;
    for (const TicketId id : producer.line) {
        const Ticket& other = tickets_.at(id);
        if (other.parked && other.body && !other.in_line) behind_bytes += other.body->bytes().size();
    }
    if (ticket.in_line && !ticket.parked) ++queue.blocked_producers;
    ticket.parked = true;
    const std::size_t bytes = ticket.body->bytes().size();
    parked_bytes_ += bytes;
    const bool fits =
        parked_bytes_ <= limits::kParkedBytesMax && (ticket.in_line || behind_bytes + bytes <= kParkedBodyBytes);
    if (!fits) drop_body(ticket);
    v1::Parked parked;
    parked.set_handle(ticket.handle.value());
    parked.set_producer(ticket.producer.value());
    parked.set_first_sequence(ticket.put_first.value());
    parked.set_kept(fits);
    core_.send(ticket.peer, v1::OP_PARKED, parked);
}

void PutDesk::drop_body(Ticket& ticket) {
    if (ticket.parked && ticket.body) parked_bytes_ -= ticket.body->bytes().size();
    ticket.body.reset();
}

void PutDesk::leave_account(Ticket& ticket) {
    if (ticket.account > 0) settle_account(ticket.session, ticket.peer, ticket.handle, ticket.account);
    ticket.account = 0;
}

void PutDesk::settle_account(SessionId id, PeerId peer, HandleId handle, std::uint64_t bytes) {
    Session* session = core_.sessions.find(id);
    if (session == nullptr || !session->connected || session->peer != peer) return;  // a new connection counts anew
    session->window.settle(bytes);
    v1::Limit limit;
    limit.set_session_put_bytes(session->window.raise());
    const auto found = session->handles.find(handle);
    if (found != session->handles.end()) {
        found->second.window.settle(bytes);
        limit.set_handle(handle.value());
        limit.set_put_bytes(found->second.window.raise());
    }
    if (limit.put_bytes() > 0 || limit.session_put_bytes() > 0) core_.send(*session, v1::OP_LIMIT, limit);
}

}  // namespace telpher::broker
