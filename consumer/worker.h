// One worker process of `telpher run`: takes messages and has a command or a library handle each on its threads.
#pragma once

#include "consumer/run_command.h"

namespace telpher {

/// Until the end, idleness or a stop; the exit status. `table_fd`: of the table it shares with its supervisor. Call
/// once, on the main thread, before others exist.
int run_worker(const RunFlags& flags, const ExitOn& exit_on, const command::Globals& globals, int table_fd);

/// Settles for the dead worker of the table; the exit status.
int run_settler(const RunFlags& flags, const command::Globals& globals, int table_fd);

}  // namespace telpher
