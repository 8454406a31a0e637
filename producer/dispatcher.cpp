#include "producer/dispatcher.h"

#include <algorithm>
#include <utility>

#include "producer/outcomes.h"

namespace telpher::producer {

Dispatcher::Dispatcher(std::function<void(const Confirmed&)> callback) : state_(std::make_shared<State>()) {
    state_->callback = std::move(callback);
    std::thread thread([state = state_] { run(*state); });
    thread_ = thread.get_id();
    thread.detach();
}

Dispatcher::~Dispatcher() {
    const std::lock_guard lock(state_->mutex);
    state_->stop = true;
    state_->changed.notify_all();
}

void Dispatcher::push(const std::vector<Confirmed>& runs) {
    const std::lock_guard lock(state_->mutex);
    state_->waiting.insert(state_->waiting.end(), runs.begin(), runs.end());
    merge(state_->waiting);
    state_->changed.notify_all();
}

std::size_t Dispatcher::backlog() const {
    const std::lock_guard lock(state_->mutex);
    return state_->waiting.size();
}

bool Dispatcher::idle() const {
    const std::lock_guard lock(state_->mutex);
    return state_->idle();
}

bool Dispatcher::wait_idle(Millis timeout) {
    if (thread_ == std::this_thread::get_id()) return true;
    std::unique_lock lock(state_->mutex);
    const auto idle = [this] { return state_->idle(); };
    if (timeout == kForever) {
        state_->changed.wait(lock, idle);
        return true;
    }
    return state_->changed.wait_for(lock, timeout, idle);
}

void Dispatcher::run(State& state) {
    std::unique_lock lock(state.mutex);
    for (;;) {
        state.changed.wait(lock, [&state] { return state.stop || !state.waiting.empty(); });
        if (state.waiting.empty()) return;
        const auto runs = std::exchange(state.waiting, {});
        state.busy = true;
        lock.unlock();
        for (const Confirmed& run : runs) state.callback(run);
        lock.lock();
        state.busy = false;
        state.changed.notify_all();
    }
}

}  // namespace telpher::producer
