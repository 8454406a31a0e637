#include "consumer/pause_gate.h"

#include <algorithm>

namespace telpher::consumer {

void PauseBackoff::away(Instant begun, Instant now) {
    if (since_ != Instant{} && begun <= since_) return;
    since_ = now;
    until_ = now + next_;
    next_ = std::min(2 * next_, kLongest);
}

void PauseBackoff::back(Instant begun) {
    if (begun >= until_) next_ = kFirst;
}

bool PauseGate::pass(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    for (;;) {
        if (stop.stop_requested()) return false;
        const Duration left = backoff_.until() - clock_.now();
        if (left <= Duration::zero()) return true;
        changed_.wait_for(lock, stop, left, [] { return false; });
    }
}

Duration PauseGate::away(Instant begun) {
    const std::lock_guard lock(mutex_);
    const Instant before = backoff_.until();
    const Instant now = clock_.now();
    backoff_.away(begun, now);
    return backoff_.until() == before ? Duration::zero() : backoff_.until() - now;
}

void PauseGate::back(Instant begun) {
    const std::lock_guard lock(mutex_);
    backoff_.back(begun);
}

}  // namespace telpher::consumer
