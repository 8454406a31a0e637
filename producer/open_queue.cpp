#include "producer/open_queue.h"

#include <algorithm>

#include "proto/base/clock.h"

namespace telpher {
namespace {

// Client::open() takes no stop token, so a long wait is made of short ones.
constexpr Millis kWaitSlice{250};

}  // namespace

Result<Queue> open_queue(Client& client, const std::string& name, const OpenFlags& flags,
                         const command::Globals& globals, const std::stop_token& stop) {
    QueueOptions options = flags.options;
    options.create = flags.create;
    options.wait = flags.wait;
    if (!flags.wait) return client.open(name, options, globals.timeout_or(command::kAnswerTimeout));
    const Instant end = globals.timeout ? system_clock().now() + *globals.timeout : Instant::never();
    for (;;) {
        auto queue = client.open(name, options, kWaitSlice);
        if (queue || queue.error().code() != Code::kTimeout) return queue;
        if (stop.stop_requested()) return fail(Code::kStopped);
        if (system_clock().now() >= end) return fail(Code::kTimeout, "waited for the queue " + name);
    }
}

}  // namespace telpher
