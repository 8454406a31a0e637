// Says how far a replay is, now and then: to be asked with each record, it looks at the clock rarely. Used by the
// thread that opens the shard.
#pragma once

#include <cstdint>
#include <functional>

#include "proto/base/clock.h"

namespace telpher::broker {

class ReplayProgress {
public:
    /// `tell` gets the number of records so far, at most once a second. `clock` outlives the object.
    ReplayProgress(const Clock& clock, std::function<void(std::uint64_t)> tell)
        : clock_(&clock), tell_(std::move(tell)), told_(clock.now()) {}

    /// One more record was replayed.
    void record();

private:
    const Clock* clock_;
    std::function<void(std::uint64_t)> tell_;
    Instant told_;
    std::uint64_t records_ = 0;
};

}  // namespace telpher::broker
