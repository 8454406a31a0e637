// What handling a message came to, before it is a verdict. A plain value.
#pragma once

#include <string>

#include "consumer/exit_map.h"
#include "telpher/client.h"

namespace telpher {

struct Outcome {
    Action action = Action::kAck;
    std::string reason = {};       ///< Why it failed: at most kReasonBytesMax, or it is cut.
    Millis delay = Millis::min();  ///< Of a retry or failure; Millis::min(): the queue's backoff.
    static constexpr std::size_t kReasonBytesMax = 4'096;
};

/// kPause and kBroken are releases; what else they ask for is the caller's.
Verdict to_verdict(const Outcome& outcome);

}  // namespace telpher
