#include "producer/open_queue.h"

#include <algorithm>

#include "proto/base/clock.h"

namespace telpher {
namespace {

// Client::open() takes no stop token, so a wait is made of short ones; each asks the broker anew, so they become
// longer.
constexpr Millis kSliceFirst{250};
constexpr Millis kSliceMax{2'000};

}  // namespace

Result<Queue> open_queue(Client& client, const std::string& name, const OpenFlags& flags,
                         const command::Globals& globals, const std::stop_token& stop) {
    QueueOptions options = flags.options;
    options.create = flags.create;
    options.wait = flags.wait;
    const Millis limit = globals.timeout_or(flags.wait ? kForever : command::kAnswerTimeout);
    if (!stop.stop_possible() && limit != kForever) return client.open(name, options, limit);
    const Instant start = system_clock().now();
    const Instant end = limit == kForever ? Instant::never() : start + limit;
    const Instant reached_by = start + globals.client_options().connect_timeout;
    for (Millis slice = kSliceFirst;; slice = std::min(2 * slice, kSliceMax)) {
        const auto left = std::chrono::ceil<Millis>(end - system_clock().now());
        auto queue = client.open(name, options, std::clamp(left, Millis(1), slice));
        if (queue) return queue;
        const Code code = queue.error().code();
        if (code != Code::kTimeout && code != Code::kUnreachable) return queue;
        if (stop.stop_requested()) return fail(Code::kStopped);
        const Instant now = system_clock().now();
        // A slice that ends before there ever was a broker says the same as a broker that is away for good.
        if (code == Code::kUnreachable && now >= std::min(reached_by, end)) return queue;
        if (now >= end) return flags.wait ? fail(Code::kTimeout, "waited for the queue " + name) : std::move(queue);
    }
}

}  // namespace telpher
