#include "tests/e2e/healthy_pair.h"

namespace telpher::test {
namespace {

ClientOptions options(const std::string& server, const std::string& name) {
    ClientOptions options;
    options.server = server;
    options.name = name;
    return options;
}

}  // namespace

HealthyPair::HealthyPair(const std::string& server, const std::string& queue)
    : producer_(options(server, "healthy producer")),
      consumer_(options(server, "healthy consumer")),
      queue_(queue),
      put_thread_([this] { produce(); }),
      get_thread_([this] { consume(); }) {}

HealthyPair::~HealthyPair() {
    stop_.request_stop();
    {
        const std::lock_guard lock(mutex_);
        changed_.notify_all();
    }
    put_thread_.join();
    get_thread_.join();
}

void HealthyPair::fail(const std::string& what) {
    const std::lock_guard lock(mutex_);
    if (error_.empty()) error_ = what;
    stop_.request_stop();
    changed_.notify_all();
}

void HealthyPair::produce() {
    auto queue = producer_.open(queue_);
    if (!queue) return fail("open for puts: " + queue.error().message());
    while (!stop_.stop_requested()) {
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [&] { return !on_its_way_ || stop_.stop_requested(); });
            if (stop_.stop_requested()) return;
            on_its_way_ = true;
            put_at_ = system_clock().now();
        }
        PutOptions put;
        put.stop = stop_.get_token();
        const auto id = queue->put("ping", put);
        if (!id && id.error().code() != Code::kStopped) return fail("put: " + id.error().message());
        pass_time(1ms);  // a pulse, not a load
    }
}

void HealthyPair::consume() {
    auto queue = consumer_.open(queue_);
    if (!queue) return fail("open for gets: " + queue.error().message());
    while (!stop_.stop_requested()) {
        auto message = queue->get(kForever, stop_.get_token());
        if (!message && message.error().code() == Code::kStopped) return;
        if (!message) return fail("get: " + message.error().message());
        message->ack();
        const std::lock_guard lock(mutex_);
        if (!on_its_way_) continue;  // a second delivery of one that was counted
        worst_ = std::max(worst_, system_clock().now() - put_at_);
        on_its_way_ = false;
        ++done_;
        changed_.notify_all();
    }
}

bool HealthyPair::serves(std::uint64_t count, Duration limit) {
    std::unique_lock lock(mutex_);
    const std::uint64_t target = done_ + count;
    changed_.wait_for(lock, limit, [&] { return done_ >= target || !error_.empty(); });
    return done_ >= target;
}

Duration HealthyPair::worst() {
    const std::lock_guard lock(mutex_);
    if (on_its_way_) worst_ = std::max(worst_, system_clock().now() - put_at_);
    return std::exchange(worst_, Duration::zero());
}

std::string HealthyPair::error() {
    const std::lock_guard lock(mutex_);
    return error_;
}

}  // namespace telpher::test
