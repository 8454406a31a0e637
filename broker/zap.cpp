#include "broker/zap.h"

#include <zmq.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

#include "broker/strangers.h"

namespace telpher::broker {
namespace {

constexpr int kLookMs = 100;  // how long a stop may take

// What a request is made of, one frame each; then the credentials: of CURVE the client's key.
enum Frame : std::size_t { kVersion, kRequest, kDomain, kAddress, kIdentity, kMechanism, kCredentials };

bool receive_all(void* socket, std::vector<std::string>& frames) {
    frames.clear();
    for (;;) {
        zmq_msg_t message;
        zmq_msg_init(&message);
        const int got = zmq_msg_recv(&message, socket, 0);
        if (got < 0) {
            zmq_msg_close(&message);
            return false;
        }
        frames.emplace_back(static_cast<const char*>(zmq_msg_data(&message)), zmq_msg_size(&message));
        const bool more = zmq_msg_more(&message) != 0;
        zmq_msg_close(&message);
        if (!more) return true;
    }
}

}  // namespace

Result<void> Zap::start() {
    socket_ = zmq_socket(context_, ZMQ_REP);
    if (socket_ == nullptr) return fail(Code::kIo, std::string("zmq_socket: ") + zmq_strerror(errno));
    const int wait = kLookMs;
    const int linger = 0;
    zmq_setsockopt(socket_, ZMQ_RCVTIMEO, &wait, sizeof wait);
    zmq_setsockopt(socket_, ZMQ_LINGER, &linger, sizeof linger);
    if (zmq_bind(socket_, "inproc://zeromq.zap.01") != 0) {
        return fail(Code::kIo, std::string("zap: ") + zmq_strerror(errno));
    }
    thread_ = std::thread([this] { run(); });  // the socket moves to it whole
    return {};
}

void Zap::run() {
    std::vector<std::string> request;
    while (!stopping_.load(std::memory_order_relaxed)) {
        if (!receive_all(socket_, request)) continue;
        const Answer answer = decide(request);
        const auto send = [&](std::string_view part, int more) { zmq_send(socket_, part.data(), part.size(), more); };
        send("1.0", ZMQ_SNDMORE);
        send(request.size() > kRequest ? std::string_view(request[kRequest]) : std::string_view(), ZMQ_SNDMORE);
        send(answer.status, ZMQ_SNDMORE);
        send(answer.text, ZMQ_SNDMORE);
        send(answer.user, ZMQ_SNDMORE);
        send("", 0);  // no metadata
    }
    zmq_close(socket_);
}

Zap::Answer Zap::decide(const std::vector<std::string>& request) {
    if (request.size() <= kMechanism || request[kVersion] != "1.0") return {"500", "not a ZAP 1.0 request", {}};
    const std::string& mechanism = request[kMechanism];
    const std::string address = without_mapping(request[kAddress]);
    if (mechanism == "NULL") return {"200", "OK", Users::local_user(address)};
    if (mechanism != "CURVE" || request.size() <= kCredentials) {
        refusals_.count(Refusal::kMechanism, address);
        return {"400", "mechanism not offered", {}};
    }
    const auto users = users_.get();
    if (const std::string* user = users->find(request[kCredentials])) return {"200", "OK", *user};
    refusals_.count(Refusal::kUnknownKey, address);
    return {"400", "unknown key", {}};
}

void Zap::stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
}

}  // namespace telpher::broker
