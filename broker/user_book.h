// Where the users of now are found: set by the main thread, read by the ZAP thread for every new connection and by a
// shard when the generation has changed. Any thread.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "broker/users.h"

namespace telpher::broker {

class UserBook {
public:
    [[nodiscard]] std::shared_ptr<const Users> get() const {
        const std::lock_guard lock(mutex_);
        return users_;
    }
    void set(std::shared_ptr<const Users> users) {
        {
            const std::lock_guard lock(mutex_);
            users_ = std::move(users);
        }
        generation_.fetch_add(1, std::memory_order_release);
    }
    /// Rises with every set().
    [[nodiscard]] std::uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

private:
    mutable std::mutex mutex_;
    std::shared_ptr<const Users> users_ = std::make_shared<const Users>();
    std::atomic<std::uint64_t> generation_{0};
};

}  // namespace telpher::broker
