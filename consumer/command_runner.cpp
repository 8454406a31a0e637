#include "consumer/command_runner.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "consumer/lease_table.h"
#include "proto/command/exit.h"
#include "proto/limits.h"

namespace telpher {
namespace {

using consumer::Cause;
using consumer::reason_of;

std::string with_tail(std::string reason, const std::string& tail) {
    if (tail.empty()) return reason;
    reason += ": ";
    const std::size_t room = limits::kReasonBytesMax - reason.size();
    return reason + tail.substr(tail.size() - std::min(tail.size(), room));
}

}  // namespace

Outcome outcome_of(const CommandEnd& end, const CommandOptions& options, const std::string& tail) {
    const auto number = static_cast<std::uint64_t>(end.number);
    switch (end.why) {
        case CommandEnd::Why::kSignal:
            return {Action::kFail, with_tail(reason_of(Cause::kSignal, number), tail)};
        case CommandEnd::Why::kTimeLimit: {
            const Millis limit = std::min(options.limits.soft, options.limits.hard);
            return {Action::kFail,
                    with_tail(reason_of(Cause::kTimeLimit, static_cast<std::uint64_t>(limit.count())), tail)};
        }
        case CommandEnd::Why::kRssLimit:
            return {Action::kFail, with_tail(reason_of(Cause::kRssLimit, options.limits.rss_max), tail)};
        case CommandEnd::Why::kExit:
            break;
    }
    const Action action = options.exits.action(end.number);
    if (action == Action::kAck) return {};
    return {action, with_tail("exit " + std::to_string(end.number), tail)};
}

// --- RunningCommands ---

Result<void> RunningCommands::start(CommandProcess& process, const Launch& launch) {
    const std::lock_guard lock(mutex_);
    if (closed_) return fail(Code::kStopped);
    if (auto started = process.start(launch); !started) return started;
    running_.insert(process.pid());
    return {};
}

void RunningCommands::forget(pid_t pid) {
    const std::lock_guard lock(mutex_);
    running_.erase(pid);
}

void RunningCommands::kill_all() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    for (const pid_t pid : running_) ::kill(-pid, SIGKILL);
}

bool RunningCommands::closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
}

// --- CommandRunner ---

Outcome CommandRunner::run(const CommandInput& input, const std::function<void(pid_t)>& on_process) {
    const MemoryFile body(input.body);
    const MemoryFile metadata(metadata_line(input));
    if (!body.ok() || !metadata.ok()) {
        command::print_error(Error(Code::kIo, std::string("memfd: ") + std::strerror(errno)));
        return {Action::kPause};
    }
    CommandProcess process;
    const auto environment = environment_of(input, options_.environment);
    const auto started = running_.start(process, {.command = options_.command,
                                                  .environment = environment,
                                                  .in = body.fd(),
                                                  .extra = metadata.fd(),
                                                  .to = options_.stdout_to,
                                                  .folder = options_.folder});
    if (!started) return not_started(started.error());
    if (on_process) on_process(process.pid());
    process.limit(options_.limits, system_clock().now());
    while (process.wait() != CommandProcess::Event::kEnded) continue;
    const CommandEnd end = process.finish([&] {
        if (on_process) on_process(0);
        running_.forget(process.pid());
    });
    if (running_.closed() && end.why == CommandEnd::Why::kSignal) return {Action::kRelease};
    Outcome outcome = outcome_of(end, options_, process.tail().text());
    if (outcome.action == Action::kBroken)
        outcome.reason = options_.command[0] + " cannot be executed: " + outcome.reason;
    return outcome;
}

}  // namespace telpher
