// SIGINT and SIGTERM as a stop token and a descriptor, so that every wait of a program can end in order. Make one in
// main() before any other thread exists (threads inherit the blocked mask); it lives until the program ends.
#pragma once

#include <atomic>
#include <functional>
#include <stop_token>
#include <thread>

#include "proto/base/clock.h"

namespace telpher::command {

class StopSignals {
public:
    /// `on_second` is called on the thread of the signals before the process ends at the second one.
    explicit StopSignals(std::function<void()> on_second = {});
    ~StopSignals();
    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;

    /// Stops at the first signal. A second one, a moment later, ends the process at once.
    [[nodiscard]] std::stop_token token() const { return source_.get_token(); }
    /// Readable from the first signal on, for poll(2).
    [[nodiscard]] int fd() const { return stopped_fd_; }
    /// The first signal that came; 0: none yet.
    [[nodiscard]] int signal() const { return signal_.load(); }
    /// 128 + signal(); `otherwise` if none came.
    [[nodiscard]] int exit_status(int otherwise) const { return signal() == 0 ? otherwise : 128 + signal(); }
    /// Asks to stop as a signal would, without one.
    void stop();

private:
    void watch();

    std::stop_source source_;
    std::atomic<int> signal_{0};
    Instant first_at_;  // when it came; of the thread
    std::function<void()> on_second_;
    int signal_fd_ = -1;
    int stopped_fd_ = -1;
    int quit_fd_ = -1;
    std::thread thread_;
};

}  // namespace telpher::command
