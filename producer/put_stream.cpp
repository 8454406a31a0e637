#include "producer/put_stream.h"

#include <algorithm>
#include <string>
#include <utility>

#include "proto/base/clock.h"
#include "proto/command/output.h"

namespace telpher {
namespace {

// Queue::flush() takes no stop token, so a long wait is made of short ones.
constexpr Millis kFlushSlice{250};

}  // namespace

void PutStream::Outcomes::add(const Confirmed& run) {
    if (run.code == Code::kOk) {
        confirmed += run.count;
        if (print_ids) print(run);
        return;
    }
    refused += run.count;
    if (run.code == Code::kCancelled) return;  // by finish(), which says why
    Code none = Code::kOk;
    refusal.compare_exchange_strong(none, run.code);
}

void PutStream::Outcomes::print(const Confirmed& run) {
    std::string text;
    for (std::uint64_t id = run.id; id < run.id + run.count; ++id) text.append(std::to_string(id)).push_back('\n');
    if (output_failure == 0) output_failure = command::print(text);
}

PutStream::PutStream(Queue queue, bool print_ids) : queue_(std::move(queue)), outcomes_(std::make_shared<Outcomes>()) {
    outcomes_->print_ids = print_ids;
    queue_.on_confirm([outcomes = outcomes_](const Confirmed& run) { outcomes->add(run); });
}

Result<void> PutStream::put(std::string_view body, const PutOptions& options) {
    const auto ticket = queue_.put_async(body, options);
    if (!ticket) ++outcomes_->refused;  // it was there to be put, and is not
    ++sent_;
    return ticket ? Result<void>() : fail(ticket.error());
}

Result<void> PutStream::finish(Millis timeout, const std::stop_token& stop) {
    const Instant end = timeout == kForever ? Instant::never() : system_clock().now() + timeout;
    for (;;) {
        const Instant now = system_clock().now();
        const auto left = std::chrono::duration_cast<Millis>(end - now);
        const auto flushed = queue_.flush(std::min(kFlushSlice, std::max(left, Millis{0})));
        // A refusal is counted by the callback; here only the end of the wait matters.
        if (counters().unconfirmed() == 0) return {};
        if (!flushed && flushed.error().code() != Code::kTimeout && refusal() == Code::kOk) return flushed;
        const bool stopped = stop.stop_requested();
        if (!stopped && left > kFlushSlice) continue;
        if (auto cancelled = queue_.cancel(); !cancelled) return cancelled;
        return fail(stopped ? Code::kStopped : Code::kTimeout);
    }
}

PutCounters PutStream::counters() const {
    PutCounters counters;
    // In this order a message is never seen as decided before it was sent.
    counters.confirmed = outcomes_->confirmed;
    counters.refused = outcomes_->refused;
    counters.sent = std::max(sent_.load(), counters.confirmed + counters.refused);
    return counters;
}

}  // namespace telpher
