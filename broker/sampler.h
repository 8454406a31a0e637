// Fills samples of the shard for whoever watches it, a bounded slice at a time, so that looking at ten thousand queues
// stalls nobody. Owned by the shard thread; lives as long as the shard. What changes between two slices is seen as it
// is at each: a sample is no snapshot of one instant.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "broker/core.h"
#include "broker/sample.h"

namespace telpher::broker {

/// A sample in the making, and how far it is.
struct SampleJob {
    SampleQuery query;
    Sample sample;

    bool begun = false;
    bool queues_done = false;
    std::string after;                ///< Queues up to this name are in it.
    std::vector<SessionId> sessions;  ///< To be looked at.
};

class Sampler {
public:
    struct Constants {
        std::uint64_t boot = 0;
        std::uint64_t boot_id = 0;
        Instant started;
        std::uint64_t segment_bytes = 0;
    };
    Sampler(Core& core, Constants constants) : core_(core), constants_(constants) {}

    /// One slice; true: the sample is whole.
    bool go_on(SampleJob& job);
    /// What STATUS answers, without what the process as a whole uses.
    [[nodiscard]] v1::StatusIs status() const;

private:
    void begin(SampleJob& job) const;
    bool take_queues(SampleJob& job) const;
    bool take_sessions(SampleJob& job) const;
    [[nodiscard]] QueueSample look(HostedQueue& queue) const;

    Core& core_;
    const Constants constants_;
};

}  // namespace telpher::broker
