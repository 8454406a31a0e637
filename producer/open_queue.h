// Opening a queue for a command: waits that a signal can end. Any thread.
#pragma once

#include <stop_token>
#include <string>

#include "proto/command/globals.h"
#include "telpher/client.h"

namespace telpher {

/// How a command finds its queue.
struct OpenFlags {
    QueueOptions options;  ///< Asked for with `create`.
    bool create = false;   ///< --create
    bool wait = false;     ///< --wait-queue
};

/// Opens `name`; with `wait` until somebody makes it, the --timeout is over, or a stop (kStopped).
Result<Queue> open_queue(Client& client, const std::string& name, const OpenFlags& flags,
                         const command::Globals& globals, const std::stop_token& stop);

}  // namespace telpher
