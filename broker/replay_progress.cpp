#include "broker/replay_progress.h"

namespace telpher::broker {
namespace {

constexpr auto kTellEvery = std::chrono::seconds(1);
constexpr std::uint64_t kRecordsPerLook = 1024;  // at the clock

}  // namespace

void ReplayProgress::record() {
    if (++records_ % kRecordsPerLook != 0) return;
    const Instant now = clock_->now();
    if (now - told_ < kTellEvery) return;
    told_ = now;
    tell_(records_);
}

}  // namespace telpher::broker
