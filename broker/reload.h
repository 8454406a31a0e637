// SIGHUP: the configuration is read again. Main thread.
#pragma once

#include "broker/config.h"
#include "broker/door.h"
#include "broker/shard_thread.h"

namespace telpher::broker {

/// What a running shard is told of the options.
LiveSettings live_settings(const DaemonOptions& options);

/// What a reload changes.
struct Served {
    ShardThread& shard;
    Door& door;
};

/// Reads the configuration and the users again and checks all of it. With an error everything stays as it is and each
/// error is logged; else what can be applied is, to `running` and what is served, and every difference is logged:
/// applied, or needs a restart.
void reload(const Invocation& invocation, Configuration& running, Served served);

}  // namespace telpher::broker
