// `telpher run` and `telpher-consumer`: a command or function for every message, on P supervised processes with T
// threads each. One per process; the same code is the supervisor and, started by it, the worker.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "consumer/command_runner.h"
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
/// 1 to 1024, or "auto": the CPUs this process may use.
Result<unsigned> parse_processes(std::string_view text);

struct RunFlags {
    std::string queue;
    CommandOptions command;  ///< Empty with --so.
    std::string library;     ///< --so
    bool stream = false;
    std::string processes = "1";
    unsigned threads = 1;
    std::uint32_t prefetch = 0;
    std::string exit_on = "eos";
    bool wait_queue = false;
    std::uint64_t messages_max = 0;  ///< 0 = no limit
    Millis drain{60'000};
    std::string http;       ///< ADDRESS:PORT of health and metrics; empty: none.
    bool insecure = false;  ///< Other hosts may reach that.
};

void add_run_flags(CLI::App& app, RunFlags& flags);

/// Runs it; the exit status.
int run_command(const RunFlags& flags, const command::Globals& globals);

}  // namespace telpher
