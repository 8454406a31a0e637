#include "tests/support/socket_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstring>
#include <stdexcept>

namespace telpher::test {

SocketAddress socket_address(const std::string& endpoint) {
    SocketAddress address;
    if (endpoint.starts_with("ipc://")) {
        auto& un = reinterpret_cast<sockaddr_un&>(address.storage);
        const std::string path = endpoint.substr(6);
        if (path.size() >= sizeof un.sun_path) throw std::runtime_error("path too long: " + path);
        un.sun_family = AF_UNIX;
        std::memcpy(un.sun_path, path.c_str(), path.size() + 1);
        address.bytes = sizeof un;
        return address;
    }
    const auto colon = endpoint.rfind(':');
    auto& in = reinterpret_cast<sockaddr_in&>(address.storage);
    in.sin_family = AF_INET;
    in.sin_port = htons(static_cast<std::uint16_t>(std::stoul(endpoint.substr(colon + 1))));
    if (!endpoint.starts_with("tcp://") ||
        ::inet_pton(AF_INET, endpoint.substr(6, colon - 6).c_str(), &in.sin_addr) != 1) {
        throw std::runtime_error("not tcp://A.B.C.D:PORT or ipc://PATH: " + endpoint);
    }
    address.bytes = sizeof in;
    return address;
}

}  // namespace telpher::test
