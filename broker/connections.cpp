#include "broker/connections.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>

namespace telpher::broker {
namespace {

constexpr auto kKickAfter = std::chrono::milliseconds(50);
constexpr auto kLookEvery = std::chrono::milliseconds(500);
/// A look is a system call, and the shard must not stand still for thousands of them.
constexpr std::size_t kLooksAtATime = 64;
constexpr int kSuspiciousLooks = 4;  // two seconds
constexpr int kUnreadMax = 128 * 1024;
constexpr std::size_t kDepartedMax = 65'536;

/// What a connection may send before its HELLO was taken: the handshake and the largest HELLO are well below.
constexpr std::uint64_t kStrangerBytesMax = 128 * 1024;

/// Bytes that came in on a tcp connection; 0 for others, where the kernel does not count.
std::uint64_t received_bytes(int fd) {
    tcp_info info{};
    socklen_t size = sizeof info;
    return ::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_bytes_received : 0;
}

/// Peers are named by a 32-bit counter that wraps.
bool is_newer(PeerId peer, PeerId than) { return static_cast<std::int32_t>(peer.value() - than.value()) > 0; }

}  // namespace

void Connections::limit(std::size_t connections_max, Duration hello_timeout) {
    limits_.connections_max = connections_max;
    limits_.hello_timeout = hello_timeout;
}

void Connections::accepted(int fd, Instant now) {
    Connection& connection = by_fd_[fd];
    if (connection.peer.value() != 0) forget_peer(connection.peer);  // its end was not told
    connection = Connection{.since = now, .peer = PeerId(), .user = {}};
    if (by_fd_.size() > limits_.connections_max) {
        const auto eldest = strangers_.evict(now);
        if (!eldest) return turn_away(fd, connection);
        turn_away_unfinished(*eldest);
    }
    const auto victim = strangers_.add(fd, address_of(fd), now);
    if (victim) turn_away_unfinished(*victim);
}

void Connections::turn_away_unfinished(int fd) {
    if (refusals_ != nullptr) refusals_->count(Refusal::kUnfinished, address_of(fd));
    turn_away(fd, by_fd_.at(fd));
}

/// As shut(), but on tcp the peer sees a reset: "no room", which is another thing than "I do not understand you".
void Connections::turn_away(int fd, Connection& connection) {
    int domain = AF_UNIX;
    socklen_t size = sizeof domain;
    const bool tcp = ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain != AF_UNIX;
    if (!tcp) return shut(fd, connection);
    const linger reset{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    mark_shut(fd, connection);
    ::shutdown(fd, SHUT_RD);  // libzmq sees the end, and closes: that is when the reset goes out
}

void Connections::disconnected(int fd) {
    const auto found = by_fd_.find(fd);
    if (found == by_fd_.end()) return;
    if (found->second.peer.value() != 0) forget_peer(found->second.peer);
    by_fd_.erase(found);
    strangers_.remove(fd);
}

void Connections::forget_peer(PeerId peer) {
    if (peers_.erase(peer) == 0) return;
    gone_.push_back(peer);
    departed_.insert(peer);
    departed_order_.push_back(peer);
    if (departed_order_.size() <= kDepartedMax) return;
    departed_.erase(departed_order_.front());
    departed_order_.pop_front();
}

bool Connections::heard(PeerId peer, int fd, std::uint64_t wire_bytes, std::string_view user) {
    if (departed_.contains(peer)) return false;
    const auto known = peers_.find(peer);
    if (known == peers_.end()) {
        const auto found = by_fd_.find(fd);
        if (found == by_fd_.end() || found->second.shut) return false;  // gone before we heard of it
        // One of two has the descriptor, the other had it before, and libzmq counts its peers up.
        if (const PeerId other = found->second.peer; other.value() != 0) {
            if (!is_newer(peer, other)) return false;
            unreachable(other);
        }
        found->second.peer = peer;
        found->second.user = user;
        found->second.heard_bytes += wire_bytes;
        peers_.emplace(peer, fd);
        return true;
    }
    Connection& connection = by_fd_.at(known->second);
    connection.heard_bytes += wire_bytes;
    if (connection.user != user) {  // another connection under this routing id
        if (refusals_ != nullptr) refusals_->count(Refusal::kOtherUser, user.empty() ? "somebody" : user);
        return false;
    }
    return !connection.going;
}

const std::string& Connections::user(PeerId peer) const {
    static const std::string nobody;
    const auto known = peers_.find(peer);
    return known == peers_.end() ? nobody : by_fd_.at(known->second).user;
}

void Connections::unreachable(PeerId peer) {
    const auto known = peers_.find(peer);
    if (known == peers_.end()) return;
    Connection& connection = by_fd_.at(known->second);
    connection = Connection{.since = connection.since, .peer = PeerId(), .user = {}};
    forget_peer(peer);
}

void Connections::welcome(PeerId peer) {
    const auto known = peers_.find(peer);
    if (known == peers_.end()) return;
    by_fd_.at(known->second).welcome = true;
    strangers_.remove(known->second);
}

void Connections::kick(PeerId peer, Instant now) {
    const auto known = peers_.find(peer);
    if (known == peers_.end()) return;
    Connection& connection = by_fd_.at(known->second);
    if (connection.going) return;
    connection.going = true;
    ++kicked_;
    leaving_.push_back({peer, now + kKickAfter});
}

bool Connections::next_gone(PeerId& peer) {
    if (gone_.empty()) return false;
    peer = gone_.front();
    gone_.pop_front();
    return true;
}

void Connections::shut(int fd, Connection& connection) {
    mark_shut(fd, connection);
    ::shutdown(fd, SHUT_RDWR);
}

void Connections::mark_shut(int fd, Connection& connection) {
    if (!connection.going) ++kicked_;
    connection.going = true;
    connection.shut = true;
    strangers_.remove(fd);
}

bool Connections::congested(PeerId peer) const {
    const auto found = peers_.find(peer);
    int unread = 0;
    return found != peers_.end() && ::ioctl(found->second, SIOCOUTQ, &unread) == 0 && unread > kUnreadMax;
}

bool Connections::next_leaving(Instant now, PeerId& peer) {
    if (leaving_.empty() || leaving_.front().at > now) return false;
    peer = leaving_.front().peer;
    leaving_.pop_front();
    return true;
}

void Connections::shut(PeerId peer) {
    const auto known = peers_.find(peer);
    if (known != peers_.end()) shut(known->second, by_fd_.at(known->second));
}

void Connections::tick(Instant now) {
    if (to_look_at_.empty()) {
        if (now < look_at_) return;
        look_at_ = now + kLookEvery;
        next_look_ = now;
        for (const auto& [fd, connection] : by_fd_) to_look_at_.push_back(fd);
        if (to_look_at_.empty()) return;
        look_pause_ = kLookEvery * kLooksAtATime / std::max(to_look_at_.size(), kLooksAtATime);
    }
    if (now < next_look_) return;
    next_look_ = now + look_pause_;
    for (std::size_t looks = 0; looks < kLooksAtATime && !to_look_at_.empty(); ++looks) {
        const auto found = by_fd_.find(to_look_at_.back());
        to_look_at_.pop_back();
        if (found != by_fd_.end()) look_at(found->first, found->second, now);
    }
}

void Connections::look_at(int fd, Connection& connection, Instant now) {
    if (connection.going) return;
    const bool late = connection.since + limits_.hello_timeout <= now;
    if (!connection.welcome ? late || received_bytes(fd) > kStrangerBytesMax : sends_unseen(fd, connection))
        shut(fd, connection);
}

bool Connections::sends_unseen(int fd, Connection& connection) const {
    const bool too_many = received_bytes(fd) > connection.heard_bytes + limits_.unseen_bytes_max;
    connection.suspicious = too_many ? connection.suspicious + 1 : 0;
    return connection.suspicious >= kSuspiciousLooks;
}

}  // namespace telpher::broker
