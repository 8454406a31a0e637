#include "proto/session/zmq_message.h"

#include <cstring>
#include <memory>

#include "proto/base/check.h"

namespace telpher::session {
namespace {

/// A received message as the owner of its bytes. Closing it only counts down and frees: any thread may.
class Held {
public:
    explicit Held(zmq_msg_t& message) {
        zmq_msg_init(&message_);
        zmq_msg_move(&message_, &message);
    }
    ~Held() { zmq_msg_close(&message_); }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;

    [[nodiscard]] Bytes bytes() {
        return {static_cast<const std::byte*>(zmq_msg_data(&message_)), zmq_msg_size(&message_)};
    }

private:
    zmq_msg_t message_;
};

/// Runs on libzmq's thread.
void drop_slice(void* /*data*/, void* hint) { delete static_cast<Slice*>(hint); }

}  // namespace

Slice take_body(zmq_msg_t& message) {
    if (zmq_msg_size(&message) < kShareBytes) {
        return Slice::copy({static_cast<const std::byte*>(zmq_msg_data(&message)), zmq_msg_size(&message)});
    }
    auto held = std::make_shared<Held>(message);
    const Bytes bytes = held->bytes();
    return {std::move(held), bytes};
}

void give_body(zmq_msg_t& message, const Slice& body) {
    if (body.size() < kShareBytes) {
        TELPHER_CHECK_MSG(zmq_msg_init_size(&message, body.size()) == 0, "out of memory");
        if (!body.empty()) std::memcpy(zmq_msg_data(&message), body.data(), body.size());
        return;
    }
    auto* lent = new Slice(body);
    // libzmq only reads what it sends.
    auto* data = const_cast<std::byte*>(lent->data());
    TELPHER_CHECK_MSG(zmq_msg_init_data(&message, data, lent->size(), &drop_slice, lent) == 0, "out of memory");
}

}  // namespace telpher::session
