// Calls the user's on_confirm callback on a thread of its own, so that a slow callback delays neither the engine nor
// its heartbeat. Runs wait merged; the part stops taking puts when too many do. Lives with its part, from the time a
// callback is set.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "proto/base/clock.h"
#include "telpher/client.h"

namespace telpher::producer {

class Dispatcher {
public:
    explicit Dispatcher(std::function<void(const Confirmed&)> callback);
    ~Dispatcher();  ///< Delivers what it has, then ends the thread.
    Dispatcher(const Dispatcher&) = delete;
    Dispatcher& operator=(const Dispatcher&) = delete;

    // Any thread.
    void push(const std::vector<Confirmed>& runs);
    /// Runs that wait to be told.
    [[nodiscard]] std::size_t backlog() const;
    /// Waits until everything was told; false: not within `timeout`. True at once on the callback's own thread.
    bool wait_idle(Millis timeout);

private:
    void run();

    const std::function<void(const Confirmed&)> callback_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Confirmed> waiting_;  // guarded by mutex_
    bool busy_ = false;               // guarded by mutex_
    bool stop_ = false;               // guarded by mutex_
    std::thread thread_;
};

}  // namespace telpher::producer
