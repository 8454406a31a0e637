#include "consumer/stderr_relay.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "telpher/options.h"

namespace telpher {
namespace {

/// How stderr can be written to without waiting. O_NONBLOCK belongs to the open file, which we share with others that
/// do not expect it: a pipe or terminal is opened anew; a socket has a flag for each call; a file never waits.
class Way {
public:
    Way() {
        struct stat status {};
        if (::fstat(STDERR_FILENO, &status) != 0) return;
        socket_ = S_ISSOCK(status.st_mode);
        if (S_ISFIFO(status.st_mode) || ::isatty(STDERR_FILENO) != 0)
            own_ = ::open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    }
    [[nodiscard]] ssize_t write(std::string_view text) const {
        if (own_ >= 0) return ::write(own_, text.data(), text.size());
        if (socket_) return ::send(STDERR_FILENO, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        pollfd ready{STDERR_FILENO, POLLOUT, 0};
        if (::poll(&ready, 1, 0) == 0) {
            errno = EAGAIN;
            return -1;
        }
        return ::write(STDERR_FILENO, text.data(), std::min<std::size_t>(text.size(), PIPE_BUF));
    }

private:
    int own_ = -1;
    bool socket_ = false;
};

/// What of `text` has to wait; nothing if nobody reads any more.
std::string_view write_now(std::string_view text) {
    static const Way way;
    while (!text.empty()) {
        const ssize_t written = way.write(text);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0 && errno == EAGAIN) return text;
        if (written < 0) return {};
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return text;
}

}  // namespace

void StderrRelay::take(std::string_view text) { waiting_.assign(write_now(text)); }

void StderrRelay::push() { waiting_ = std::string(write_now(waiting_)); }

void StderrRelay::flush(Duration limit) {
    const Instant end = system_clock().now() + limit;
    for (push(); waits(); push()) {
        const auto left = std::chrono::ceil<Millis>(end - system_clock().now());
        pollfd ready{STDERR_FILENO, POLLOUT, 0};
        if (left <= Millis(0) || ::poll(&ready, 1, static_cast<int>(left.count())) == 0) break;
    }
    waiting_.clear();
}

void StderrRelay::note(std::string_view line) {
    push();
    if (!waits()) take(line);
}

}  // namespace telpher
