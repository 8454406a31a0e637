#include "proto/command/signals.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <utility>

#include "proto/base/check.h"

namespace telpher::command {
namespace {

using namespace std::chrono_literals;

// A terminal, a shell and timeout(1) may each send a signal for the same request to stop.
constexpr Duration kSameRequest = 250ms;

sigset_t stop_set() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

void raise_event(int fd) {
    const std::uint64_t one = 1;
    TELPHER_CHECK(::write(fd, &one, sizeof one) == sizeof one);
}

}  // namespace

StopSignals::StopSignals(std::function<void()> on_second) : on_second_(std::move(on_second)) {
    const sigset_t set = stop_set();
    TELPHER_CHECK(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
    signal_fd_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    stopped_fd_ = ::eventfd(0, EFD_CLOEXEC);
    quit_fd_ = ::eventfd(0, EFD_CLOEXEC);
    TELPHER_CHECK_MSG(signal_fd_ >= 0 && stopped_fd_ >= 0 && quit_fd_ >= 0, "no descriptors left");
    thread_ = std::thread([this] { watch(); });
}

StopSignals::~StopSignals() {
    raise_event(quit_fd_);
    thread_.join();
    ::close(signal_fd_);
    ::close(stopped_fd_);
    ::close(quit_fd_);
}

void StopSignals::stop() {
    if (source_.request_stop()) raise_event(stopped_fd_);
}

void StopSignals::watch() {
    std::array<pollfd, 2> waits{pollfd{signal_fd_, POLLIN, 0}, pollfd{quit_fd_, POLLIN, 0}};
    for (;;) {
        if (::poll(waits.data(), waits.size(), -1) < 0) continue;
        if (waits[1].revents != 0) return;
        signalfd_siginfo event{};
        if (::read(signal_fd_, &event, sizeof event) != sizeof event) continue;
        const int number = static_cast<int>(event.ssi_signo);
        const Instant now = system_clock().now();
        if (signal_ == 0) {
            first_at_ = now;
            signal_ = number;
            stop();
        } else if (now - first_at_ > kSameRequest) {
            if (on_second_) on_second_();
            ::_exit(128 + number);
        }
    }
}

}  // namespace telpher::command
