// A request over HTTP that a test can leave hanging, which no library lets it do.
#pragma once

#include <cstdint>
#include <string>

namespace telpher::test {

/// A connection to a port of this host that has sent a request.
class HttpRequest {
public:
    HttpRequest(std::uint16_t port, const std::string& target);
    ~HttpRequest();
    HttpRequest(const HttpRequest&) = delete;
    HttpRequest& operator=(const HttpRequest&) = delete;

    [[nodiscard]] bool connected() const { return connected_; }
    /// All of the answer, until the server closes; for 20 s at most between two parts of it.
    std::string answer();

private:
    int fd_;
    bool connected_ = false;
};

struct HttpAnswer {
    int status = 0;  ///< 0: none came.
    std::string body;
};

HttpAnswer http_get(std::uint16_t port, const std::string& target);

}  // namespace telpher::test
