// How a broker is, for whoever asks whether to restart it or to send it work. Plain values.
#pragma once

#include <string>

#include "proto/base/clock.h"

namespace telpher::broker {

struct Health {
    bool replayed = false;  ///< The log was read.
    bool bound = false;     ///< Clients can connect, and the loop runs.
    bool draining = false;
    bool disk_full = false;  ///< Puts are refused for want of room.
    bool log_waits = false;  ///< Nothing is confirmed for want of room.
    std::string failure;     ///< Why the shard stopped: a write or sync of its log failed, or it is damaged. Or empty.
    Duration silent{0};      ///< Since the shard's loop last turned; 0 while it does not run yet, or not any more.
};

}  // namespace telpher::broker
