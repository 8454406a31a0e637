// poll() that stays awake for a moment when the last waits were short. To wake a core that has gone to sleep costs
// about as much as a whole hop of a message, so a thread that is likely to be needed again at once looks for itself
// first, and gives its core to whoever else can run between two looks. Who waits long does so asleep from the start.
#pragma once

#include <poll.h>

#include <span>

#include "proto/base/clock.h"

namespace telpher {

/// One per thread that waits; not for several at a time.
class EagerPoll {
public:
    /// For so long it looks before it sleeps.
    static constexpr Duration kEager = std::chrono::microseconds(50);
    /// A wait up to so long was short, and the next kEagerWaits are eager.
    static constexpr Duration kShort = 4 * kEager;
    static constexpr int kEagerWaits = 8;

    /// As ppoll() without signals: waits until one of `fds` is ready or `timeout` is over; returns how many are.
    int wait(std::span<pollfd> fds, Duration timeout);

    [[nodiscard]] bool eager() const { return eager_waits_ > 0; }

private:
    int eager_waits_ = 0;
};

}  // namespace telpher
