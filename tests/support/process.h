// A program under test: started with its own environment and limits, its output kept (bounded), waited for with a
// deadline, measured through /proc, and killed with its whole process group when the object goes. Used by the thread of
// the test that made it: the kernel kills the child when that *thread* ends, so that no run leaves a process behind.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/deadline.h"

namespace telpher::test {

/// How a process ended.
struct Ended {
    int code = 0;    ///< Exit status, if signal is 0.
    int signal = 0;  ///< The signal that ended it; 0 = it exited.
    [[nodiscard]] bool ok() const { return code == 0 && signal == 0; }
    [[nodiscard]] bool exited(int with) const { return signal == 0 && code == with; }
    [[nodiscard]] bool killed_by(int with) const { return signal == with; }
    [[nodiscard]] std::string text() const;  ///< "exit 3" or "signal 9".
    bool operator==(const Ended&) const = default;
};

/// What a process uses now.
struct Usage {
    std::size_t resident_bytes = 0;
    std::size_t resident_peak_bytes = 0;
    double cpu_seconds = 0;  ///< User and system, of all its threads since it started.
    std::size_t descriptors = 0;
    std::size_t threads = 0;
};

struct ProcessOptions {
    std::map<std::string, std::string> env;      ///< Added to the test's own environment.
    std::filesystem::path cwd;                   ///< Empty: the test's.
    std::string input;                           ///< What it reads on stdin, at most 64 KiB; then end of file.
    std::size_t output_bytes_max = 1024 * 1024;  ///< Kept per stream; when there is more, the older half goes.
    struct Descriptors {
        std::size_t soft, hard;
    };
    std::optional<Descriptors> descriptors;  ///< RLIMIT_NOFILE.
};

class Process {
public:
    /// Starts `program`. Throws std::runtime_error if it cannot be executed.
    Process(const std::filesystem::path& program, std::vector<std::string> args, const ProcessOptions& options = {});
    Process(Process&&) noexcept;
    Process& operator=(Process&&) noexcept;
    ~Process();

    [[nodiscard]] pid_t pid() const;
    [[nodiscard]] bool running();
    /// Waits until it ended; nothing if `limit` is over first.
    std::optional<Ended> wait(Duration limit);
    /// Sends `signal` to the process (not to its group). Nothing happens if it has ended.
    void signal(int signal);
    /// SIGKILL to the whole group, and waits for the end.
    void kill();

    /// What it wrote so far. After wait() that is all of it, unless a child of it still holds the pipe.
    [[nodiscard]] std::string output() const;
    [[nodiscard]] std::string errors() const;
    /// Waits until stdout contains `text`; false if `limit` is over or it ended without.
    bool wait_for_output(std::string_view text, Duration limit);
    bool wait_for_errors(std::string_view text, Duration limit);

    /// Of the running process; zeros once it has ended.
    [[nodiscard]] Usage usage() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// It runs, whoever started it: there, and no zombie.
bool alive(const std::string& pid);
/// Those that its first thread started and that have not ended.
std::vector<std::string> children_of(pid_t pid);

/// Path of a program of ours: it lies beside the test's own.
std::filesystem::path program(std::string_view name);

/// Starts a program, waits for its end, at most `limit`, and returns how it ended and what it wrote. Throws if it does
/// not end.
struct Finished {
    Ended ended;
    std::string output;
    std::string errors;
};
Finished run(const std::filesystem::path& program, std::vector<std::string> args, Duration limit,
             const ProcessOptions& options = {});

}  // namespace telpher::test
