// The admin port: health, metrics and JSON over HTTP, apart from the data path. It has threads of its own; what it
// tells of the shard it asks for with a time limit, and a client of it that is slow, stuck or many costs others of the
// admin port their turn at most. docs/reference/http.md is the reference.
//
// Made and destroyed by the daemon's main thread. Answers from start() to stop(), which waits for nobody's client.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "broker/admin_pages.h"
#include "broker/listen_address.h"
#include "proto/base/clock.h"
#include "telpher/error.h"

namespace telpher::broker {

using HttpAddress = HostPort;
/// Nothing, or "none", asks for no admin port.
bool wants_http(const std::string& text);
/// The address of the admin port, ADDRESS:PORT. Errors: kConfig, also for an address that other hosts can reach unless
/// `insecure`.
Result<HttpAddress> check_http_address(const std::string& text, bool insecure);

/// What one connection may take.
struct HttpLimits {
    Duration request = std::chrono::seconds(5);                 ///< From the connection until the request is there.
    Duration request_crowded = std::chrono::milliseconds(50);  ///< The same while others wait for their turn.
    Duration answer = std::chrono::seconds(10);                 ///< From there until the answer has left.
    std::size_t request_bytes = 128 * 1024;                     ///< With its headers.
};

class AdminHttp {
public:
    AdminHttp(AdminPages::Sources sources, const Clock& clock, const HttpLimits& limits = {});
    ~AdminHttp();
    AdminHttp(const AdminHttp&) = delete;
    AdminHttp& operator=(const AdminHttp&) = delete;

    /// Binds and answers. kAddressInUse.
    Result<void> start(const HttpAddress& address);
    /// Lets go of every connection and returns when the threads have ended.
    void stop();
    /// The address as bound: "127.0.0.1:5680".
    [[nodiscard]] const std::string& endpoint() const { return endpoint_; }

private:
    class Server;
    std::unique_ptr<Server> server_;
    std::string endpoint_;
};

}  // namespace telpher::broker
