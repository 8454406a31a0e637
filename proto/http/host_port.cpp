#include "proto/http/host_port.h"

#include <arpa/inet.h>

#include <charconv>

namespace telpher::http {

bool is_loopback(std::string_view host) {
    in_addr address{};
    if (::inet_pton(AF_INET, std::string(host).c_str(), &address) == 1) return ntohl(address.s_addr) >> 24U == 127;
    return host == "localhost" || host == "::1" || host == "[::1]" || host == "lo";
}

Result<HostPort> split_host_port(const std::string& text, std::string_view host_port, std::string_view meant) {
    const std::size_t colon = host_port.rfind(':');
    if (colon == std::string_view::npos || colon == 0)
        return fail(Code::kConfig, text + ": " + std::string(meant) + " is meant");
    const std::string_view port = host_port.substr(colon + 1);
    unsigned number = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    const bool good = port == "*" || (error == std::errc() && end == port.data() + port.size() && number <= 65'535);
    if (!good) return fail(Code::kConfig, text + ": the port is a number up to 65535, or * for any");
    return HostPort{std::string(host_port.substr(0, colon)), static_cast<int>(number)};
}

}  // namespace telpher::http
