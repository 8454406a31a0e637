// QueueDesk: what is in a queue, and what is done with its dead letters.
#include <algorithm>
#include <array>

#include "broker/queue_desk.h"
#include "proto/frame.h"

namespace telpher::broker {
namespace {

constexpr std::uint32_t kPeekMax = 1000;
constexpr std::size_t kReasonsShownBytes =
    24 * 1024;  // in one PEEKED: its runs and one reason more fit a control frame
constexpr std::size_t kWaitingPeeksMax = 256;
/// Dead letters one request handles: their records fit a step of the log.
constexpr std::uint32_t kDeadMax = 64 * 1024;
constexpr std::uint64_t kDeadRunsMax = 4 * 1024;

/// `next` is where the handled ones end, until the answer is made.
void count(const queue::Range& handled, v1::DeadHandled& done) {
    done.set_messages(done.messages() + static_cast<std::uint32_t>(handled.count));
    done.set_next(handled.end().value());
}

}  // namespace

bool QueueDesk::may_peek(const Session& session, const v1::Peek& request) {
    if (session.rights->on(request.name()).any_of(RightSet::kGet)) return true;
    core_.deny(session, request.req(), "PEEK", request.name());
    return false;
}

void QueueDesk::peek(Session& session, const v1::Peek& request) {
    if (!may_peek(session, request)) return;
    if (request.state() > queue::Queue::Peeked::kDead) {
        return core_.refuse(session.peer, request.req(), Error(Code::kBadOption, "PEEK state"));
    }
    if (core_.catalog.find(request.name()) == nullptr) {
        return core_.refuse(session.peer, request.req(), Error(Code::kNotFound, request.name().substr(0, 64)));
    }
    // An answer may be 1 MiB, and nothing else bounds how many wait for a peer that asks and does not read.
    if (core_.transport.congested(session.peer)) {
        return core_.refuse(session.peer, request.req(), Error(Code::kLimit, "read the earlier answers first"));
    }
    if (try_peek(session, request)) return;
    if (waiting_peeks_.size() >= kWaitingPeeksMax) {
        return core_.refuse(session.peer, request.req(), Error(Code::kLimit, "waiting peeks"));
    }
    waiting_peeks_.push_back({session.id, request});
}

bool QueueDesk::try_peek(const Session& session, const v1::Peek& request) {
    HostedQueue* queue = core_.catalog.find(request.name());
    v1::Peeked answer;
    answer.set_req(request.req());
    std::vector<std::byte> lengths;
    std::vector<std::byte> records;
    const std::uint32_t max = std::clamp(request.max(), 1U, kPeekMax);
    std::vector<queue::Queue::Peeked> runs;
    const auto state = static_cast<queue::Queue::Peeked::State>(request.state());
    if (queue != nullptr) runs = queue->queue.peek(Offset(request.from()), max, state);
    std::size_t reasons = 0;
    for (const auto& run : runs) {
        if (!gets_.want_body(*queue, run.range.first)) {
            // What is here is an answer: waiting for all of it, each that is fetched might push out another.
            if (answer.runs_size() > 0) break;
            return false;
        }
        const batch::View& view = core_.store.find(run.batch)->body;
        const auto count = static_cast<std::uint32_t>(run.range.count);
        const Slice part_lengths = view.lengths(run.index, count);
        const Slice part_records = view.records(run.index, count);
        if (!records.empty() && records.size() + part_records.size() > limits::kBatchBytesMax) break;
        reasons += run.note ? run.note->reason.size() : 0;
        if (reasons > kReasonsShownBytes) break;
        lengths.insert(lengths.end(), part_lengths.bytes().begin(), part_lengths.bytes().end());
        records.insert(records.end(), part_records.bytes().begin(), part_records.bytes().end());
        v1::Peeked::Run* out = answer.add_runs();
        out->set_first_offset(run.range.first.value());
        out->set_count(count);
        out->set_state(static_cast<std::uint32_t>(run.state));
        out->set_delivery(run.tries.deliveries);
        out->set_attempt(run.tries.attempts);
        out->set_put_ms(static_cast<std::uint64_t>(view.header().put_time.ms));
        if (run.note) {
            out->set_cause(static_cast<std::uint32_t>(run.note->cause));
            out->set_dead_ms(static_cast<std::uint64_t>(run.note->at.ms));
            out->set_reason(run.note->reason);
        }
        answer.set_next(run.range.end().value());
    }
    if (answer.next() > 0 && queue->queue.peek(Offset(answer.next()), 1, state).empty()) answer.set_next(0);
    const std::array<Slice, 2> bodies{Slice::own(std::move(lengths)), Slice::own(std::move(records))};
    core_.send(session, v1::OP_PEEKED, answer, bodies);
    return true;
}

void QueueDesk::retry_peeks() {
    std::vector<WaitingPeek> waiting;
    waiting.swap(waiting_peeks_);
    for (WaitingPeek& peek : waiting) {
        const Session* session = core_.sessions.find(peek.session);
        if (session == nullptr || !may_peek(*session, peek.request)) continue;
        if (!try_peek(*session, peek.request)) waiting_peeks_.push_back(std::move(peek));
    }
}

void QueueDesk::handle_dead(Session& session, const v1::HandleDead& request) {
    if (!session.rights->on(request.name()).any_of(RightSet::kAdmin)) {
        return core_.deny(session, request.req(), "HANDLE_DEAD", request.name());
    }
    const auto refuse = [&](Error error) { core_.refuse(session.peer, request.req(), error); };
    HostedQueue* queue = core_.catalog.find(request.name());
    if (queue == nullptr) return refuse(Error(Code::kNotFound, request.name().substr(0, 64)));
    const queue::Range range{Offset(request.first()), request.count()};
    const std::uint32_t max = request.max() == 0 ? kDeadMax : std::min(request.max(), kDeadMax);
    Result<v1::DeadHandled> done = fail(Code::kUnsupported, "HANDLE_DEAD");
    if (request.what() == v1::HandleDead::WHAT_REDRIVE) done = redrive(*queue, range, max);
    if (request.what() == v1::HandleDead::WHAT_DROP) done = drop_dead(*queue, range, max);
    if (!done) return refuse(done.error());
    done->set_req(request.req());
    // What lies below was handled just now: if it died again since, that is not of this request.
    const Offset from = std::max(range.first, Offset(done->next()));
    const auto left = queue->queue.peek(from, 1, queue::Queue::Peeked::kDead);
    done->set_more(!left.empty() && left[0].range.first - range.first < range.count);
    done->set_next(done->more() ? left[0].range.first.value() : 0);
    core_.catalog.touch(*queue);
    core_.send_when_committed(session, v1::OP_DEAD_HANDLED, std::move(*done), queue->queue.options().durability);
}

Result<v1::DeadHandled> QueueDesk::redrive(HostedQueue& queue, queue::Range range, std::uint64_t max) {
    // Consumers have seen the end and left; nobody would ever take it.
    if (queue.queue.drained()) return fail(Code::kSealed, queue.name + " has ended: reopen it first");
    const Returned returned = queue.queue.redrive(range, max, kDeadRunsMax);
    if (queue.durable()) core_.journal.returned(queue.id, returned, false);
    v1::DeadHandled done;
    for (const auto& [run, tries] : returned)
        done.set_messages(done.messages() + static_cast<std::uint32_t>(run.count));
    done.set_full(queue.queue.room() == 0);
    return done;
}

v1::DeadHandled QueueDesk::drop_dead(HostedQueue& queue, queue::Range range, std::uint64_t max) {
    const auto dropped = queue.queue.drop_dead(range, max, kDeadRunsMax);
    if (queue.durable()) core_.journal.settled(queue.id, dropped, log::v1::SettleMeta::REASON_DROPPED);
    core_.account(queue);
    v1::DeadHandled done;
    for (const queue::Range& run : dropped) count(run, done);
    return done;
}

}  // namespace telpher::broker
