// Addresses that a program of ours listens on, "ADDRESS:PORT". Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "telpher/error.h"

namespace telpher::http {

/// True for an address that only this host reaches: 127.x.y.z, ::1 (in brackets or not), localhost, lo.
bool is_loopback(std::string_view host);

/// "ADDRESS:PORT"; a port of 0 stands for "*", any.
struct HostPort {
    std::string host;  ///< As written.
    int port = 0;
};
/// kConfig, with `text` and what is wrong. `meant` is what should be there.
Result<HostPort> split_host_port(const std::string& text, std::string_view host_port, std::string_view meant);

}  // namespace telpher::http
