// How a test waits: up to a deadline, for an event where there is one, else by asking again. Values; any thread.
#pragma once

#include <functional>

#include "proto/base/clock.h"

namespace telpher::test {

using namespace std::chrono_literals;

/// A point in time after which a test gives up.
class Deadline {
public:
    explicit Deadline(Duration limit) : at_(system_clock().now() + limit) {}
    [[nodiscard]] bool passed() const { return left() <= Duration::zero(); }
    /// Time left; negative once passed.
    [[nodiscard]] Duration left() const { return at_ - system_clock().now(); }
    /// Time left for poll(2): rounded up, never negative.
    [[nodiscard]] int left_ms() const;

private:
    Instant at_;
};

/// Measures from its construction.
class Stopwatch {
public:
    Stopwatch() : from_(system_clock().now()) {}
    [[nodiscard]] Duration elapsed() const { return system_clock().now() - from_; }
    [[nodiscard]] double seconds() const { return std::chrono::duration<double>(elapsed()).count(); }

private:
    Instant from_;
};

/// Asks `done` every `pause` until it holds; false when `limit` is over. For states that announce themselves by no
/// event.
bool eventually(Duration limit, const std::function<bool()>& done, Duration pause = 5ms);

/// Lets `time` pass: for the rhythm of a load or of faults, never to hope that something has happened meanwhile.
void pass_time(Duration time);

}  // namespace telpher::test
