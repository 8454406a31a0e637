// SIGINT and SIGTERM as a std::stop_token. Make one in main() before any other thread exists; it lives as long as
// main().
#pragma once

#include <csignal>
#include <stop_token>
#include <thread>

class StopOnSignal {
public:
    StopOnSignal() {
        sigemptyset(&signals_);
        for (const int number : {SIGINT, SIGTERM, SIGUSR2}) sigaddset(&signals_, number);
        pthread_sigmask(SIG_BLOCK, &signals_, nullptr);  // threads made later inherit it
        waiter_ = std::thread([this] {
            int number = 0;
            sigwait(&signals_, &number);
            source_.request_stop();
        });
    }
    ~StopOnSignal() {
        pthread_kill(waiter_.native_handle(), SIGUSR2);  // if no signal came, this is the one
        waiter_.join();
    }
    StopOnSignal(const StopOnSignal&) = delete;
    StopOnSignal& operator=(const StopOnSignal&) = delete;

    [[nodiscard]] std::stop_token token() const { return source_.get_token(); }

private:
    sigset_t signals_{};
    std::stop_source source_;
    std::thread waiter_;
};
