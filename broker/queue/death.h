// Why a message is a dead letter. Values, shared by all messages that died of the same settle.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "proto/base/clock.h"

namespace telpher::queue {

/// What sent a message to the dead letters. The number is that of the wire and of the log.
enum class Cause : std::uint8_t {
    kVerdict = 1,   ///< A consumer said so.
    kAttempts = 2,  ///< Its handling failed, and that was the last attempt.
    kLease = 3,     ///< Its lease ended unsettled, and that was the last attempt.
};

struct Death {
    Cause cause = Cause::kVerdict;
    WallTime at;
    std::string reason;  ///< What the consumer said: at most limits::kReasonBytesMax; may be empty.
    bool operator==(const Death&) const = default;
};

/// nullptr: nothing is known of it.
using DeathNote = std::shared_ptr<const Death>;

}  // namespace telpher::queue
