#include "broker/router.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "broker/zmq_frames.h"
#include "proto/base/check.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "proto/session/zmq_message.h"

namespace telpher::broker {
namespace {

constexpr const char* kMonitorAddress = "inproc://telpher.router.monitor";
constexpr int kMonitorEvents = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED |
                               ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                               ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;

void set(void* socket, int option, int value) {
    TELPHER_CHECK_MSG(zmq_setsockopt(socket, option, &value, sizeof value) == 0, zmq_strerror(errno));
}

void set_options(void* socket, std::size_t body_bytes_max) {
    set(socket, ZMQ_ROUTER_MANDATORY, 1);
    set(socket, ZMQ_RCVHWM, 0);
    set(socket, ZMQ_SNDHWM, limits::kSendHwm);
    set(socket, ZMQ_LINGER, 0);
    set(socket, ZMQ_HANDSHAKE_IVL, 5000);
    set(socket, ZMQ_BACKLOG, 1024);
    set(socket, ZMQ_TCP_KEEPALIVE, 1);
    set(socket, ZMQ_TCP_KEEPALIVE_IDLE, 30);
    set(socket, ZMQ_TCP_KEEPALIVE_INTVL, 10);
    set(socket, ZMQ_TCP_KEEPALIVE_CNT, 3);
    set(socket, ZMQ_TCP_MAXRT, 20'000);
    set(socket, ZMQ_IPV6, 1);
    const auto size = static_cast<std::int64_t>(body_bytes_max + limits::kControlHeaderBytes + limits::kWireSlackBytes);
    TELPHER_CHECK(zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &size, sizeof size) == 0);
    // With a ZAP handler libzmq refuses ZMTP 1 and 2 peers and drops properties a peer made up.
    TELPHER_CHECK(zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, "telpher", 7) == 0);
}

/// What counts from the next bind on: libzmq keeps security options per endpoint.
void set_mechanism(void* socket, const std::string& endpoint, const std::string& server_secret) {
    const bool curve = !server_secret.empty() && !endpoint.starts_with("ipc://");
    if (curve) {
        TELPHER_CHECK_MSG(
            zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, server_secret.c_str(), server_secret.size() + 1) == 0,
            zmq_strerror(errno));
    }
    set(socket, ZMQ_CURVE_SERVER, curve ? 1 : 0);
}

/// Somebody listens on the socket of this path. libzmq would take it away from them without a word.
bool somebody_listens(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return false;
    std::memcpy(address.sun_path, path.data(), path.size());
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    const int connected = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    const bool listens = connected == 0 || errno == EAGAIN;
    ::close(fd);
    return listens;
}

Result<std::string> bind_one(void* socket, const std::string& endpoint) {
    if (endpoint.starts_with("ipc://") && somebody_listens(endpoint.substr(6)))
        return fail(Code::kAddressInUse, "cannot listen on " + endpoint + ": another process does");
    if (zmq_bind(socket, endpoint.c_str()) != 0) {
        const Code code = errno == EADDRINUSE ? Code::kAddressInUse : Code::kIo;
        return fail(code, "cannot listen on " + endpoint + ": " + zmq_strerror(errno));
    }
    std::array<char, 512> bound{};
    std::size_t size = bound.size();
    TELPHER_CHECK(zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, bound.data(), &size) == 0);
    if (endpoint.starts_with("ipc://")) ::chmod(endpoint.c_str() + 6, 0660);
    return std::string(bound.data());
}

/// Why a handshake failed; nothing if the ZAP handler refused it, which has counted it already.
std::optional<Refusal> refusal_of(std::uint16_t event, int value) {
    if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) return std::nullopt;
    if (event != ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL) return Refusal::kHandshake;
    if (value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH) return Refusal::kMechanism;
    if (value == ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC) return Refusal::kServerKey;
    return Refusal::kHandshake;
}

void* open_monitor(void* context, void* socket) {
    TELPHER_CHECK_MSG(zmq_socket_monitor(socket, kMonitorAddress, kMonitorEvents) == 0, zmq_strerror(errno));
    void* monitor = zmq_socket(context, ZMQ_PAIR);
    TELPHER_CHECK_MSG(monitor != nullptr, zmq_strerror(errno));
    set(monitor, ZMQ_RCVHWM, 0);
    set(monitor, ZMQ_LINGER, 0);
    TELPHER_CHECK_MSG(zmq_connect(monitor, kMonitorAddress) == 0, zmq_strerror(errno));
    return monitor;
}

/// A frame with ZMTP's own header.
std::uint64_t wire_size(std::size_t frame_bytes) { return frame_bytes + (frame_bytes < 256 ? 2 : 9); }

PeerId peer_of(Bytes routing_id) {
    return PeerId(std::uint64_t{load_le<std::uint32_t>(routing_id.data() + 1)} + 1);  // 0 means nobody
}

std::string routing_id(PeerId peer) {
    std::string id(limits::kRoutingIdBytes, '\0');
    const auto number = static_cast<std::uint32_t>(peer.value() - 1);
    std::memcpy(id.data() + 1, &number, sizeof number);
    return id;
}

void send_body(void* socket, const Slice& body, bool more) {
    zmq_msg_t message;
    session::give_body(message, body);
    if (zmq_msg_send(&message, socket, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)) < 0) zmq_msg_close(&message);
}

}  // namespace

Result<std::unique_ptr<Router>> Router::make(void* context, const RouterSettings& settings) {
    void* socket = zmq_socket(context, ZMQ_ROUTER);
    if (socket == nullptr) return fail(Code::kIo, std::string("zmq_socket: ") + zmq_strerror(errno));
    set_options(socket, settings.body_bytes_max);
    return std::unique_ptr<Router>(new Router(socket, open_monitor(context, socket), settings));
}

Result<void> Router::listen(const std::vector<std::string>& endpoints) {
    for (const std::string& endpoint : endpoints) {
        set_mechanism(socket_, endpoint, server_secret_);
        auto bound = bind_one(socket_, endpoint);
        if (!bound) return fail(bound.error());
        endpoints_.push_back(std::move(*bound));
    }
    return {};
}

Router::Router(void* socket, void* monitor, const RouterSettings& settings)
    : socket_(socket),
      monitor_(monitor),
      server_secret_(settings.server_secret),
      refusals_(settings.refusals),
      connections_(settings.connections, settings.refusals) {}

Router::~Router() {
    zmq_socket_monitor(socket_, nullptr, 0);  // before its PAIR goes, or an IO thread may block on it
    zmq_close(monitor_);
    zmq_close(socket_);
}

void Router::tick(Instant now) {
    now_ = now;
    if (!std::exchange(silent_, false)) drain_monitor();
    connections_.tick(now);
    // By now libzmq knows of a peer that left by itself, and whose descriptor may be another's: the answer to nothing
    // finds out.
    PeerId peer;
    while (connections_.next_leaving(now, peer)) {
        if (send(peer, frame::encode(v1::OP_PONG, v1::Pong()), {}) != Sent::kGone) connections_.shut(peer);
    }
}

void Router::drain_monitor() {
    ZmqFrame frame;
    while (frame.receive(monitor_)) {
        const Bytes told = frame.bytes();
        TELPHER_CHECK(told.size() >= 6);
        std::uint16_t event = 0;
        std::int32_t value = 0;
        std::memcpy(&event, told.data(), sizeof event);
        std::memcpy(&value, told.data() + 2, sizeof value);
        while (frame.more() && frame.receive(monitor_)) {
        }
        if (event == ZMQ_EVENT_ACCEPTED) {
            connections_.accepted(value, now_);
        } else if (event == ZMQ_EVENT_DISCONNECTED || event == ZMQ_EVENT_CLOSED) {
            note_failed_handshake(value);
            connections_.disconnected(value);
        } else {
            failed_handshake_ = refusal_of(event, value);
        }
    }
}

/// The end of a connection (not yet closed) that follows the word of its failed handshake. Whom we threw out ourselves
/// is no stranger any more.
void Router::note_failed_handshake(int fd) {
    const auto reason = std::exchange(failed_handshake_, std::nullopt);
    const std::string* address = connections_.stranger(fd);
    if (reason && address != nullptr && refusals_ != nullptr) refusals_->count(*reason, *address);
}

bool Router::receive(Incoming& into) {
    for (;;) {
        into.body_count = 0;
        ZmqFrame id;
        if (!id.receive(socket_)) {
            drained_ = true;
            return false;
        }
        drained_ = false;
        const bool whole = take_message(id, into, sender_);
        const PeerId peer = sender_.peer;
        figures_.bytes_in += sender_.wire_bytes;
        if (peer.value() == 0) {  // a routing id that libzmq did not make: its connection goes
            if (sender_.fd >= 0 && refuse(strange_id_, "a routing id of its own")) ::shutdown(sender_.fd, SHUT_RDWR);
            continue;
        }
        if (!connections_.knows(peer)) drain_monitor();
        if (!connections_.heard(peer, sender_.fd, sender_.wire_bytes, sender_.user)) continue;
        if (!whole) {
            if (refuse(routing_id(peer), "too many frames, or none"))
                connections_.kick(peer, now_);
            else
                connections_.unreachable(peer);
            continue;
        }
        into.peer = peer;
        return true;
    }
}

bool Router::readable() {
    int events = 0;
    std::size_t size = sizeof events;
    return zmq_getsockopt(socket_, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN) != 0;
}

// Reads what follows the routing id to the end of the message. False: too many frames or none. The peer is 0 for an id
// that is not libzmq's own. The frames of a message are there together, so none of them is waited for.
bool Router::take_message(ZmqFrame& frame, Incoming& into, Sender& sender) {
    const bool good_id = frame.bytes().size() == limits::kRoutingIdBytes && frame.bytes()[0] == std::byte{0};
    sender.peer = good_id ? peer_of(frame.bytes()) : PeerId();
    sender.fd = -1;
    sender.wire_bytes = 0;
    sender.user.clear();
    if (!good_id) strange_id_ = as_text(frame.bytes());
    std::size_t count = 0;
    while (frame.more() && frame.receive(socket_)) {
        const std::size_t size = frame.bytes().size();
        sender.wire_bytes += wire_size(size);
        if (count == 0) {
            sender.fd = frame.source_fd();
            sender.user = frame.user();
            into.header = Slice::copy(frame.bytes().first(std::min(size, limits::kControlHeaderBytes + 1)));
        } else if (count <= into.bodies.size()) {
            into.bodies[count - 1] = frame.take();
            into.body_count = count;
        }
        ++count;
    }
    return count >= 1 && count <= 1 + into.bodies.size();
}

// Tells a peer that breaks the framing why it goes. False: it has gone already, and its descriptor may be another's.
bool Router::refuse(std::string_view id, const char* why) {
    ++figures_.refused;
    readable();
    if (zmq_send(socket_, id.data(), id.size(), ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0) return false;
    v1::Error error;
    error.set_code(static_cast<std::uint32_t>(Code::kProtocol));
    error.set_detail(why);
    const std::string header = frame::encode(v1::OP_ERROR, error);
    zmq_send(socket_, header.data(), header.size(), ZMQ_DONTWAIT);
    return true;
}

Sent Router::send(PeerId peer, std::string_view header, std::span<const Slice> bodies) {
    drained_ = false;  // libzmq may take in what would have raised the descriptor
    const std::string id = routing_id(peer);
    for (int attempt = 0;; ++attempt) {
        if (zmq_send(socket_, id.data(), id.size(), ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0) break;
        if (errno == EHOSTUNREACH) {
            connections_.unreachable(peer);
            return Sent::kGone;
        }
        if (errno == EINTR) continue;
        TELPHER_CHECK_MSG(errno == EAGAIN, zmq_strerror(errno));
        if (attempt > 0) return Sent::kFull;
        readable();  // lets libzmq take in what the peer has read meanwhile
    }
    const int more = bodies.empty() ? 0 : ZMQ_SNDMORE;
    zmq_send(socket_, header.data(), header.size(), more | ZMQ_DONTWAIT);
    figures_.bytes_out += wire_size(header.size());
    for (std::size_t i = 0; i < bodies.size(); ++i) {
        figures_.bytes_out += wire_size(bodies[i].size());
        send_body(socket_, bodies[i], i + 1 < bodies.size());
    }
    return Sent::kSent;
}

bool Router::wait(int wake_fd, int timeout_ms, bool frames) {
    if (!frames) {
        std::array<pollfd, 1> polled{pollfd{wake_fd, POLLIN, 0}};
        return poll_.wait(polled, std::chrono::milliseconds(timeout_ms)) > 0;
    }
    // A descriptor of libzmq only tells of what came after its socket was found empty.
    if (!drained_ && readable()) return false;
    int socket_fd = -1;
    int monitor_fd = -1;
    std::size_t size = sizeof socket_fd;
    zmq_getsockopt(socket_, ZMQ_FD, &socket_fd, &size);
    size = sizeof monitor_fd;
    zmq_getsockopt(monitor_, ZMQ_FD, &monitor_fd, &size);
    std::array<pollfd, 3> polled{pollfd{socket_fd, POLLIN, 0}, pollfd{monitor_fd, POLLIN, 0},
                                 pollfd{wake_fd, POLLIN, 0}};
    const int ready = poll_.wait(polled, std::chrono::milliseconds(timeout_ms));
    silent_ = ready > 0 && polled[1].revents == 0;
    return ready > 0 && polled[2].revents != 0;
}

}  // namespace telpher::broker
