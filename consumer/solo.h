// Lets many handlers run together, or one alone: a message that ran when its process died of nobody knows whom is
// suspect, and runs alone next, so that the next death has one who is to blame. Thread-safe.
#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>

namespace telpher::consumer {

class Solo {
public:
    /// Waits until it may run: together with others, or `alone`, before all who come later. False: stopped meanwhile.
    bool enter(bool alone, const std::stop_token& stop);
    void leave(bool alone);

private:
    std::mutex mutex_;
    std::condition_variable_any changed_;
    unsigned running_ = 0;
    unsigned wait_alone_ = 0;  // these go first
    bool alone_ = false;
};

}  // namespace telpher::consumer
