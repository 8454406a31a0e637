// `telpher put` and telpher-producer with a source that goes on: --follow, --pull, --sub.
#pragma once

#include "producer/open_queue.h"
#include "producer/put_command.h"
#include "proto/command/signals.h"

namespace telpher {

/// The flags name a source that goes on.
bool is_feed(const PutFlags& flags);

/// Feeds the queue until a stop or an error that is for good; the exit status.
int feed_command(const PutFlags& flags, const PutOptions& put, const OpenFlags& open, const command::Globals& globals,
                 const command::StopSignals& signals);

}  // namespace telpher
