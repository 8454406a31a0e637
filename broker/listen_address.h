// What telpherd may listen on. Pure functions.
#pragma once

#include <string>

#include "telpher/error.h"

namespace telpher::broker {

/// Checks "tcp://ADDRESS:PORT" or "ipc:///PATH" and returns the form libzmq binds ("localhost" becomes 127.0.0.1).
/// kConfig if it is neither, an ipc path is relative, abstract or too long, or the address can be reached from other
/// hosts and `insecure` is not set (without keys anybody who can connect can do everything).
Result<std::string> check_listen_address(const std::string& endpoint, bool insecure);

}  // namespace telpher::broker
