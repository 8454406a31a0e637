// What handling a message came to, before it is a verdict. A plain value.
#pragma once

#include <optional>
#include <string>

#include "consumer/exit_map.h"
#include "telpher/client.h"

namespace telpher {

struct Outcome {
    Action action = Action::kAck;
    std::string reason = {};           ///< Why it failed.
    std::optional<Millis> delay = {};  ///< Of a retry or failure; none: the queue's backoff.
};

/// Of a command that could not be started: the runner stops, the deployment is broken, or the machine is short of
/// something, which is said on stderr.
Outcome not_started(const Error& error);

/// kPause and kBroken are releases; what else they ask for is the caller's.
Verdict to_verdict(const Outcome& outcome);

}  // namespace telpher
