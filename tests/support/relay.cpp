#include "tests/support/relay.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "tests/support/socket_address.h"

namespace telpher::test {
namespace {

constexpr std::size_t kBufferBytes = 64 * 1024;
constexpr int kBacklog = 1'000;

int stream_socket(const SocketAddress& address, int more) {
    const int fd = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | more, 0);
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // fails on ipc, which has no delay
    return fd;
}

int listen_on(const std::string& endpoint) {
    const SocketAddress address = socket_address(endpoint);
    const int fd = stream_socket(address, SOCK_NONBLOCK);
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(fd, address.get(), address.bytes) != 0 || ::listen(fd, kBacklog) != 0) {
        throw std::runtime_error("relay on " + endpoint + ": " + std::strerror(errno));
    }
    return fd;
}

/// -1: nobody is there.
int connect_to(const std::string& endpoint) {
    const SocketAddress address = socket_address(endpoint);
    const int fd = stream_socket(address, 0);
    // Blocking: both ends are on this machine, so either somebody listens or nobody does.
    if (::connect(fd, address.get(), address.bytes) == 0) return fd;
    ::close(fd);
    return -1;
}

}  // namespace

/// One end of a link, and what came from it and is not passed on yet.
struct Relay::Side {
    explicit Side(int descriptor) : fd(descriptor) {}
    Side(const Side&) = delete;
    Side& operator=(const Side&) = delete;
    ~Side() { ::close(fd); }
    const int fd;
    std::string waiting;
    bool ended = false;
};

struct Relay::Link {
    Link(int client_fd, int broker_fd, std::uint64_t bytes) : client(client_fd), broker(broker_fd), left(bytes) {}
    Side client, broker;
    std::uint64_t left;  ///< Bytes until the cut.
};

Relay::Relay(std::string endpoint, std::string target, std::uint64_t seed)
    : endpoint_(std::move(endpoint)),
      target_(std::move(target)),
      listener_(listen_on(endpoint_)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      random_(seed),
      thread_([this] { run(); }) {}

Relay::~Relay() {
    stop_ = true;
    ::eventfd_write(wake_, 1);
    thread_.join();
    links_.clear();
    ::close(listener_);
    ::close(wake_);
}

void Relay::cut_all() {
    cut_all_ = true;
    ::eventfd_write(wake_, 1);
}

void Relay::accept_one() {
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return;
    const int broker = connect_to(target_);
    if (broker < 0) {
        ::close(client);
        return;
    }
    ++connections_;
    const std::uint64_t within = cut_within_;
    links_.emplace_back(client, broker, within == 0 ? UINT64_MAX : 1 + random_.below(within));
}

void Relay::cut(Link& link) {
    ++cuts_;
    if (random_.below(2) == 0) return;
    const linger now{1, 0};
    for (const int fd : {link.client.fd, link.broker.fd}) ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

/// Moves what there is; false once the link is over.
bool Relay::pass(Side& from, Side& to, Link& link) {
    if (from.waiting.empty() && !from.ended) {
        std::array<char, kBufferBytes> buffer;  // NOLINT: filled by recv
        const ssize_t got = ::recv(from.fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (got > 0) from.waiting.assign(buffer.data(), static_cast<std::size_t>(got));
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) from.ended = true;
    }
    const std::size_t now = std::min<std::uint64_t>(from.waiting.size(), link.left);
    if (now > 0) {
        const ssize_t sent = ::send(to.fd, from.waiting.data(), now, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
        if (sent > 0) {
            from.waiting.erase(0, static_cast<std::size_t>(sent));
            link.left -= static_cast<std::uint64_t>(sent);
        }
    }
    if (link.left == 0) cut(link);
    return link.left > 0 && !(from.ended && from.waiting.empty());
}

void Relay::run() {
    while (!stop_) {
        std::vector<pollfd> waits{{wake_, POLLIN, 0}, {listener_, POLLIN, 0}};
        for (const Link& link : links_) {
            const auto events = [](const Side& in, const Side& out) {
                return static_cast<short>((in.waiting.empty() ? POLLIN : 0) | (out.waiting.empty() ? 0 : POLLOUT));
            };
            waits.push_back({link.client.fd, events(link.client, link.broker), 0});
            waits.push_back({link.broker.fd, events(link.broker, link.client), 0});
        }
        ::poll(waits.data(), waits.size(), -1);
        eventfd_t woken = 0;
        ::eventfd_read(wake_, &woken);
        if (cut_all_.exchange(false)) {
            for (Link& link : links_) cut(link);
            links_.clear();
        }
        links_.remove_if([this](Link& link) {
            return !pass(link.client, link.broker, link) || !pass(link.broker, link.client, link);
        });
        if (waits[1].revents != 0) accept_one();
    }
}

}  // namespace telpher::test
