#include "proto/session/leading.h"

#include "proto/base/check.h"

namespace telpher::session {

bool Leading::begin() {
    const std::lock_guard lock(mutex_);
    // With several that wait, one who leads would only have to hand over to the next.
    if (dozing_ && !leader_ && !stopped_ && waiting_ == 1) {
        leader_ = true;
        fresh_ = true;
        return true;
    }
    wanted_.store(true, std::memory_order_relaxed);
    return false;
}

void Leading::end(bool soon) {
    {
        const std::lock_guard lock(mutex_);
        TELPHER_CHECK(leader_);
        leader_ = false;
        soon = soon && waiting_ == 1;
        fresh_ = soon;
        given_up_ = !soon;
    }
    if (!soon) changed_.notify_one();
}

void Leading::doze() {
    std::unique_lock lock(mutex_);
    dozing_ = true;
    // Each kDoze that no leader began in ends the doze, and so does one who gave up.
    do {
        fresh_ = false;
        given_up_ = false;
        changed_.wait_for(lock, kDoze, [this] { return !leader_ && (stopped_ || given_up_); });
    } while (leader_ || (fresh_ && !stopped_));
    dozing_ = false;
}

void Leading::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopped_ = true;
    }
    changed_.notify_one();
}

}  // namespace telpher::session
