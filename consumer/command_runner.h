// Runs a command once per message: body on stdin, what is known of the message in the environment and on descriptor 3;
// how it ends is the outcome. Any number of threads may use one runner; it lives as long as the worker.
#pragma once

#include <sys/types.h>

#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "consumer/command_input.h"
#include "consumer/command_process.h"
#include "consumer/outcome.h"
#include "telpher/error.h"

namespace telpher {

/// What runs, and how. A plain value.
struct CommandOptions {
    std::vector<std::string> command = {};      ///< Program (looked up in PATH) and arguments; not empty.
    std::vector<std::string> environment = {};  ///< NAME=VALUE, besides ours.
    std::string folder = {};                    ///< Empty: ours.
    StdoutTo stdout_to = StdoutTo::kPass;
    CommandLimits limits = {};
    ExitMap exits = {};
};

/// What a command that ended so says of its message. `tail`: the last it wrote to stderr. Pure.
Outcome outcome_of(const CommandEnd& end, const CommandOptions& options, const std::string& tail);

/// The processes of a worker's commands, to be ended from another thread. Thread-safe.
class RunningCommands {
public:
    /// Starts `process` so that kill_all() sees it or it is not started any more: kStopped.
    Result<void> start(CommandProcess& process, const Launch& launch);
    /// It has ended; its number may soon be another's.
    void forget(pid_t pid);
    /// Ends all that run, with their children, and lets none start any more.
    void kill_all();
    [[nodiscard]] bool closed() const;

private:
    mutable std::mutex mutex_;
    std::set<pid_t> running_;  // each the leader of its own process group
    bool closed_ = false;
};

class CommandRunner {
public:
    /// `options` outlives it.
    explicit CommandRunner(const CommandOptions& options) : options_(options) {}

    /// Runs it to its end. `on_process` is told its pid once it runs. After kill_all() everything is released.
    Outcome run(const CommandInput& input, const std::function<void(pid_t)>& on_process = {});
    void kill_all() { running_.kill_all(); }

private:
    const CommandOptions& options_;
    RunningCommands running_;
};

}  // namespace telpher
