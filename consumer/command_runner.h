// Runs a command once per message: body on stdin, what is known of the message in the environment. Any number of
// threads may use one runner; it lives as long as the worker.
#pragma once

#include <sys/types.h>

#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "telpher/error.h"

namespace telpher {

/// What a command is told of its message. Views: valid for the call.
struct CommandInput {
    std::string_view queue, key, body;
    std::uint64_t id = 0;
    std::uint32_t attempt = 0, delivery = 0;
};

class CommandRunner {
public:
    /// `command`: program (looked up in PATH) and arguments; not empty.
    explicit CommandRunner(std::vector<std::string> command) : command_(std::move(command)) {}

    /// Runs it to its end. Exit status 0..255, or 128 + signal. kConfig: it cannot be executed (not found, not allowed,
    /// or a shell said so with 126 or 127). kIo: the machine is out of processes, memory or descriptors.
    Result<int> run(const CommandInput& input);

    /// Ends all that run, with their children.
    void kill_all();

private:
    std::vector<std::string> command_;
    std::mutex mutex_;         // guards running_
    std::set<pid_t> running_;  // each the leader of its own process group
};

}  // namespace telpher
