#include "producer/dispatcher.h"

#include <algorithm>
#include <utility>

#include "producer/outcomes.h"

namespace telpher::producer {

Dispatcher::Dispatcher(std::function<void(const Confirmed&)> callback)
    : callback_(std::move(callback)), thread_([this] { run(); }) {}

Dispatcher::~Dispatcher() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    changed_.notify_all();
    if (thread_.get_id() == std::this_thread::get_id()) {
        thread_.detach();  // The callback held the last reference to its own queue: the thread ends after it.
    } else {
        thread_.join();
    }
}

void Dispatcher::push(const std::vector<Confirmed>& runs) {
    {
        const std::lock_guard lock(mutex_);
        waiting_.insert(waiting_.end(), runs.begin(), runs.end());
        merge(waiting_);
    }
    changed_.notify_all();
}

std::size_t Dispatcher::backlog() const {
    const std::lock_guard lock(mutex_);
    return waiting_.size();
}

bool Dispatcher::wait_idle(Millis timeout) {
    if (thread_.get_id() == std::this_thread::get_id()) return true;
    std::unique_lock lock(mutex_);
    const auto idle = [this] { return waiting_.empty() && !busy_; };
    if (timeout == kForever) {
        changed_.wait(lock, idle);
        return true;
    }
    return changed_.wait_for(lock, timeout, idle);
}

void Dispatcher::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return stop_ || !waiting_.empty(); });
        if (waiting_.empty()) return;
        const auto runs = std::exchange(waiting_, {});
        busy_ = true;
        lock.unlock();
        for (const Confirmed& run : runs) callback_(run);
        lock.lock();
        busy_ = false;
        changed_.notify_all();
    }
}

}  // namespace telpher::producer
