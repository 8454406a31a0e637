// The clock seam. Time is read once per cycle by whoever owns a thread and passed down as a value; nothing else in the
// project asks the system for the time, so a test can stop, step and replay it.
#pragma once

#include <chrono>
#include <cstdint>

namespace telpher {

using Duration = std::chrono::nanoseconds;

/// Steady time (CLOCK_BOOTTIME: counts suspend). The origin is arbitrary; only differences mean something.
struct Instant {
    std::int64_t ns = 0;
    constexpr auto operator<=>(const Instant&) const = default;
    constexpr Instant operator+(Duration d) const { return Instant{ns + d.count()}; }
    constexpr Duration operator-(Instant other) const { return Duration{ns - other.ns}; }
    static constexpr Instant never() { return Instant{INT64_MAX}; }
};

/// Wall clock, milliseconds since 1970-01-01 UTC. For people and for timestamps, never for a decision.
struct WallTime {
    std::int64_t ms = 0;
    constexpr auto operator<=>(const WallTime&) const = default;
};

/// Source of time. Implementations are thread-safe.
class Clock {
public:
    virtual ~Clock() = default;
    [[nodiscard]] virtual Instant now() const = 0;
    [[nodiscard]] virtual WallTime wall() const = 0;
};

/// CLOCK_MONOTONIC in microseconds: what the service manager compares with its own.
std::uint64_t monotonic_usec();

/// The machine's clock; lives as long as the process.
const Clock& system_clock();

}  // namespace telpher
