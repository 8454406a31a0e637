#include "consumer/solo.h"

namespace telpher::consumer {

bool Solo::enter(bool alone, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    wait_alone_ += alone ? 1 : 0;
    const bool may = changed_.wait(lock, stop, [&] { return !alone_ && (alone ? running_ == 0 : wait_alone_ == 0); });
    wait_alone_ -= alone ? 1 : 0;
    if (may) {
        ++running_;
        alone_ = alone;
    }
    if (alone && !may) changed_.notify_all();
    return may;
}

void Solo::leave(bool alone) {
    const std::lock_guard lock(mutex_);
    --running_;
    if (alone) alone_ = false;
    if (running_ == 0 || alone) changed_.notify_all();
}

}  // namespace telpher::consumer
