// What telpherd may listen on. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "telpher/error.h"

namespace telpher::broker {

/// True for an address that only this host reaches: 127.x.y.z, ::1 (in brackets or not), localhost, lo.
bool is_loopback(std::string_view host);

/// "ADDRESS:PORT"; a port of 0 stands for "*", any.
struct HostPort {
    std::string host;  ///< As written.
    int port = 0;
};
/// kConfig, with `text` and what is wrong. `meant` is what should be there.
Result<HostPort> split_host_port(const std::string& text, std::string_view host_port, std::string_view meant);

/// Checks "tcp://ADDRESS:PORT" or "ipc:///PATH" and returns the form libzmq binds ("localhost" becomes 127.0.0.1).
/// kConfig if it is neither, an ipc path is relative, abstract or too long, or the address can be reached from other
/// hosts and `insecure` is not set (without keys anybody who can connect can do everything).
Result<std::string> check_listen_address(const std::string& endpoint, bool insecure);

}  // namespace telpher::broker
