// Marks of the simulation: every interesting path has a name, and a run over many seeds that never gets to one of them
// fails, since a simulation that never gets somewhere proves nothing about it. They are set where a client or the world
// can see that the broker took the path, so the product knows nothing of them. Used by one thread; counts add up over
// runs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace telpher::sim {

enum class Sometimes : std::uint8_t {
    kParked,
    kCancelled,
    kFull,
    kDiskFull,
    kDiskFullOver,
    kSealed,
    kResent,
    kNameTakenOver,
    kResumed,
    kSessionOver,
    kClaimed,
    kLeaseExpired,
    kLeaseLost,
    kLateAck,
    kHoles,
    kRedelivered,
    kRecalled,
    kDropped,
    kDead,
    kRedriven,
    kEnd,
    kJoined,
    kReopened,
    kReadFromDisk,
    kCleanStop,
    kKill,
    kPowerCut,
    kTornTail,
    kRolled,
    kReclaimed,
    kCheckpointUsed,
    kOlderCheckpointUsed,
    kCheckpointFailed,
    kRewritten,
    kScrubbed,
    kWriteFailed,
    kSyncFailed,
    kShardFailed,
    kStartFailed,
    kSlowSync,
    kHungSync,
    kStalled,
    kDamageRefused,
    kDamageServed,
    kDamageFoundLater,
    kCount
};

class Marks {
public:
    void hit(Sometimes mark) { ++counts_.at(static_cast<std::size_t>(mark)); }
    void hit_if(bool happened, Sometimes mark) {
        if (happened) hit(mark);
    }
    [[nodiscard]] std::uint64_t count(Sometimes mark) const { return counts_.at(static_cast<std::size_t>(mark)); }
    /// The names of those that were never hit.
    [[nodiscard]] std::vector<std::string_view> missed() const;
    static std::string_view name(Sometimes mark);

private:
    std::array<std::uint64_t, static_cast<std::size_t>(Sometimes::kCount)> counts_{};
};

}  // namespace telpher::sim
