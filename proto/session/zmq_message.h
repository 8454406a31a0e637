// Bodies in and out of ZeroMQ without a copy where that pays: large ones keep the message as their owner, or lend their
// bytes to it; small ones are copied, because a small received message pins the whole buffer it came in. Functions; any
// thread.
#pragma once

#include <zmq.h>

#include "proto/base/slice.h"

namespace telpher::session {

/// From this size on bodies are shared; libzmq copies up to 8 KiB in any case.
inline constexpr std::size_t kShareBytes = 8 * 1024;

/// The bytes of `message`, which is left empty but still to be closed.
Slice take_body(zmq_msg_t& message);

/// Fills the uninitialised `message` with `body`.
void give_body(zmq_msg_t& message, const Slice& body);

}  // namespace telpher::session
