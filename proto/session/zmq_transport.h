// The real transport: a DEALER of its own for every connection, with a monitor, set up so that libzmq neither queues
// for a broker that is not there, nor reconnects by itself, nor stops reading (which can abort the process when a peer
// dies). The context is made with the first connection. Everything here belongs to one thread; only bodies that were
// received may go elsewhere.
#pragma once

#include <memory>
#include <optional>

#include "proto/security/key_file.h"
#include "proto/session/transport.h"

namespace telpher::session {

/// The factory, and the ZeroMQ context, must outlive the transports made of it. With `keys` connections speak CURVE:
/// encrypted, both sides known to each other; without, the NULL mechanism.
std::unique_ptr<TransportFactory> make_zmq_transports(std::optional<security::KeyFile> keys = std::nullopt);

/// True if `endpoint` is "tcp://host:port" or "ipc:///absolute/path".
bool legal_endpoint(const std::string& endpoint);

}  // namespace telpher::session
