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

/// kPause and kBroken are releases; what else they ask for is the caller's.
Verdict to_verdict(const Outcome& outcome);

}  // namespace telpher
