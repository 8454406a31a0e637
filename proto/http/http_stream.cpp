#include "proto/http/http_stream.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace telpher::http {
namespace {

using NameCall = int (*)(int, sockaddr*, socklen_t*);

void name(NameCall call, int fd, std::string& ip, int& port) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (call(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return;
    if (address.ss_family == AF_INET) {
        const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address);
        port = ntohs(v4->sin_port);
        inet_ntop(AF_INET, &v4->sin_addr, text.data(), text.size());
    } else if (address.ss_family == AF_INET6) {
        const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address);
        port = ntohs(v6->sin6_port);
        inet_ntop(AF_INET6, &v6->sin6_addr, text.data(), text.size());
    }
    ip = text.data();
}

}  // namespace

HttpStream::HttpStream(int fd, int stop_fd, const HttpLimits& limits, const Clock& clock,
                       const std::atomic<int>& waiting)
    : fd_(fd), stop_fd_(stop_fd), limits_(limits), clock_(clock), waiting_(waiting), began_(clock.now()) {
    ::fcntl(fd_, F_SETFD, FD_CLOEXEC);
    ::fcntl(fd_, F_SETFL, ::fcntl(fd_, F_GETFL) | O_NONBLOCK);
}

HttpStream::~HttpStream() {
    ::shutdown(fd_, SHUT_RDWR);
    ::close(fd_);
}

HttpStream::Waited HttpStream::wait(short events, Instant deadline) const {
    for (;;) {
        const Duration left = deadline - clock_.now();
        if (left <= Duration::zero()) return Waited::kTimeout;
        std::array<pollfd, 2> polled{pollfd{fd_, events, 0}, pollfd{stop_fd_, POLLIN, 0}};
        const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
        const int ready = ::poll(polled.data(), polled.size(), static_cast<int>(std::min<std::int64_t>(ms, 60'000)));
        if (ready < 0 && errno != EINTR) return Waited::kOver;
        if (polled[1].revents != 0) return Waited::kOver;
        if (ready > 0) return Waited::kReady;  // what is wrong with the socket the call says
    }
}

/// In steps, as others may come to wait meanwhile.
bool HttpStream::wait_for_request() const {
    constexpr auto kStep = std::chrono::milliseconds(50);
    for (;;) {
        const Duration limit = waiting_ > 0 ? std::min(limits_.request_crowded, limits_.request) : limits_.request;
        const Waited waited = wait(POLLIN, std::min(began_ + limit, clock_.now() + kStep));
        if (waited != Waited::kTimeout) return waited == Waited::kReady;
        if (clock_.now() >= began_ + limit) return false;
    }
}

bool HttpStream::is_readable() const { return begin_ < end_ || wait_for_request(); }
bool HttpStream::is_writable() const {
    return wait(POLLOUT, std::min(write_until_, clock_.now() + limits_.answer)) == Waited::kReady;
}

ssize_t HttpStream::read(char* into, size_t size) {
    if (begin_ == end_) {
        if (read_bytes_ >= limits_.request_bytes || !wait_for_request()) return -1;
        const ssize_t got = ::recv(fd_, buffer_.data(), buffer_.size(), 0);
        if (got <= 0) return got;
        begin_ = 0;
        end_ = static_cast<std::size_t>(got);
        read_bytes_ += end_;
    }
    const std::size_t count = std::min(size, end_ - begin_);
    std::memcpy(into, buffer_.data() + begin_, count);
    begin_ += count;
    return static_cast<ssize_t>(count);
}

ssize_t HttpStream::write(const char* from, size_t size) {
    if (write_until_ == Instant::never()) write_until_ = clock_.now() + limits_.answer;
    for (;;) {
        const ssize_t sent = ::send(fd_, from, size, MSG_NOSIGNAL);
        if (sent >= 0) return sent;
        if (errno == EINTR) continue;
        if (errno != EAGAIN || wait(POLLOUT, write_until_) != Waited::kReady) return -1;
    }
}

void HttpStream::get_remote_ip_and_port(std::string& ip, int& port) const { name(::getpeername, fd_, ip, port); }
void HttpStream::get_local_ip_and_port(std::string& ip, int& port) const { name(::getsockname, fd_, ip, port); }

}  // namespace telpher::http
