// The state of a shard as the parts of a checkpoint: the snapshot, and what is in the durable queues. Pure.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "broker/catalog.h"
#include "broker/log/records.pb.h"
#include "telpher/error.h"

namespace telpher::broker {

/// What is known now, as CheckpointMeta messages of less than 1 MiB each. `wall_ms` says what wall time an instant is.
std::vector<std::string> make_checkpoint(const Catalog& catalog, std::uint64_t boot,
                                         const std::function<std::uint64_t(Instant)>& wall_ms);

/// Puts a piece of a queue back, in the order make_checkpoint() wrote them; `batch` is called for each batch. kCorrupt
/// if it makes no sense. `instant_of` says when a wall time is.
Result<void> restore_live(HostedQueue& queue, const log::v1::LiveState& state,
                          const std::function<Instant(std::uint64_t)>& instant_of,
                          const std::function<void(const queue::LiveBatch&)>& batch);

}  // namespace telpher::broker
