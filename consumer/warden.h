// The thread of a worker process that watches over it: takes its signals, ends a drain that lasts too long, and holds
// handlers of this very process to their limits of time and memory.
//
// Make it before any other thread exists (they inherit the blocked signals); it lives as long as the work.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "consumer/lease_table.h"
#include "proto/base/clock.h"
#include "telpher/options.h"

namespace telpher::consumer {

class Warden {
public:
    struct Options {
        Millis drain{60'000};                               ///< From the first signal until what still runs is ended.
        Millis time_limit{kForever};                        ///< Of a handler in this process.
        std::uint64_t rss_max = 0;                          ///< Of this process, bytes; 0 = no limit.
        std::function<void(const std::string&)> note = {};  ///< A remark for people. Thread of the warden.
    };
    /// What the owner does. Called on the warden's thread.
    struct Orders {
        std::function<void()> drain_over;  ///< End what still runs; it goes back without blame.
        std::function<void()> now;         ///< A second signal: the process ends when this returns.
    };

    /// How long handlers that are not to blame may still run when the process must end for another one's limit.
    static constexpr Duration kOthersMax = std::chrono::seconds(5);

    Warden(LeaseTable& table, Options options, Orders orders);
    Warden(const Warden&) = delete;
    Warden& operator=(const Warden&) = delete;
    ~Warden();

    /// Stops at the first SIGTERM or SIGINT.
    [[nodiscard]] std::stop_token token() const { return source_.get_token(); }
    /// Asks to stop as a signal would, without one and without a limit in time.
    void stop() { source_.request_stop(); }
    /// The first signal; 0: none yet.
    [[nodiscard]] int signal() const { return signal_.load(); }
    /// Waits while no handler may be started. False: stopped meanwhile.
    bool may_begin();

private:
    void watch();
    void on_signal();
    void check_limits(Instant now);
    void look_for_excess(Instant now);
    void condemn(Instant now);
    void set_hold(bool hold);
    [[nodiscard]] int wait_ms(Instant now) const;
    [[nodiscard]] bool limited() const { return options_.time_limit != kForever || options_.rss_max != 0; }

    LeaseTable& table_;
    const Options options_;
    const Orders orders_;
    std::stop_source source_;
    std::atomic<int> signal_{0};
    std::atomic<bool> hold_{false};
    std::mutex mutex_;
    std::condition_variable_any changed_;  // hold_

    // The warden's thread.
    Instant first_signal_;
    Instant drain_until_ = Instant::never();
    Instant others_until_ = Instant::never();  // while the process is condemned
    Cause excess_ = Cause::kNone;
    std::optional<unsigned> late_;  // whose time is over
    int signal_fd_ = -1;
    int quit_fd_ = -1;
    std::thread thread_;
};

/// Resident memory of this process, bytes; 0 if it cannot be read.
std::uint64_t own_rss();

}  // namespace telpher::consumer
