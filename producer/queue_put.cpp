// telpher::Queue: the puts.
#include <algorithm>
#include <memory>
#include <utility>

#include "producer/put_part.h"
#include "proto/session/queue_impl.h"

namespace telpher {
namespace {

/// nullptr: this is a child of the process that made the queue.
producer::PutPart* puts_of(Queue::Impl& queue) {
    if (auto* made = queue.puts.made.load(std::memory_order_acquire)) return static_cast<producer::PutPart*>(made);
    if (queue.engine->forked()) return nullptr;
    const auto make = [&queue] { return std::make_shared<producer::PutPart>(*queue.engine, queue.producer_name); };
    return queue.part<producer::PutPart>(queue.puts, make).get();
}

auto forked() { return fail(Code::kForked, "made before fork()"); }

}  // namespace

Result<std::uint64_t> Queue::put(std::string_view body, const PutOptions& options) {
    return session::put_under(*impl_, body, {}, options);
}

Result<std::uint64_t> session::put_under(Queue::Impl& queue, std::string_view body, Under under,
                                         const PutOptions& options) {
    auto* puts = puts_of(queue);
    return puts != nullptr ? puts->put(body, under, options) : forked();
}

Result<Ticket> Queue::put_async(std::string_view body, const PutOptions& options) {
    auto* puts = puts_of(*impl_);
    return puts != nullptr ? puts->put_async(body, options) : forked();
}

Result<std::uint64_t> Queue::wait(Ticket ticket, Millis timeout) {
    auto* puts = puts_of(*impl_);
    return puts != nullptr ? puts->wait(ticket, timeout) : forked();
}

/// Only what was used: nobody becomes a producer by flushing verdicts.
Result<void> Queue::flush(Millis timeout) {
    if (impl_->engine->forked()) return forked();
    const Instant deadline = impl_->engine->deadline_of(timeout);
    if (auto* gets = impl_->gets.made.load(std::memory_order_acquire)) {
        if (auto settled = gets->drain(deadline); !settled) return settled;
    }
    auto* puts = static_cast<producer::PutPart*>(impl_->puts.made.load(std::memory_order_acquire));
    if (puts == nullptr) return {};
    if (deadline == Instant::never()) return puts->flush(kForever);
    const auto left = std::chrono::ceil<Millis>(deadline - impl_->engine->clock().now());
    return puts->flush(std::max(left, Millis{0}));
}

Result<void> Queue::cancel() {
    auto* puts = puts_of(*impl_);
    return puts != nullptr ? puts->cancel() : forked();
}

Result<std::uint64_t> Queue::next_sequence(Millis timeout) {
    auto* puts = puts_of(*impl_);
    return puts != nullptr ? puts->next_sequence(timeout) : forked();
}

void Queue::on_confirm(std::function<void(const Confirmed&)> callback) {
    if (auto* puts = puts_of(*impl_)) puts->on_confirm(std::move(callback));
}

Result<std::vector<Confirmed>> Queue::put_many(std::span<const std::string_view> bodies, const PutOptions& options) {
    auto* puts = puts_of(*impl_);
    return puts != nullptr ? puts->put_many(bodies, options) : forked();
}

}  // namespace telpher
