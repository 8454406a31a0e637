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
    const Instant end = limit == kForever ? Instant::never() : system_clock().now() + limit;
    for (Millis slice = kSliceFirst;; slice = std::min(2 * slice, kSliceMax)) {
        const auto left = std::chrono::ceil<Millis>(end - system_clock().now());
        auto queue = client.open(name, options, std::clamp(left, Millis(1), slice));
        if (queue || queue.error().code() != Code::kTimeout) return queue;
        if (stop.stop_requested()) return fail(Code::kStopped);
        if (system_clock().now() >= end)
            return flags.wait ? fail(Code::kTimeout, "waited for the queue " + name) : std::move(queue);
    }
}

}  // namespace telpher
