#include "broker/zmq_frames.h"

#include <cerrno>

#include "proto/session/zmq_message.h"

namespace telpher::broker {

bool ZmqFrame::receive(void* socket) {
    for (;;) {
        if (zmq_msg_recv(&message_, socket, ZMQ_DONTWAIT) >= 0) {
            more_ = zmq_msg_more(&message_) != 0;
            return true;
        }
        if (errno == EINTR) continue;
        more_ = false;
        return false;
    }
}

int ZmqFrame::source_fd() { return zmq_msg_get(&message_, ZMQ_SRCFD); }

std::string_view ZmqFrame::user() {
    const char* user = zmq_msg_gets(&message_, "User-Id");
    return user == nullptr ? std::string_view() : std::string_view(user);
}

Slice ZmqFrame::take() { return session::take_body(message_); }

}  // namespace telpher::broker
