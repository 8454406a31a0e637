// SIGHUP: the configuration is read again. Main thread.
#pragma once

#include "broker/config.h"
#include "broker/shard_thread.h"

namespace telpher::broker {

/// What a running shard is told of the options.
LiveSettings live_settings(const DaemonOptions& options);

/// Reads the configuration again and checks all of it. With an error everything stays as it is and each error is
/// logged; else what can be applied is, to `running` and the shard, and every difference is logged: applied, or needs a
/// restart.
void reload(const Invocation& invocation, Configuration& running, ShardThread& shard);

}  // namespace telpher::broker
