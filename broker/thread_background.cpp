#include "broker/thread_background.h"

#include <pthread.h>

namespace telpher::broker {

ThreadBackground::ThreadBackground(std::function<void()> wake) : wake_(std::move(wake)) {
    constexpr std::array kNames{"reads-0", "chores-0"};
    for (std::size_t lane = 0; lane < workers_.size(); ++lane) {
        Worker& worker = workers_[lane];
        worker.thread = std::thread([this, &worker, name = kNames[lane]] { run(worker, name); });
    }
}

ThreadBackground::~ThreadBackground() {
    ending_ = true;
    for (Worker& worker : workers_) worker.jobs.enqueue(Job());
    for (Worker& worker : workers_) worker.thread.join();
}

void ThreadBackground::post(Lane lane, Job job) {
    workers_[static_cast<std::size_t>(lane)].jobs.enqueue(std::move(job));
}

std::size_t ThreadBackground::run_finished() {
    std::size_t count = 0;
    Finish finish;
    for (; finished_.try_dequeue(finish); ++count) finish();
    return count;
}

void ThreadBackground::run(Worker& worker, const char* name) {
    ::pthread_setname_np(::pthread_self(), name);
    for (;;) {
        Job job;
        worker.jobs.wait_dequeue(job);
        if (!job || ending_) return;
        finished_.enqueue(job());
        wake_();
    }
}

}  // namespace telpher::broker
