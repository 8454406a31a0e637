#include "broker/log/commit_pace.h"

#include <algorithm>

namespace telpher::log {
namespace {

/// Smaller groups say nothing of how fast the disk writes.
constexpr std::uint64_t kTellingBytes = limits::kMiB / 4;
constexpr double kWeight = 1.0 / 8;
/// A disk that became slower is believed after some dozens of groups.
constexpr int kFloorRises = 32;

}  // namespace

void CommitPace::note(std::uint64_t bytes, Duration write, Duration sync) {
    sync_ = sync_ ? std::min(sync, *sync_ + *sync_ / kFloorRises) : sync;
    if (bytes < kTellingBytes) return;
    const Duration writing = write + (sync - *sync_);
    if (writing <= Duration(0)) return;
    const double rate = static_cast<double>(bytes) / static_cast<double>(writing.count());
    bytes_per_ns_ = bytes_per_ns_ == 0 ? rate : bytes_per_ns_ + (rate - bytes_per_ns_) * kWeight;
    const double in_time = bytes_per_ns_ * static_cast<double>((2 * *sync_).count());
    const double bounded =
        std::clamp(in_time, static_cast<double>(kGroupBytesMin), static_cast<double>(limits::kCommitGroupBytesMax));
    group_bytes_ = static_cast<std::uint64_t>(bounded);
}

}  // namespace telpher::log
