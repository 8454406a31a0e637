// Pages over HTTP, apart from what the program is for: threads of its own (4), one request a connection, a limit on
// everything a client may take. A client that is slow, stuck or many costs others of this port their turn at most.
//
// Made and destroyed by one thread. Answers from start() to stop(), which waits for nobody's client.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "proto/base/clock.h"
#include "proto/http/answer.h"
#include "proto/http/host_port.h"
#include "telpher/error.h"

namespace telpher::http {

using HttpAddress = HostPort;
/// Nothing, or "none", asks for no such port.
bool wants_http(const std::string& text);
/// The address to listen on, ADDRESS:PORT. Errors: kConfig, also for an address that other hosts can reach unless
/// `insecure`.
Result<HttpAddress> check_http_address(const std::string& text, bool insecure);

/// What one connection may take.
struct HttpLimits {
    Duration request = std::chrono::seconds(5);                ///< From the connection until the request is there.
    Duration request_crowded = std::chrono::milliseconds(50);  ///< The same while others wait for their turn.
    Duration answer = std::chrono::seconds(10);                ///< From there until the answer has left.
    std::size_t request_bytes = 128 * 1024;                    ///< With its headers.
};

class HttpServer {
public:
    /// What went wrong in a thread of its own; any thread.
    using Trouble = std::function<void(const std::string&)>;

    HttpServer(Pages pages, Trouble trouble, const Clock& clock, const HttpLimits& limits = {});
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

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

}  // namespace telpher::http
