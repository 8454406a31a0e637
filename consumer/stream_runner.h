// A command that lives as long as its handler thread and gets message after message: a line of JSON each on its stdin,
// a line with the verdict each on its stdout. Used by one thread; its commands may be ended by another through
// RunningCommands.
#pragma once

#include <string>
#include <string_view>

#include "consumer/command_runner.h"

namespace telpher {

/// Reads {"id":7,"verdict":"ack","reason":"...","delay_ms":1000}; the id must be `id`. kUsage with what is wrong.
Result<Outcome> parse_verdict(std::string_view line, std::uint64_t id);

class StreamRunner {
public:
    static constexpr std::size_t kLineMax = 64 * 1024;
    /// What a command may take to end once its stdin is closed.
    static constexpr Millis kLeaveMax{5'000};

    StreamRunner(const CommandOptions& options, RunningCommands& running) : options_(options), running_(running) {}
    StreamRunner(const StreamRunner&) = delete;
    StreamRunner& operator=(const StreamRunner&) = delete;
    ~StreamRunner();  ///< leave()

    /// Gives the command the message and waits for its verdict; starts it if it does not run.
    Outcome run(const CommandInput& input, const std::function<void(pid_t)>& on_process = {});
    /// Closes its stdin and waits for its end, which is forced after kLeaveMax.
    void leave();

private:
    Result<void> start(const CommandInput& input);
    Outcome talk(const CommandInput& input);
    bool write(std::string_view line);
    bool read(std::string& line);
    Outcome ended();
    Outcome fail_with(const std::string& reason);
    CommandEnd finish();
    void kill();

    const CommandOptions& options_;
    RunningCommands& running_;
    CommandProcess process_;
    std::function<void(pid_t)> on_process_;
    int to_ = -1;
    int from_ = -1;
    std::string read_;
};

}  // namespace telpher
