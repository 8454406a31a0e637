// telpher::Queue: what is neither put nor get.
#include <algorithm>
#include <utility>

#include "proto/session/convert.h"
#include "proto/session/queue_impl.h"

namespace telpher {
namespace {

constexpr std::uint32_t kPeekPage = 1'000;  ///< What PEEK gives at most.

/// What is left until `deadline`, as a timeout.
Millis left_until(Instant deadline, const Clock& clock) {
    if (deadline == Instant::never()) return kForever;
    return std::max(std::chrono::ceil<Millis>(deadline - clock.now()), Millis{0});
}

template <class Reply, class Request>
Result<Reply> call(Queue::Impl& queue, v1::Op op, Request request, Millis timeout, std::stop_token stop = {},
                   Code done_before = Code::kOk) {
    session::CallOptions options;
    options.timeout = timeout;
    options.stop = std::move(stop);
    options.done_before = done_before;
    options.link = queue.link;
    return queue.engine->call<Reply>(op, std::move(request), options);
}

template <class Request>
Result<void> change(Queue::Impl& queue, v1::Op op, Request request, Millis timeout, Code done_before = Code::kOk) {
    const auto done = call<v1::Ok>(queue, op, std::move(request), timeout, {}, done_before);
    return done ? Result<void>() : fail(done.error());
}

Result<void> set_paused(Queue::Impl& queue, bool paused, Millis timeout) {
    v1::Change request;
    request.set_what(paused ? v1::Change::WHAT_PAUSE : v1::Change::WHAT_RESUME);
    request.set_name(queue.name());
    return change(queue, v1::OP_CHANGE, std::move(request), timeout);
}

/// The generation is asked for first: a join that goes on with another broker process must mean the same one.
Result<QueueStats> join(Queue::Impl& queue, bool sealed, Millis timeout, const std::stop_token& stop) {
    const Instant deadline = queue.engine->deadline_of(timeout);
    v1::Show show;
    show.set_name(queue.name());
    const auto now = call<v1::Queues>(queue, v1::OP_SHOW, std::move(show), timeout, stop);
    if (!now) return fail(now.error());
    if (now->queues().size() != 1) return fail(Code::kProtocol, "SHOW was not answered with one queue");
    v1::Join request;
    request.set_generation(now->queues(0).generation());
    request.set_sealed(sealed);
    const auto left = left_until(deadline, queue.engine->clock());
    const auto joined = call<v1::Joined>(queue, v1::OP_JOIN, std::move(request), left, stop);
    if (!joined) return fail(joined.error());
    if (joined->lost()) return fail(Code::kLost, queue.name());
    return session::from_wire(joined->state());
}

}  // namespace

Queue::Queue(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

const std::string& Queue::name() const { return impl_->name(); }

Result<void> Queue::seal(Millis timeout) {
    const Instant deadline = impl_->engine->deadline_of(timeout);
    if (impl_->engine->forked()) return fail(Code::kForked, "made before fork()");
    if (session::Part* puts = impl_->puts.made.load(std::memory_order_acquire)) {
        if (auto drained = puts->drain(deadline); !drained) return drained;
    }
    return change(*impl_, v1::OP_SEAL, v1::Seal{}, left_until(deadline, impl_->engine->clock()));
}

Result<void> Queue::reopen(Millis timeout) {
    return change(*impl_, v1::OP_REOPEN, v1::Reopen{}, timeout, Code::kBadOption);  // then it is not sealed any more
}

Result<QueueStats> Queue::join(Millis timeout, std::stop_token stop) {
    return telpher::join(*impl_, true, timeout, stop);
}

Result<QueueStats> Queue::wait_idle(Millis timeout, std::stop_token stop) {
    return telpher::join(*impl_, false, timeout, stop);
}

Result<QueueStats> Queue::stats(Millis timeout) {
    v1::Show request;
    request.set_name(name());
    const auto reply = call<v1::Queues>(*impl_, v1::OP_SHOW, std::move(request), timeout);
    if (!reply) return fail(reply.error());
    if (reply->queues().size() != 1) return fail(Code::kProtocol, "SHOW was not answered with one queue");
    return session::from_wire(reply->queues(0));
}

Result<void> Queue::pause(Millis timeout) { return set_paused(*impl_, true, timeout); }
Result<void> Queue::resume(Millis timeout) { return set_paused(*impl_, false, timeout); }

Result<std::vector<Peeked>> Queue::peek(std::uint32_t messages_max, std::uint64_t from, Millis timeout,
                                        Peeked::State state) {
    return session::peek(*impl_->engine, name(), messages_max, from, timeout, state);
}

Result<std::vector<Peeked>> session::peek(Engine& engine, const std::string& name, std::uint32_t messages_max,
                                          std::uint64_t from, Millis timeout, Peeked::State state) {
    std::vector<Peeked> messages;
    while (messages.size() < messages_max) {
        v1::Peek request;
        request.set_name(name);
        request.set_from(from);
        request.set_state(static_cast<std::uint32_t>(state));
        request.set_max(std::min(messages_max - static_cast<std::uint32_t>(messages.size()), kPeekPage));
        std::vector<Slice> bodies;
        CallOptions options;
        options.timeout = timeout;
        options.bodies = &bodies;
        const auto reply = engine.call<v1::Peeked>(v1::OP_PEEK, std::move(request), options);
        if (!reply) return fail(reply.error());
        auto page = from_wire(*reply, bodies);
        if (!page) return fail(page.error());
        const bool more = reply->next() > from;
        messages.insert(messages.end(), std::make_move_iterator(page->begin()), std::make_move_iterator(page->end()));
        if (!more) break;
        from = reply->next();
    }
    if (messages.size() > messages_max) messages.resize(messages_max);
    return messages;
}

}  // namespace telpher
