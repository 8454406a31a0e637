// One worker process of `telpher run`: takes messages and runs the command for each on its threads.
#pragma once

#include "consumer/run_command.h"

namespace telpher {

/// Until the end, idleness or a stop; the exit status. Call once, on the main thread, before others exist.
int run_worker(const RunFlags& flags, const ExitOn& exit_on, const command::Globals& globals);

}  // namespace telpher
