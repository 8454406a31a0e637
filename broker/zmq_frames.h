// Received libzmq frames, one at a time. Used by the thread that owns the socket.
#pragma once

#include <zmq.h>

#include <cstddef>
#include <string_view>

#include "proto/base/slice.h"

namespace telpher::broker {

/// A frame being received; reusable.
class ZmqFrame {
public:
    ZmqFrame() { zmq_msg_init(&message_); }
    ~ZmqFrame() { zmq_msg_close(&message_); }
    ZmqFrame(const ZmqFrame&) = delete;
    ZmqFrame& operator=(const ZmqFrame&) = delete;

    /// Receives the next frame without waiting; false: there is none.
    bool receive(void* socket);
    [[nodiscard]] Bytes bytes() {
        return {static_cast<const std::byte*>(zmq_msg_data(&message_)), zmq_msg_size(&message_)};
    }
    /// More frames of the same message follow.
    [[nodiscard]] bool more() const { return more_; }
    /// The descriptor it came from, -1 if not known.
    [[nodiscard]] int source_fd();
    /// Whose it is, as the ZAP handler said; only of a header frame: libzmq may lose it of a routing id's.
    [[nodiscard]] std::string_view user();
    /// The bytes; the frame is empty afterwards.
    [[nodiscard]] Slice take();

private:
    zmq_msg_t message_;
    bool more_ = false;
};

}  // namespace telpher::broker
