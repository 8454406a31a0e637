#include "tests/support/zmtp_peer.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "tests/support/socket_address.h"

namespace telpher::test {
namespace {

constexpr std::uint8_t kMore = 0x01;
constexpr std::uint8_t kLong = 0x02;
constexpr std::uint8_t kCommand = 0x04;
constexpr std::size_t kGreetingBytes = 64;
constexpr std::size_t kShortBytesMax = 255;

[[noreturn]] void throw_errno(const std::string& what) { throw std::runtime_error(what + ": " + std::strerror(errno)); }

template <class Number>
void append_be(std::string& to, Number value) {
    for (int shift = static_cast<int>(sizeof value - 1) * 8; shift >= 0; shift -= 8) {
        to.push_back(static_cast<char>(value >> shift));
    }
}

bool wait_for(int fd, short events, const Deadline& deadline) {
    pollfd wait{fd, events, 0};
    int ready = 0;
    do {
        ready = ::poll(&wait, 1, deadline.left_ms());
    } while (ready < 0 && errno == EINTR);
    return ready > 0;
}

}  // namespace

ZmtpPeer::ZmtpPeer(const std::string& endpoint, Duration limit) {
    const Deadline deadline(limit);
    const SocketAddress address = socket_address(endpoint);
    fd_ = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd_ < 0) throw_errno("socket");
    while (::connect(fd_, address.get(), address.bytes) != 0) {
        if (errno == EISCONN) break;
        const bool wait = errno == EINPROGRESS || errno == EALREADY || errno == EAGAIN || errno == EINTR;
        if (wait && errno == EAGAIN) pass_time(1ms);  // a unix socket whose queue of connections is full
        if (wait && errno != EAGAIN) wait_for(fd_, POLLOUT, deadline);
        if (!wait || deadline.passed()) {
            const int error = errno;
            close();
            errno = error;
            throw_errno("connect " + endpoint);
        }
    }
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // fails on ipc, which has no delay
}

ZmtpPeer::ZmtpPeer(ZmtpPeer&& other) noexcept { *this = std::move(other); }

ZmtpPeer& ZmtpPeer::operator=(ZmtpPeer&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(eof_, other.eof_);
    std::swap(received_, other.received_);
    std::swap(taken_, other.taken_);
    return *this;
}

ZmtpPeer::~ZmtpPeer() { close(); }

void ZmtpPeer::close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
}

void ZmtpPeer::reset() {
    const linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
}

bool ZmtpPeer::send_raw(std::string_view bytes, Duration limit) {
    const Deadline deadline(limit);
    while (!bytes.empty()) {
        const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        } else if (errno == EAGAIN) {
            if (!wait_for(fd_, POLLOUT, deadline)) return false;
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

/// Reads what is there, waiting for something; false at the end of the connection or of the time.
bool ZmtpPeer::fill(const Deadline& deadline) {
    if (taken_ > 0 && taken_ == received_.size()) {
        received_.clear();
        taken_ = 0;
    }
    while (!eof_) {
        std::array<char, 64 * 1024> buffer;  // NOLINT: filled by recv
        const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), 0);
        if (got > 0) {
            received_.append(buffer.data(), static_cast<std::size_t>(got));
            return true;
        }
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN) {
            if (!wait_for(fd_, POLLIN, deadline)) return false;
            continue;
        }
        eof_ = true;  // orderly, or by a reset
    }
    return false;
}

std::optional<std::string> ZmtpPeer::receive_raw(std::size_t count, Duration limit) {
    const Deadline deadline(limit);
    while (received_.size() - taken_ < count) {
        if (!fill(deadline)) return std::nullopt;
    }
    std::string bytes = received_.substr(taken_, count);
    taken_ += count;
    return bytes;
}

bool ZmtpPeer::handshake(const Properties& properties, Duration limit) {
    const Deadline deadline(limit);
    if (!send_raw(greeting() + ready(properties), deadline.left())) return false;
    const auto theirs = receive_raw(kGreetingBytes, deadline.left());
    if (!theirs) return false;
    const auto command = receive_frame(deadline.left());
    return command && command->command && command->body.starts_with("\5READY");
}

bool ZmtpPeer::send(const std::vector<std::string_view>& frames, Duration limit) {
    std::string bytes;
    for (std::size_t i = 0; i < frames.size(); ++i) bytes += frame(frames[i], i + 1 < frames.size());
    return send_raw(bytes, limit);
}

bool ZmtpPeer::ping(std::string_view context, std::uint16_t ttl_ds) {
    std::string body("\4PING");
    append_be(body, ttl_ds);
    body += context;
    return send_raw(frame(body, false, true));
}

std::optional<ZmtpPeer::Frame> ZmtpPeer::receive_frame(Duration limit) {
    const Deadline deadline(limit);
    const auto flags = receive_raw(1, deadline.left());
    if (!flags) return std::nullopt;
    const auto bits = static_cast<std::uint8_t>((*flags)[0]);
    const auto size = receive_raw((bits & kLong) != 0 ? 8 : 1, deadline.left());
    if (!size) return std::nullopt;
    std::uint64_t bytes = 0;
    for (const char digit : *size) bytes = bytes << 8 | static_cast<std::uint8_t>(digit);
    auto body = receive_raw(bytes, deadline.left());
    if (!body) return std::nullopt;
    return Frame{std::move(*body), (bits & kMore) != 0, (bits & kCommand) != 0};
}

std::optional<std::vector<std::string>> ZmtpPeer::receive(Duration limit) {
    const Deadline deadline(limit);
    std::vector<std::string> message;
    for (;;) {
        auto next = receive_frame(deadline.left());
        if (!next) return std::nullopt;
        if (next->command) continue;
        message.push_back(std::move(next->body));
        if (!next->more) return message;
    }
}

ZmtpPeer::Flood ZmtpPeer::endless_message(std::size_t frame_bytes, std::uint64_t bytes_per_second, Duration limit) {
    const std::string piece = frame(std::string(frame_bytes, 'x'), true);
    const Stopwatch watch;
    Flood flood;
    while (watch.elapsed() < limit) {
        const auto allowed = static_cast<std::uint64_t>(watch.seconds() * static_cast<double>(bytes_per_second));
        if (flood.bytes > allowed) {
            pass_time(1ms);
            continue;
        }
        if (!send_raw(piece, limit - watch.elapsed())) {
            // Out of time with a full socket is not closed: ask the socket.
            flood.closed = watch.elapsed() < limit || wait_closed(0s);
            break;
        }
        flood.bytes += piece.size();
    }
    flood.time = watch.elapsed();
    return flood;
}

bool ZmtpPeer::wait_closed(Duration limit) {
    const Deadline deadline(limit);
    do {
        received_.clear();
        taken_ = 0;
        fill(deadline);
    } while (!eof_ && !deadline.passed());
    return eof_;
}

std::string ZmtpPeer::greeting(std::uint8_t minor) {
    std::string bytes("\xff\0\0\0\0\0\0\0\0\x7f\3", 11);
    bytes.push_back(static_cast<char>(minor));
    bytes += "NULL";
    bytes.resize(kGreetingBytes, '\0');
    return bytes;
}

std::string ZmtpPeer::greeting_v2(std::string_view identity) {
    constexpr char kRevision = 1;
    constexpr char kDealer = 5;
    std::string bytes("\xff\0\0\0\0\0\0\0\1\x7f", 10);
    bytes.push_back(kRevision);
    bytes.push_back(kDealer);
    return bytes + frame(identity);
}

std::string ZmtpPeer::frame(std::string_view body, bool more, bool command) {
    const bool large = body.size() > kShortBytesMax;
    std::string bytes;
    bytes.reserve(body.size() + 9);
    bytes.push_back(static_cast<char>((more ? kMore : 0) | (large ? kLong : 0) | (command ? kCommand : 0)));
    if (large) {
        append_be(bytes, static_cast<std::uint64_t>(body.size()));
    } else {
        bytes.push_back(static_cast<char>(body.size()));
    }
    return bytes.append(body);
}

std::string ZmtpPeer::ready(const Properties& properties) {
    std::string body("\5READY");
    for (const auto& [name, value] : properties) {
        body.push_back(static_cast<char>(name.size()));
        body += name;
        append_be(body, static_cast<std::uint32_t>(value.size()));
        body += value;
    }
    return frame(body, false, true);
}

}  // namespace telpher::test
