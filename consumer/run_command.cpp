#include "consumer/run_command.h"

#include <sys/prctl.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>

#include "consumer/cpus.h"
#include "consumer/exec_launcher.h"
#include "consumer/stderr_relay.h"
#include "consumer/worker.h"
#include "consumer/worker_pages.h"
#include "proto/base/units.h"
#include "proto/command/exit.h"
#include "proto/command/value_flags.h"
#include "proto/http/http_server.h"
#include "proto/limits.h"

namespace telpher {
namespace {

constexpr unsigned kProcessesMax = 1'024;
constexpr unsigned kThreadsMax = 1'024;

CLI::Validator check(const std::function<Result<void>(const std::string&)>& read) {
    return CLI::Validator(
        [read](const std::string& text) {
            const auto done = read(text);
            return done ? std::string() : done.error().detail();
        },
        "");
}

void add_handler_flags(CLI::App& app, RunFlags& flags) {
    CommandOptions& command = flags.command;
    app.add_option("COMMAND", command.command, "After --: what runs for each message, which it finds on stdin");
    app.add_option("--so", flags.library, "Call the TELPHER_HANDLER of this shared library instead of a command")
        ->type_name("LIB");
    app.add_flag("--stream", flags.stream,
                 "One command per thread for all messages: a line of JSON each on its stdin, a verdict each on stdout");
    app.add_option("--exit-map", "What exit statuses mean, besides the usual: 3=dead,4=retry,5=release")
        ->type_name("STATUS=ACTION,...")
        ->each([&command](const std::string& text) {
            if (const auto done = command.exits.change(text); !done)
                throw CLI::ValidationError("--exit-map", done.error().detail());
        });
    app.add_option("--stdout", "What becomes of the commands' stdout: pass, discard, or log (goes where stderr goes)")
        ->type_name("WHERE")
        ->default_str("pass")
        ->each([&command](const std::string& text) {
            if (text != "pass" && text != "discard" && text != "log")
                throw CLI::ValidationError("--stdout", "takes pass, discard or log");
            command.stdout_to = text == "pass"      ? StdoutTo::kPass
                                : text == "discard" ? StdoutTo::kDiscard
                                                    : StdoutTo::kLog;
        });
    app.add_option("--env", command.environment, "A variable for the commands; may be given again")
        ->type_name("NAME=VALUE")
        ->take_all()
        ->allow_extra_args(false)
        ->check(check([](const std::string& text) -> Result<void> {
            if (text.find('=') == std::string::npos || text.front() == '=')
                return fail(Code::kUsage, "takes NAME=VALUE");
            return {};
        }));
    app.add_option("--chdir", command.folder, "Where the commands start")->type_name("DIR");
}

void add_limit_flags(CLI::App& app, RunFlags& flags) {
    CommandLimits& limits = flags.command.limits;
    command::add_duration(
        app, "--time-limit", [&limits](Millis time) { limits.hard = time; },
        "How long a message may be handled; then its command is killed and the attempt failed");
    command::add_duration(
        app, "--soft-time-limit", [&limits](Millis time) { limits.soft = time; },
        "When its command gets SIGTERM; less than --time-limit");
    command::add_size(app, "--max-child-rss", limits.rss_max,
                      "Memory of a command with its children, or of a worker process with --so");
    command::add_count(app, "--max-messages", {1}, flags.messages_max,
                       "Messages that a worker process handles before another one takes its place");
    command::add_duration(
        app, "--drain", [&flags](Millis time) { flags.drain = time; },
        "After SIGTERM, how long handlers may run on before their messages are handed back (default 60s)");
}

Result<void> check_flags(const RunFlags& flags) {
    const auto refuse = [](const char* text) { return fail(Code::kUsage, text); };
    const CommandOptions& command = flags.command;
    if (command.command.empty() == flags.library.empty()) return refuse("run takes either -- COMMAND or --so LIB");
    if (!flags.library.empty() && flags.stream) return refuse("--stream is for commands, not for --so");
    if (!flags.library.empty() && command.limits.soft != kForever)
        return refuse("--soft-time-limit is for commands, not for --so");
    if (command.limits.soft != kForever && command.limits.soft >= command.limits.hard)
        return refuse("--soft-time-limit must be less than --time-limit");
    if (http::wants_http(flags.http)) {
        if (const auto good = http::check_http_address(flags.http, flags.insecure); !good)
            return fail(Code::kUsage, "--http: " + good.error().detail());
    }
    for (const Millis limit : {command.limits.soft, command.limits.hard}) {
        if (limit <= Millis(0)) return refuse("a time limit is longer than 0");
    }
    if (flags.stream && command.stdout_to != StdoutTo::kPass) return refuse("--stdout makes no sense with --stream");
    return {};
}

/// The threads of the port take no signals: those are the supervisor's.
Result<void> start_http(const RunFlags& flags, http::HttpServer& port) {
    if (!http::wants_http(flags.http)) return {};
    const auto address = http::check_http_address(flags.http, flags.insecure);
    if (!address) return fail(address.error());
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const auto started = port.start(*address);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (started) command::print_note("http://" + port.endpoint() + "/metrics");
    return started;
}

int supervise(const RunFlags& flags, unsigned processes, bool forever) {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // what dead workers leave behind is ours to end
    ExecLauncher launcher;
    StderrRelay notes;  // who reads them, or does not, must not hold up the supervisor
    consumer::WorkerBook book;
    http::HttpServer port(
        consumer::worker_pages(flags.queue, book), [](const std::string&) {}, system_clock());
    if (const auto started = start_http(flags, port); !started) return command::print_error(started.error());
    consumer::Supervisor supervisor(
        {.processes = processes,
         .threads = flags.threads,
         .forever = forever,
         .in_process = !flags.library.empty(),
         .reaps_all = true,
         .drain = flags.drain,
         .note = [&notes](const std::string& text) { notes.note("telpher: " + text + "\n"); },
         .book = http::wants_http(flags.http) ? &book : nullptr},
        launcher);
    return supervisor.run();
}

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

Result<unsigned> parse_processes(std::string_view text) {
    if (text == "auto") return std::min(consumer::cpus(), kProcessesMax);
    const auto count = parse_count(text, 1, kProcessesMax);
    if (!count) return fail(Code::kUsage, "--processes takes 1 to 1024, or auto");
    return static_cast<unsigned>(*count);
}

void add_run_flags(CLI::App& app, RunFlags& flags) {
    app.add_option("QUEUE", flags.queue, "Name of the queue")->required();
    add_handler_flags(app, flags);
    app.add_option("-P,--processes", flags.processes, "Worker processes; auto: one for each CPU")
        ->type_name("N|auto")
        ->capture_default_str();
    command::add_count(app, "-T,--threads", {1, kThreadsMax}, flags.threads, "Messages at a time in each of them");
    command::add_count(app, "--prefetch", {0, limits::kCreditMessagesMax}, flags.prefetch,
                       "Messages that a worker process holds at most; 0: adapts");
    app.add_option("--exit-on", flags.exit_on,
                   "eos: the queue is sealed and drained; idle:DUR: nothing came for so long; never")
        ->type_name("WHEN")
        ->capture_default_str();
    app.add_flag("--wait-queue", flags.wait_queue, "Wait until somebody makes the queue");
    app.add_option("--http", flags.http, "Health and metrics of the workers over HTTP (port *: any)")
        ->type_name("ADDRESS:PORT");
    app.add_flag("--insecure", flags.insecure, "Let other hosts reach --http");
    add_limit_flags(app, flags);
}

int run_command(const RunFlags& flags, const command::Globals& globals) {
    const auto exit_on = parse_exit_on(flags.exit_on);
    if (!exit_on) return command::print_error(exit_on.error());
    const auto processes = parse_processes(flags.processes);
    if (!processes) return command::print_error(processes.error());
    if (const auto fine = check_flags(flags); !fine) return command::print_error(fine.error());
    const Upbringing upbringing = join_supervisor();
    switch (upbringing.kind) {
        case Upbringing::Kind::kSupervised:
            return upbringing.task == consumer::Task::kWork ? run_worker(flags, *exit_on, globals, upbringing.table_fd)
                                                            : run_settler(flags, globals, upbringing.table_fd);
        case Upbringing::Kind::kOrphan:
            return command::kExitOk;  // whoever wanted the work done is gone
        case Upbringing::Kind::kNone:
            break;
    }
    return supervise(flags, *processes, exit_on->what == ExitOn::What::kNever);
}

}  // namespace telpher
