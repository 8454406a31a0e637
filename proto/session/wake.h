// Wakes one sleeping thread from any other: an eventfd that is written only while that thread says it sleeps. Lives as
// long as the thread's loop.
//
// The sleeper: prepare(), look once more for work (under the mutex that guards it), then poll fd() or awake(). The
// waker: leave the work (under that mutex), then notify(). Whoever comes second sees what the first did.
#pragma once

#include <atomic>

namespace telpher::session {

class Wake {
public:
    Wake();
    ~Wake();
    Wake(const Wake&) = delete;
    Wake& operator=(const Wake&) = delete;

    /// Any thread, async-signal-safe.
    void notify();

    // The sleeper.
    [[nodiscard]] int fd() const { return fd_; }
    void prepare() { sleeping_.store(true); }
    void awake() { sleeping_.store(false); }
    /// Takes what was written, after fd() became readable.
    void clear();

private:
    int fd_ = -1;
    std::atomic<bool> sleeping_{false};
};

}  // namespace telpher::session
