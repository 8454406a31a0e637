// A thread's place to sleep until another thread has something for it: one futex word per thread, no lock, no
// allocation per wait. A Parker is never freed, so whoever wakes it need not know whether the sleeper has gone on
// meanwhile.
#pragma once

#include <atomic>
#include <cstdint>

namespace telpher::session {

class Parker {
public:
    /// The calling thread's own; handed on to another thread when this one ends.
    static Parker& mine();

    /// Sleeps until `done()` is true. Whoever makes it true calls unpark() after that.
    template <class Done>
    void park_until(Done done) {
        for (;;) {
            const std::uint32_t seen = word_.load(std::memory_order_acquire);
            if (done()) return;
            word_.wait(seen, std::memory_order_acquire);
        }
    }
    /// Any thread.
    void unpark() {
        word_.fetch_add(1, std::memory_order_release);
        word_.notify_one();
    }

private:
    std::atomic<std::uint32_t> word_{0};
};

}  // namespace telpher::session
