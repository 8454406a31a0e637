// `telpher run` and `telpher-consumer`: a command for every message, on P supervised processes with T threads each. One
// per process; the same code is the supervisor and, started by it, the worker.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "proto/command/globals.h"
#include "telpher/error.h"

namespace telpher {

/// When a worker leaves.
struct ExitOn {
    enum class What { kEnd, kIdle, kNever } what = What::kEnd;
    Millis idle{0};
};

/// "eos", "never", "idle:30s".
Result<ExitOn> parse_exit_on(std::string_view text);

struct RunFlags {
    std::string queue;
    std::vector<std::string> command;
    unsigned processes = 1;
    unsigned threads = 1;
    std::string exit_on = "eos";
    bool wait_queue = false;
};

void add_run_flags(CLI::App& app, RunFlags& flags);

/// Runs it; the exit status.
int run_command(const RunFlags& flags, const command::Globals& globals);

}  // namespace telpher
