// Parses what comes from the broker, once, into messages that are reused, and says whom it is for. Engine thread; a
// frame is valid until the next decode().
#pragma once

#include <cstdint>

#include "proto/session/channel.h"
#include "proto/session/transport.h"
#include "proto/telpher.pb.h"

namespace telpher::session {

/// Whom a frame is for, and what `key` names.
enum class Route : std::uint8_t {
    kSession,  ///< The connection itself; no key.
    kRequest,  ///< The request `key`; 0 in an ERROR: the connection.
    kHandle,   ///< The queue opened as `key`; 0 in a LIMIT: the connection.
    kSub,      ///< The subscription `key`.
};

struct Routed {
    Frame frame;
    Route route;
    std::uint64_t key = 0;
};

class Decoder {
public:
    /// kProtocol, kTooLarge: not a frame that a broker sends.
    Result<Routed> decode(const Received& received);

private:
    v1::HelloOk hello_ok_;
    v1::Pong pong_;
    v1::Goodbye goodbye_;
    v1::Opened opened_;
    v1::ProducerOpened producer_opened_;
    v1::Ok ok_;
    v1::Error error_;
    v1::Confirm confirm_;
    v1::Limit limit_;
    v1::Parked parked_;
    v1::Room room_;
    v1::Attached attached_;
    v1::Deliver deliver_;
    v1::Settled settled_;
    v1::Recall recall_;
    v1::End end_;
    v1::Extended extended_;
    v1::Joined joined_;
    v1::Queues queues_;
    v1::Peeked peeked_;
    v1::StatusIs status_is_;
    v1::DeadHandled dead_handled_;
};

}  // namespace telpher::session
