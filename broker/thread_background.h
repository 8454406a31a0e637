// Background jobs on threads of their own, one for each lane. The queues between them and the shard are lock-free; a
// finished job wakes the shard. Made and used by the shard thread; joins its threads when it goes.
#pragma once

#include <concurrentqueue/blockingconcurrentqueue.h>

#include <array>
#include <atomic>
#include <functional>
#include <thread>

#include "broker/background.h"

namespace telpher::broker {

class ThreadBackground final : public Background {
public:
    /// `wake` is called by a lane's thread after each job.
    explicit ThreadBackground(std::function<void()> wake);
    ~ThreadBackground() override;
    ThreadBackground(const ThreadBackground&) = delete;
    ThreadBackground& operator=(const ThreadBackground&) = delete;

    void post(Lane lane, Job job) override;
    std::size_t run_finished() override;

private:
    struct Worker {
        moodycamel::BlockingConcurrentQueue<Job> jobs;  // an empty one ends the thread
        std::thread thread;
    };
    void run(Worker& worker, const char* name);

    const std::function<void()> wake_;
    std::atomic<bool> ending_{false};
    moodycamel::ConcurrentQueue<Finish> finished_;
    std::array<Worker, 2> workers_;  // by Lane
};

}  // namespace telpher::broker
