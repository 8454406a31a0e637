// How much to commit at once: about as much as the disk writes in twice the time that a sync costs anyway. More would
// not be much faster, and whoever comes next waits for all of it. Measured while it goes; pure; one thread.
#pragma once

#include <cstdint>
#include <optional>

#include "proto/base/clock.h"
#include "proto/limits.h"

namespace telpher::log {

class CommitPace {
public:
    static constexpr std::uint64_t kGroupBytesMin = limits::kMiB / 4;

    /// A group of `bytes` was committed.
    void note(std::uint64_t bytes, Duration write, Duration sync);
    /// Bytes of a group, kGroupBytesMin to kCommitGroupBytesMax; that while nothing is known.
    [[nodiscard]] std::uint64_t group_bytes() const { return group_bytes_; }

private:
    std::optional<Duration> sync_;  ///< Of a sync that has hardly anything to write, as of late.
    double bytes_per_ns_ = 0;       ///< 0: not known.
    std::uint64_t group_bytes_ = limits::kCommitGroupBytesMax;
};

}  // namespace telpher::log
