#include "consumer/run_command.h"

#include <CLI/CLI.hpp>

#include "consumer/supervisor.h"
#include "consumer/worker.h"
#include "proto/base/units.h"
#include "proto/command/exit.h"
#include "proto/command/value_flags.h"

namespace telpher {
namespace {

constexpr unsigned kProcessesMax = 1'024;
constexpr unsigned kThreadsMax = 1'024;

}  // namespace

Result<ExitOn> parse_exit_on(std::string_view text) {
    constexpr std::string_view kIdle = "idle:";
    if (text == "eos") return ExitOn{ExitOn::What::kEnd};
    if (text == "never") return ExitOn{ExitOn::What::kNever};
    if (!text.starts_with(kIdle)) return fail(Code::kUsage, "--exit-on takes eos, never or idle:DUR");
    const auto idle = parse_duration(text.substr(kIdle.size()));
    if (!idle) return fail(Code::kUsage, "--exit-on: " + idle.error().detail());
    return ExitOn{ExitOn::What::kIdle, *idle};
}

void add_run_flags(CLI::App& app, RunFlags& flags) {
    app.add_option("QUEUE", flags.queue, "Name of the queue")->required();
    app.add_option("COMMAND", flags.command, "After --: what runs for each message, which it finds on stdin")
        ->required();
    command::add_count(app, "-P,--processes", {1, kProcessesMax}, flags.processes, "Worker processes");
    command::add_count(app, "-T,--threads", {1, kThreadsMax}, flags.threads, "Commands at a time in each of them");
    app.add_option("--exit-on", flags.exit_on,
                   "eos: the queue is sealed and drained; idle:DUR: nothing came for so long; never")
        ->type_name("WHEN")
        ->capture_default_str();
    app.add_flag("--wait-queue", flags.wait_queue, "Wait until somebody makes the queue");
}

int run_command(const RunFlags& flags, const command::Globals& globals) {
    const auto exit_on = parse_exit_on(flags.exit_on);
    if (!exit_on) return command::print_error(exit_on.error());
    switch (join_supervisor()) {
        case Upbringing::kSupervised:
            return run_worker(flags, *exit_on, globals);
        case Upbringing::kOrphan:
            return command::kExitOk;  // whoever wanted the work done is gone
        case Upbringing::kNone:
            break;
    }
    return Supervisor(flags.processes, exit_on->what == ExitOn::What::kNever).run();
}

}  // namespace telpher
