#include "consumer/stderr_relay.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "proto/command/output.h"

namespace telpher {
namespace {

/// How stderr can be written to without waiting. O_NONBLOCK belongs to the open file, which we share with others that
/// do not expect it: a pipe is opened anew; a socket has a flag for each call; and of a file or a terminal it is asked
/// first whether it takes something.
class Way {
public:
    Way() {
        struct stat status {};
        if (::fstat(STDERR_FILENO, &status) != 0) return;
        socket_ = S_ISSOCK(status.st_mode);
        if (S_ISFIFO(status.st_mode)) pipe_ = ::open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    }
    [[nodiscard]] ssize_t write(std::string_view text) const {
        if (pipe_ >= 0) return ::write(pipe_, text.data(), text.size());
        if (socket_) return ::send(STDERR_FILENO, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        pollfd ready{STDERR_FILENO, POLLOUT, 0};
        if (::poll(&ready, 1, 0) == 0) {
            errno = EAGAIN;
            return -1;
        }
        return ::write(STDERR_FILENO, text.data(), std::min<std::size_t>(text.size(), PIPE_BUF));
    }

private:
    int pipe_ = -1;
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

void StderrRelay::flush() {
    if (waits()) (void)command::write_all(STDERR_FILENO, waiting_);
    waiting_.clear();
}

}  // namespace telpher
