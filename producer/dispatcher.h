// Calls the user's on_confirm callback on a thread of its own, so that a slow callback delays neither the engine nor
// its heartbeat. Runs wait merged; the part stops taking puts when too many do. Lives with its part, from the time a
// callback is set.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "proto/base/clock.h"
#include "telpher/client.h"

namespace telpher::producer {

class Dispatcher {
public:
    explicit Dispatcher(std::function<void(const Confirmed&)> callback);
    /// Ends the thread once it has told what it has. Does not wait for that: the callback may itself wait for whoever
    /// is here.
    ~Dispatcher();
    Dispatcher(const Dispatcher&) = delete;
    Dispatcher& operator=(const Dispatcher&) = delete;

    // Any thread.
    void push(const std::vector<Confirmed>& runs);
    /// Runs that wait to be told.
    [[nodiscard]] std::size_t backlog() const;
    /// True if everything was told.
    [[nodiscard]] bool idle() const;
    /// Waits until everything was told; false: not within `timeout`. True at once on the callback's own thread.
    bool wait_idle(Millis timeout);

private:
    /// Shared with the thread, which may outlive the dispatcher by one callback.
    struct State {
        std::function<void(const Confirmed&)> callback;
        std::mutex mutex;
        std::condition_variable changed;
        std::vector<Confirmed> waiting;  // guarded by mutex
        bool busy = false;               // guarded by mutex
        bool stop = false;               // guarded by mutex

        [[nodiscard]] bool idle() const { return waiting.empty() && !busy; }
    };
    static void run(State& state);

    const std::shared_ptr<State> state_;
    std::thread::id thread_;
};

}  // namespace telpher::producer
