// Where a stream socket of a test connects to or listens: tcp://A.B.C.D:PORT or ipc://PATH.
#pragma once

#include <sys/socket.h>

#include <string>

namespace telpher::test {

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t bytes = 0;
    [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

/// Throws std::runtime_error if the endpoint makes no sense.
SocketAddress socket_address(const std::string& endpoint);

}  // namespace telpher::test
