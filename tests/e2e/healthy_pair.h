// An innocent producer and consumer of a broker under attack: one message after the other goes through a queue of
// theirs, each timed from put() to the handler. Two clients, two threads, from construction to destruction.
#pragma once

#include <telpher/client.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "tests/support/deadline.h"

namespace telpher::test {

class HealthyPair {
public:
    explicit HealthyPair(const std::string& server, const std::string& queue = "healthy");
    HealthyPair(const HealthyPair&) = delete;
    HealthyPair& operator=(const HealthyPair&) = delete;
    ~HealthyPair();

    /// True once `count` more messages have gone through; false if `limit` is over first.
    bool serves(std::uint64_t count, Duration limit);
    /// The longest way of a message since the last call, one that is still on its way included.
    Duration worst();
    [[nodiscard]] std::uint64_t count() const { return done_; }
    /// The first error either of them met; empty if none.
    std::string error();

private:
    void produce();
    void consume();
    void fail(const std::string& what);

    Client producer_, consumer_;
    std::string queue_;
    std::stop_source stop_;
    std::atomic<std::uint64_t> done_{0};
    std::mutex mutex_;
    std::condition_variable changed_;
    Instant put_at_{};  // guarded by mutex_, as all below: of the message on its way
    bool on_its_way_ = false;
    Duration worst_{};
    std::string error_;
    std::thread put_thread_, get_thread_;  // last, so that all above is there for them
};

}  // namespace telpher::test
