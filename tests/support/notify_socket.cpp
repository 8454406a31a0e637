#include "tests/support/notify_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <stdexcept>

namespace telpher::test {

NotifySocket::NotifySocket() : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof address.sun_path - 1);
    if (fd_ < 0 || ::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        throw std::runtime_error("no socket at " + path());
    }
}

NotifySocket::~NotifySocket() { ::close(fd_); }

std::optional<std::string> NotifySocket::next(Duration limit) {
    const Deadline deadline(limit);
    pollfd wait{fd_, POLLIN, 0};
    if (::poll(&wait, 1, deadline.left_ms()) <= 0) return std::nullopt;
    std::array<char, 4096> buffer{};
    const auto got = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (got < 0) return std::nullopt;
    return std::string(buffer.data(), static_cast<std::size_t>(got));
}

std::optional<std::string> NotifySocket::await(std::string_view text, Duration limit) {
    const Deadline deadline(limit);
    while (auto message = next(deadline.left())) {
        if (message->find(text) != std::string::npos) return message;
    }
    return std::nullopt;
}

}  // namespace telpher::test
