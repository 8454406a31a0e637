// What a shard can be told: at its start, and while it runs. Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "broker/queue/queue.h"
#include "proto/base/clock.h"
#include "proto/limits.h"

namespace telpher::broker {

struct ShardSettings {
    std::uint32_t shard = 0;
    std::uint32_t shard_count = 1;
    std::vector<std::string> endpoints;  ///< Told to clients in the shard map.
    std::string data_dir;                ///< For people (status).
    std::size_t message_bytes_max = limits::kMessageBytesDefault;
    Duration session_lease = limits::kSessionLease;
    Duration heartbeat = limits::kHeartbeat;
    Duration resume_grace = limits::kResumeGrace;
    Duration restart_hold = limits::kRestartHold;
    std::size_t cache_bytes_max = 8 * limits::kMiB;  ///< Recent batches kept in memory.
    /// Kept free in a segment for what one step logs beside its body: a step may return every lease of a session, in
    /// the worst case one range a message. Only tests with small segments make it smaller.
    std::size_t step_meta_bytes = 3 * limits::kMiB;
    /// What a start may have to read behind the last checkpoint, about; a range of settled messages counts as
    /// Journal::kRangeCost bytes. More if the checkpoints themselves are large.
    std::uint64_t checkpoint_bytes = 128 * limits::kMiB;
    /// Mostly dead segments are rewritten once the oldest has been left behind for so long: what is taken in order
    /// would soon empty it anyway.
    Duration rewrite_age = std::chrono::seconds(10);
    /// All sealed segments are read again once in this time; 0: never.
    Duration scrub_interval = std::chrono::hours(7 * 24);
    /// Less room than this (free, or in spare segments), or than two segments: puts get DISK_FULL.
    std::uint64_t disk_reserve_bytes = 256 * limits::kMiB;
    queue::Options queue_defaults{};  ///< What a new queue gets where its maker says nothing.
};

/// What can be told to a shard that runs.
struct LiveSettings {
    Duration scrub_interval{};
    std::uint64_t disk_reserve_bytes = 0;
    queue::Options queue_defaults{};
    std::size_t connections_max = 0;
    Duration hello_timeout{};
};

}  // namespace telpher::broker
