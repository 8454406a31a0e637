// What the exit status of a command says about its message. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "telpher/error.h"

namespace telpher {

/// What becomes of a message.
enum class Action : std::uint8_t {
    kAck,      ///< Done.
    kRetry,    ///< Failed for now: again after the queue's backoff.
    kFail,     ///< Failed: the same, until it has no attempts left.
    kDead,     ///< Dead-letter now.
    kRelease,  ///< Hand back, no blame.
    kPause,    ///< Hand back, no blame, and the worker pauses.
    kBroken,   ///< Hand back; the worker ends: the command cannot be executed.
};

/// The word for it, as in --exit-map: "ack", "retry", "fail", "dead", "release", "pause", "broken".
std::string_view word(Action action);

class ExitMap {
public:
    /// 0 ack; 75, 111 retry; 69 pause; 65, 100 dead; 126, 127 broken; others fail.
    ExitMap();

    /// "3=dead,4=retry": statuses 0..255 and the words above but "broken". kUsage with the reason.
    Result<void> change(std::string_view text);
    /// Of an exit status.
    [[nodiscard]] Action action(int status) const { return actions_.at(static_cast<std::size_t>(status) & 255U); }

private:
    std::array<Action, 256> actions_{};
};

}  // namespace telpher
