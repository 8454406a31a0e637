// What the admin port is told of a shard: plain values, filled by the shard's thread in slices, handed over whole.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "broker/queue_metrics.h"
#include "broker/refusals.h"
#include "broker/transport.h"
#include "proto/base/clock.h"
#include "proto/base/histogram.h"
#include "proto/base/ids.h"
#include "proto/telpher.pb.h"
#include "telpher/error.h"

namespace telpher::broker {

/// What is asked for, beside what is known of the shard as a whole.
struct SampleQuery {
    bool queues = false;
    std::string queue = {};  ///< With `queues`: only the one of this name; empty: all.
    bool count_clients = false;
    bool list_clients = false;
};

struct QueueSample {
    QueueId id;
    v1::QueueState state;
    std::uint64_t credit = 0;       ///< Of its consumers, in messages; at most kCreditShown.
    std::uint64_t lease_ended = 0;  ///< Leases that ran out of time.
    Duration oldest_ready{0};       ///< Age; 0: nothing is ready.
    Duration oldest_lease{0};       ///< Age; 0: nothing is leased.
    QueueMetrics metrics;
};

struct ClientSample {
    std::string name;
    bool connected = false;
    std::uint32_t producers = 0;  ///< It has opened, in its life.
    std::uint32_t consumers = 0;  ///< It has attached now.
    Duration silent{0};           ///< Since it was last heard.
};

/// Sessions by what they do. One that does both counts as both.
struct ClientCounts {
    std::uint64_t producers = 0, consumers = 0, both = 0, idle = 0;
};

/// What the shard does to its log beside the messages, since the start.
struct UpkeepFigures {
    std::uint64_t checkpoints = 0, checkpoint_failures = 0, rewritten_bytes = 0, scrubbed_bytes = 0, scrub_errors = 0;
};

struct Sample {
    v1::StatusIs status;
    bool failed = false;  ///< The shard stopped for good.
    UpkeepFigures upkeep;
    bool disk_full = false;
    std::uint64_t disk_room = 0;  ///< Bytes the log can grow by; 0: not known, or none.
    TransportFigures transport;
    std::vector<std::pair<Code, std::uint64_t>> protocol_errors;
    std::array<std::uint64_t, kRefusals> refusals{};  ///< By Refusal.
    TimeHistogram sync_time;
    CountHistogram sync_messages;
    TimeHistogram loop_lag;
    ClientCounts clients;
    std::vector<ClientSample> client_list;
    std::vector<QueueSample> queues;  ///< By name.
};

/// More credit than this is shown as this.
inline constexpr std::uint64_t kCreditShown = 1'000'000'000;

}  // namespace telpher::broker
