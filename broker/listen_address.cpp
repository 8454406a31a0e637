#include "broker/listen_address.h"

#include <arpa/inet.h>

#include <charconv>

namespace telpher::broker {

bool is_loopback(std::string_view host) {
    in_addr address{};
    if (::inet_pton(AF_INET, std::string(host).c_str(), &address) == 1) return ntohl(address.s_addr) >> 24U == 127;
    return host == "localhost" || host == "::1" || host == "[::1]" || host == "lo";
}

namespace {

constexpr std::size_t kIpcPathBytesMax = 107;  // sun_path

Result<std::string> check_tcp(const std::string& endpoint, bool insecure) {
    const std::string_view rest = std::string_view(endpoint).substr(6);
    const std::size_t colon = rest.rfind(':');
    if (colon == std::string_view::npos || colon == 0)
        return fail(Code::kConfig, endpoint + ": tcp://ADDRESS:PORT is meant");
    const std::string_view host = rest.substr(0, colon);
    const std::string_view port = rest.substr(colon + 1);
    unsigned number = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    const bool good = port == "*" || (error == std::errc() && end == port.data() + port.size() && number <= 65'535);
    if (!good) return fail(Code::kConfig, endpoint + ": the port is a number up to 65535, or * for any");
    if (!is_loopback(host) && !insecure) {
        return fail(Code::kConfig,
                    endpoint +
                        " can be reached from other hosts and anybody there could put and get: make keys "
                        "(`telpher keygen`, `telpher user add NAME`) and start with --server-key FILE, "
                        "or use 127.0.0.1 or ipc, or --insecure if the network is yours alone");
    }
    return "tcp://" + std::string(host == "localhost" ? "127.0.0.1" : host) + ":" + std::string(port);
}

}  // namespace

Result<std::string> check_listen_address(const std::string& endpoint, bool insecure) {
    if (endpoint.starts_with("tcp://")) return check_tcp(endpoint, insecure);
    if (!endpoint.starts_with("ipc:///"))
        return fail(Code::kConfig, endpoint + ": tcp://ADDRESS:PORT or ipc:///PATH is meant");
    if (endpoint.size() - 6 > kIpcPathBytesMax) {
        return fail(Code::kConfig, endpoint + ": a socket's path has at most 107 bytes");
    }
    return endpoint;
}

}  // namespace telpher::broker
