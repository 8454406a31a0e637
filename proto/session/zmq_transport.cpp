#include "proto/session/zmq_transport.h"

#include <zmq.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "proto/base/bytes.h"
#include "proto/limits.h"
#include "proto/session/zmq_message.h"

namespace telpher::session {
namespace {

constexpr int kZeroCopyReceive = 10;  ///< ZMQ_ZERO_COPY_RECV: in libzmq, but not in its stable header.
constexpr int kConnectTimeoutMs = 5'000;
constexpr int kHandshakeMs = 5'000;
constexpr int kTcpUnackedMs = 20'000;
constexpr int kMonitorEvents = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED |
                               ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                               ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;

std::string last_error() { return zmq_strerror(zmq_errno()); }

bool set(void* socket, int option, int value) { return zmq_setsockopt(socket, option, &value, sizeof value) == 0; }

int get(void* socket, int option) {
    int value = 0;
    std::size_t size = sizeof value;
    return zmq_getsockopt(socket, option, &value, &size) == 0 ? value : 0;
}

/// No queue for an absent broker, no reconnect, no stopping of input, no lingering; a dead link shows within 20 s.
bool configure(void* socket) {
    const std::int64_t frame_bytes = static_cast<std::int64_t>(limits::kMessageBytesMax + limits::kWireSlackBytes);
    return set(socket, ZMQ_RECONNECT_IVL, -1) && set(socket, ZMQ_IMMEDIATE, 1) && set(socket, ZMQ_LINGER, 0) &&
           set(socket, ZMQ_RCVHWM, 0) && set(socket, ZMQ_SNDHWM, 0) &&
           set(socket, ZMQ_CONNECT_TIMEOUT, kConnectTimeoutMs) && set(socket, ZMQ_HANDSHAKE_IVL, kHandshakeMs) &&
           set(socket, ZMQ_TCP_KEEPALIVE, 1) && set(socket, ZMQ_TCP_KEEPALIVE_IDLE, 30) &&
           set(socket, ZMQ_TCP_KEEPALIVE_INTVL, 10) && set(socket, ZMQ_TCP_KEEPALIVE_CNT, 3) &&
           set(socket, ZMQ_TCP_MAXRT, kTcpUnackedMs) && set(socket, ZMQ_IPV6, 1) &&
           zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &frame_bytes, sizeof frame_bytes) == 0;
}

bool set_keys(void* socket, const security::KeyFile& keys) {
    const auto set_key = [socket](int option, const std::string& key) {
        return zmq_setsockopt(socket, option, key.c_str(), key.size() + 1) == 0;
    };
    return set_key(ZMQ_CURVE_SERVERKEY, keys.server_public) && set_key(ZMQ_CURVE_PUBLICKEY, keys.pair.public_key) &&
           set_key(ZMQ_CURVE_SECRETKEY, keys.pair.secret_key);
}

/// A message that closes itself.
class Message {
public:
    Message() { zmq_msg_init(&message_); }
    ~Message() { zmq_msg_close(&message_); }
    Message(const Message&) = delete;
    Message& operator=(const Message&) = delete;

    /// False: nothing there (or the context is going down, which the owner of the context knows).
    bool receive(void* socket) {
        int received = 0;
        do received = zmq_msg_recv(&message_, socket, ZMQ_DONTWAIT);
        while (received < 0 && zmq_errno() == EINTR);
        return received >= 0;
    }
    [[nodiscard]] bool more() { return zmq_msg_more(&message_) != 0; }
    [[nodiscard]] std::string_view text() {
        return {static_cast<const char*>(zmq_msg_data(&message_)), zmq_msg_size(&message_)};
    }
    zmq_msg_t& raw() { return message_; }

private:
    zmq_msg_t message_;
};

class ZmqTransport final : public Transport {
public:
    ZmqTransport(void* socket, void* monitor, bool has_keys, bool is_tcp)
        : socket_(socket),
          monitor_(monitor),
          has_keys_(has_keys),
          is_tcp_(is_tcp),
          message_fd_(get(socket, ZMQ_FD)),
          news_fd_(get(monitor, ZMQ_FD)) {}
    ~ZmqTransport() override {
        zmq_socket_monitor(socket_, nullptr, 0);
        zmq_close(monitor_);
        zmq_close(socket_);
    }

    bool send(std::string_view header, std::span<const Slice> bodies) override {
        drained_ = false;  // libzmq may take in what would have raised the descriptor
        zmq_msg_t message;
        if (zmq_msg_init_size(&message, header.size()) != 0) return false;
        std::memcpy(zmq_msg_data(&message), header.data(), header.size());
        if (!send_frame(message, !bodies.empty())) return false;
        for (std::size_t i = 0; i < bodies.size(); ++i) {
            give_body(message, bodies[i]);
            if (!send_frame(message, i + 1 < bodies.size())) return false;
        }
        return true;
    }

    Result<bool> receive(Received& received) override {
        Message header;
        if (!header.receive(socket_)) {
            drained_ = true;
            return false;
        }
        drained_ = false;
        received.header.assign(header.text());
        received.body_count = 0;
        bool more = header.more();
        while (more) {
            Message body;
            if (received.body_count == received.bodies.size()) return fail(Code::kProtocol, "too many frames");
            if (!body.receive(socket_))
                return fail(Code::kProtocol, "half a message");  // libzmq hands over whole ones.
            more = body.more();
            received.bodies[received.body_count++] = take_body(body.raw());
        }
        return true;
    }

    std::optional<TransportNews> news() override {
        Message event;
        if (!event.receive(monitor_)) return std::nullopt;
        std::uint16_t kind = 0;
        std::uint32_t value = 0;
        if (event.text().size() == sizeof kind + sizeof value) {
            std::memcpy(&kind, event.text().data(), sizeof kind);
            std::memcpy(&value, event.text().data() + sizeof kind, sizeof value);
        }
        if (event.more()) Message().receive(monitor_);  // The address, which we know.
        return translate(kind, value);
    }

    [[nodiscard]] int message_fd() const override { return message_fd_; }
    [[nodiscard]] int news_fd() const override { return news_fd_; }
    [[nodiscard]] bool readable() override {
        if (!drained_) drained_ = (get(socket_, ZMQ_EVENTS) & ZMQ_POLLIN) == 0;
        return !drained_;
    }

private:
    bool send_frame(zmq_msg_t& message, bool more) {
        int sent = 0;
        do sent = zmq_msg_send(&message, socket_, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0));
        while (sent < 0 && zmq_errno() == EINTR);
        if (sent >= 0) return true;
        zmq_msg_close(&message);
        return false;
    }

    [[nodiscard]] TransportNews translate(std::uint16_t kind, std::uint32_t value) const {
        switch (kind) {
            case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
                return {.up = true};
            case ZMQ_EVENT_DISCONNECTED:
                return {.reason = "the connection was closed"};
            case ZMQ_EVENT_CLOSED:
                return {.reason = "nobody listens there"};
            case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
                if (value >= 500) return {.reason = "the broker cannot tell whether it knows this key"};
                return {.reason = has_keys_ ? "the broker does not know the key of this user"
                                            : "the broker does not let us in without a key",
                        .code = Code::kAuth};
            case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
                // A broker that has no room resets the connection; who does not understand the other closes it.
                if (value == ECONNRESET)
                    return {.reason = "the broker has no room for another connection", .reset = true};
                return cut_short();
            case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
                if (value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH) {
                    return {.reason = mismatch(), .code = Code::kAuth};
                }
                [[fallthrough]];
            default:
                return {.reason = "the other side does not speak this protocol"};
        }
    }
    [[nodiscard]] TransportNews cut_short() const {
        std::string reason = "the connection was closed during the handshake";
        if (has_keys_) {
            reason += ": is the server's public key in the key file that of this broker?";
        } else if (is_tcp_) {
            reason += ": does the broker want a key at this address (--key-file or TELPHER_KEY_FILE)?";
        }
        return {.reason = std::move(reason), .maybe_keys = has_keys_ || is_tcp_};
    }
    [[nodiscard]] std::string mismatch() const {
        return has_keys_ ? "the broker uses no keys at this address, but there is a key file: leave it out"
                         : "the broker wants a key at this address: --key-file or TELPHER_KEY_FILE";
    }

    void* socket_;
    void* monitor_;
    bool has_keys_;
    bool is_tcp_;
    int message_fd_;
    int news_fd_;
    bool drained_ = false;  ///< Was found empty, and nothing was sent since: message_fd_ tells of the next.
};

class ZmqTransports final : public TransportFactory {
public:
    explicit ZmqTransports(std::optional<security::KeyFile> keys) : keys_(std::move(keys)) {}
    ~ZmqTransports() override {
        if (context_ != nullptr) zmq_ctx_term(context_);
    }

    Result<std::unique_ptr<Transport>> connect(const std::string& endpoint) override {
        if (context_ == nullptr) {
            context_ = zmq_ctx_new();
            if (context_ == nullptr) return fail(Code::kIo, "zmq_ctx_new: " + last_error());
            // Large frames in a buffer of their own; where this is refused the only loss is a copy.
            zmq_ctx_set(context_, kZeroCopyReceive, 0);
        }
        void* socket = zmq_socket(context_, ZMQ_DEALER);
        if (socket == nullptr) return fail(Code::kIo, "zmq_socket: " + last_error());
        const std::string events = "inproc://monitor-" + std::to_string(++connections_);
        if (!configure(socket) || (keys_ && !set_keys(socket, *keys_)) ||
            zmq_socket_monitor(socket, events.c_str(), kMonitorEvents) != 0) {
            const std::string error = last_error();
            zmq_close(socket);
            return fail(Code::kIo, "socket options: " + error);
        }
        void* monitor = zmq_socket(context_, ZMQ_PAIR);
        // A fresh pipe raises its descriptor only once somebody has found it empty: else the first event, say a refused
        // connection, wakes nobody.
        const auto listen = [&] { return zmq_connect(monitor, events.c_str()) == 0 && !Message().receive(monitor); };
        if (monitor == nullptr || !set(monitor, ZMQ_RCVHWM, 0) || !set(monitor, ZMQ_LINGER, 0) || !listen() ||
            zmq_connect(socket, endpoint.c_str()) != 0) {
            const std::string error = last_error();
            zmq_socket_monitor(socket, nullptr, 0);
            if (monitor != nullptr) zmq_close(monitor);
            zmq_close(socket);
            return fail(Code::kUsage, endpoint + ": " + error);
        }
        return std::make_unique<ZmqTransport>(socket, monitor, keys_.has_value(), endpoint.starts_with("tcp://"));
    }

private:
    const std::optional<security::KeyFile> keys_;
    void* context_ = nullptr;
    std::uint64_t connections_ = 0;
};

}  // namespace

std::unique_ptr<TransportFactory> make_zmq_transports(std::optional<security::KeyFile> keys) {
    return std::make_unique<ZmqTransports>(std::move(keys));
}

bool legal_endpoint(const std::string& endpoint) {
    if (endpoint.starts_with("ipc:///")) return endpoint.size() > std::strlen("ipc:///");
    if (!endpoint.starts_with("tcp://")) return false;
    const auto colon = endpoint.rfind(':');
    const std::string port = endpoint.substr(colon + 1);
    return colon > std::strlen("tcp://") && !port.empty() && port.size() <= 5 &&
           port.find_first_not_of("0123456789") == std::string::npos && std::stoi(port) > 0 && std::stoi(port) <= 65535;
}

}  // namespace telpher::session
