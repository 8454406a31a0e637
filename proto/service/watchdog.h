// Decides when the service manager is told that the daemon is alive: when half of the interval is over, and only if the
// threads that do the work went round since it was told last. Pure; owned by the main thread; time is passed in.
#pragma once

#include "proto/base/clock.h"

namespace telpher::service {

class Watchdog {
public:
    /// `interval`: what the manager waits for; zero: there is none. `turned`: when the worker began its last round.
    Watchdog(Duration interval, Instant now, Instant turned) : interval_(interval), told_(now), turned_(turned) {}

    /// True: tell now.
    bool due(Instant now, Instant turned);
    /// When to ask again.
    [[nodiscard]] Instant ask_at(Instant now) const;

private:
    Duration interval_;
    Instant told_;
    Instant turned_;
};

}  // namespace telpher::service
