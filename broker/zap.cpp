#include "broker/zap.h"

#include <zmq.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

namespace telpher::broker {
namespace {

constexpr int kLookMs = 100;  // how long a stop may take

// Frames: version, request id, domain, address, identity, mechanism, then credentials.
constexpr std::size_t kFramesMin = 6;

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

void answer(void* socket, const std::vector<std::string>& frames) {
    const bool whole = frames.size() >= kFramesMin && frames[0] == "1.0";
    const bool allowed = whole && frames[5] == "NULL";
    const std::string_view id = whole ? std::string_view(frames[1]) : std::string_view();
    const auto send = [&](std::string_view part, int more) { zmq_send(socket, part.data(), part.size(), more); };
    send("1.0", ZMQ_SNDMORE);
    send(id, ZMQ_SNDMORE);
    send(allowed ? "200" : "400", ZMQ_SNDMORE);
    send(allowed ? "" : "mechanism not offered", ZMQ_SNDMORE);
    send("", ZMQ_SNDMORE);  // no user id until keys exist
    send("", 0);
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
    std::vector<std::string> frames;
    while (!stopping_.load(std::memory_order_relaxed)) {
        if (receive_all(socket_, frames)) answer(socket_, frames);
    }
    zmq_close(socket_);
}

void Zap::stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
}

}  // namespace telpher::broker
