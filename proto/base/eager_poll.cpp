#include "proto/base/eager_poll.h"

#include <sched.h>

#include <algorithm>
#include <ctime>

namespace telpher {
namespace {

int poll_for(std::span<pollfd> fds, Duration timeout) {
    constexpr std::int64_t kSecond = 1'000'000'000;
    const timespec time{timeout.count() / kSecond, timeout.count() % kSecond};
    return ::ppoll(fds.data(), fds.size(), &time, nullptr);
}

}  // namespace

int EagerPoll::wait(std::span<pollfd> fds, Duration timeout) {
    if (timeout <= Duration::zero()) return poll_for(fds, Duration::zero());
    const Clock& clock = system_clock();
    const Instant start = clock.now();
    const Instant sleep_at = start + (eager() ? std::min(kEager, timeout) : Duration::zero());
    int ready = 0;
    while (ready == 0 && clock.now() < sleep_at) {
        ready = poll_for(fds, Duration::zero());
        if (ready == 0) ::sched_yield();
    }
    if (ready == 0) ready = poll_for(fds, std::max(start + timeout - clock.now(), Duration::zero()));
    const bool was_short = ready > 0 && clock.now() - start <= kShort;
    eager_waits_ = was_short ? kEagerWaits : std::max(eager_waits_ - 1, 0);
    return ready;
}

}  // namespace telpher
