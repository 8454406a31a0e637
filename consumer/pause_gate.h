// A worker that learns from a handler that what it needs is not there ("my database is down") takes a pause, longer
// each time, instead of burning through the queue. Back-off is pure; the gate is shared by the handler threads.
#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>

#include "proto/base/clock.h"

namespace telpher::consumer {

/// How long a pause lasts. Pure.
class PauseBackoff {
public:
    static constexpr Duration kFirst = std::chrono::seconds(1);
    static constexpr Duration kLongest = std::chrono::seconds(30);

    /// A handler that began at `begun` found at `now` that what it needs is away. Handlers that began before the pause
    /// that lasts now say nothing new.
    void away(Instant begun, Instant now);
    /// A handler that began at `begun` came to another end: the next pause is a short one.
    void back(Instant begun);
    [[nodiscard]] Instant until() const { return until_; }

private:
    Duration next_ = kFirst;
    Instant since_;  // when the last pause began
    Instant until_;
};

class PauseGate {
public:
    explicit PauseGate(const Clock& clock) : clock_(clock) {}

    /// Waits until there is no pause. False: stopped.
    bool pass(const std::stop_token& stop);
    /// Returns how long the pause is that begins; 0 if one had begun already.
    Duration away(Instant begun);
    void back(Instant begun);

private:
    const Clock& clock_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    PauseBackoff backoff_;  // guarded by mutex_
};

}  // namespace telpher::consumer
