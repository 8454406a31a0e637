#include "tests/support/http_request.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace telpher::test {

HttpRequest::HttpRequest(std::uint16_t port, const std::string& target)
    : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval limit{20, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    const std::string text = "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
    static_cast<void>(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL));
}

HttpRequest::~HttpRequest() { ::close(fd_); }

std::string HttpRequest::answer() {
    std::string text;
    std::string part(64 * 1024, '\0');
    for (ssize_t got = 0; (got = ::recv(fd_, part.data(), part.size(), 0)) > 0;)
        text.append(part, 0, static_cast<std::size_t>(got));
    return text;
}

HttpAnswer http_get(std::uint16_t port, const std::string& target) {
    const std::string text = HttpRequest(port, target).answer();
    const std::size_t body = text.find("\r\n\r\n");
    if (!text.starts_with("HTTP/1.1 ") || body == std::string::npos) return {};
    return {std::stoi(text.substr(9, 3)), text.substr(body + 4)};
}

}  // namespace telpher::test
