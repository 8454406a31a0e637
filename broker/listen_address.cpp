#include "broker/listen_address.h"

#include <arpa/inet.h>

#include <charconv>

namespace telpher::broker {

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

namespace {

constexpr std::size_t kIpcPathBytesMax = 107;  // sun_path

Result<std::string> check_tcp(const std::string& endpoint, bool insecure) {
    const auto split = split_host_port(endpoint, std::string_view(endpoint).substr(6), "tcp://ADDRESS:PORT");
    if (!split) return fail(split.error());
    const std::string& host = split->host;
    if (!is_loopback(host) && !insecure) {
        return fail(Code::kConfig,
                    endpoint +
                        " can be reached from other hosts and anybody there could put and get: make keys "
                        "(`telpher keygen`, `telpher user add NAME`) and start with --server-key FILE, "
                        "or use 127.0.0.1 or ipc, or --insecure if the network is yours alone");
    }
    return "tcp://" + (host == "localhost" ? "127.0.0.1" : host) + endpoint.substr(endpoint.rfind(':'));
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
