#include "broker/listen_address.h"

#include "proto/http/host_port.h"

namespace telpher::broker {
namespace {

constexpr std::size_t kIpcPathBytesMax = 107;  // sun_path

Result<std::string> check_tcp(const std::string& endpoint, bool insecure) {
    const auto split = http::split_host_port(endpoint, std::string_view(endpoint).substr(6), "tcp://ADDRESS:PORT");
    if (!split) return fail(split.error());
    const std::string& host = split->host;
    if (!http::is_loopback(host) && !insecure) {
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
