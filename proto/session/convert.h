// Between the messages of the wire and the public types. Pure functions; any thread.
#pragma once

#include <span>
#include <vector>

#include "proto/base/slice.h"
#include "proto/telpher.pb.h"
#include "telpher/client.h"

namespace telpher::session {

v1::QueueOptions to_wire(const QueueOptions& options);
QueueStats from_wire(const v1::QueueState& state);
BrokerStats from_wire(const v1::StatusIs& status);
/// The messages of a PEEKED, whose bodies are lengths and records. kProtocol: they do not fit together.
Result<std::vector<Peeked>> from_wire(const v1::Peeked& peeked, std::span<const Slice> bodies);

}  // namespace telpher::session
