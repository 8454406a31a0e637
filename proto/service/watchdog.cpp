#include "proto/service/watchdog.h"

#include <algorithm>

namespace telpher::service {
namespace {

constexpr int kAsksPerInterval = 10;  // of a worker that did not go round in time

}  // namespace

bool Watchdog::due(Instant now, Instant turned) {
    if (interval_ == Duration::zero() || now < told_ + interval_ / 2 || turned == turned_) return false;
    told_ = now;
    turned_ = turned;
    return true;
}

Instant Watchdog::ask_at(Instant now) const {
    if (interval_ == Duration::zero()) return Instant::never();
    return std::max(told_ + interval_ / 2, now + interval_ / kAsksPerInterval);
}

}  // namespace telpher::service
