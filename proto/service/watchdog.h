// Decides when the service manager is told that the daemon is alive: when half of the interval is over, and only if the
// threads that do the work went round since it was told last. Pure; owned by the main thread; time is passed in.
#pragma once

#include <cstdint>

#include "proto/base/clock.h"

namespace telpher::service {

class Watchdog {
public:
    /// `interval`: what the manager waits for; zero: there is none. `rounds` counts the worker's rounds.
    Watchdog(Duration interval, Instant now, std::uint64_t rounds) : interval_(interval), told_(now), rounds_(rounds) {}

    /// True: tell now.
    bool due(Instant now, std::uint64_t rounds);
    /// When to ask again.
    [[nodiscard]] Instant ask_at(Instant now) const;

private:
    Duration interval_;
    Instant told_;
    std::uint64_t rounds_;
};

}  // namespace telpher::service
