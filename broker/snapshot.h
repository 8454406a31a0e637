// The state of a shard as the records that open a segment: queue definitions, counters, seals, producers, marks.
// Messages are not in it: those still live are in segments that are kept. Pure.
#pragma once

#include <vector>

#include "broker/catalog.h"
#include "broker/log/log.h"

namespace telpher::broker {

/// kSnapshot records of the present state. `boot` is the daemon's present start.
std::vector<log::Record> make_snapshot(const Catalog& catalog, std::uint64_t boot);

}  // namespace telpher::broker
