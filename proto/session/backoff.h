// How long to wait before the next attempt to connect: exponential with full jitter, so that a thousand clients of a
// broker that restarts do not come back at the same instant. Pure; owned by a connection.
#pragma once

#include "proto/base/clock.h"
#include "proto/base/random.h"

namespace telpher::session {

class Backoff {
public:
    Backoff(Duration base, Duration cap) : base_(base), cap_(cap), bound_(base) {}

    /// Uniform in [0, bound), where the bound doubles with every call, from the base to the cap.
    [[nodiscard]] Duration next(Random& random);
    /// After a success: from the base again.
    void reset() { bound_ = base_; }

private:
    Duration base_;
    Duration cap_;
    Duration bound_;
};

}  // namespace telpher::session
