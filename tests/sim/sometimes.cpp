#include "tests/sim/sometimes.h"

namespace telpher::sim {
namespace {

/// In the order of Sometimes.
constexpr std::array<std::string_view, static_cast<std::size_t>(Sometimes::kCount)> kNames{
    "a put is parked for want of room",
    "a put is cancelled",
    "a put is refused as the queue is full",
    "a put is refused as the disk is full",
    "puts go on after the disk was full",
    "a put is refused as the queue is sealed",
    "a put that was stored is sent again and not stored twice",
    "a producer's name is taken over",
    "a session is resumed",
    "a session is over and the client begins anew",
    "a consumer keeps leases across connections",
    "a lease runs out of time",
    "a settle comes too late",
    "an ack is accepted after the lease went back",
    "a delivery leaves out what is done",
    "a message is delivered again",
    "leases are asked back",
    "an old message is dropped for a new one",
    "a message becomes a dead letter",
    "dead letters are redriven",
    "a consumer is told the end",
    "a join is answered",
    "a queue that ended is opened again",
    "a body is read back from the disk",
    "a clean stop",
    "a kill",
    "a power cut",
    "a torn tail is cut",
    "a segment is begun",
    "a segment is let go of",
    "a start uses a checkpoint",
    "the newest checkpoint is damaged and an older one is used",
    "a checkpoint cannot be written",
    "a segment is rewritten",
    "a segment is scrubbed",
    "a write fails",
    "a sync fails",
    "a shard that failed says so",
    "a start fails and a later one does not",
    "a sync is slow",
    "a sync hangs",
    "a connection stalls",
    "damage is refused at the start",
    "damage does no harm",
    "damage is found by a shard that runs",
};
static_assert(!kNames.back().empty(), "every mark has a name");

}  // namespace

std::vector<std::string_view> Marks::missed() const {
    std::vector<std::string_view> missed;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
        if (counts_.at(i) == 0) missed.push_back(kNames.at(i));
    }
    return missed;
}

std::string_view Marks::name(Sometimes mark) { return kNames.at(static_cast<std::size_t>(mark)); }

}  // namespace telpher::sim
