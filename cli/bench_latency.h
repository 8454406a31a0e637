// Both sides of a latency measurement, the same for Telpher and for bare ZeroMQ: the time is in the message, a byte in
// the pacing pipe says that it was handled, so that one is on its way at a time. Used by one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/clock.h"
#include "proto/command/message_json.h"

namespace telpher::cli {

/// What a fresh process does a first time is not what is measured.
inline constexpr std::uint64_t kWarmupMessages = 1'000;

/// "ready" on stdout, then waits for a line on stdin.
void wait_for_go();
/// One line on stdout, at once.
void say(const std::string& line);

/// Sends one message after the other.
class LatencySender {
public:
    explicit LatencySender(std::size_t size);
    /// The next message, with the time in it.
    std::string_view stamp();
    /// Waits until it was handled. False: the other side is gone.
    static bool wait_handled();

private:
    std::string body_;
};

class LatencyRecorder {
public:
    explicit LatencyRecorder(std::uint64_t messages) { micros_.reserve(messages); }
    /// Call first thing in the handler.
    void handled(std::string_view body);
    /// Messages handled so far, warm-up included.
    [[nodiscard]] std::uint64_t count() const { return count_; }
    /// {"p50_us", "p99_us"}; once.
    command::Json figures();

private:
    std::uint64_t count_ = 0;
    std::vector<double> micros_;
};

}  // namespace telpher::cli
