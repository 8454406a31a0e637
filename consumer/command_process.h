// A command as a process: started with what it is to get, waited for together with what it writes, held to its limits,
// ended with its process group. One thread uses one; kill() may come from any.
//
// It leads a process group of its own, dies with the thread that started it, and nothing is blocked or ignored in it.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "consumer/stderr_relay.h"
#include "consumer/tail.h"
#include "proto/base/clock.h"
#include "telpher/error.h"
#include "telpher/options.h"

namespace telpher {

/// Where what a command writes to stdout goes.
enum class StdoutTo : std::uint8_t {
    kPass,     ///< Our stdout.
    kDiscard,  ///< Nowhere.
    kLog,      ///< Where its stderr goes.
};

/// How a command is started. Views and descriptors: valid for the call.
struct Launch {
    const std::vector<std::string>& command;      ///< Looked up in PATH.
    const std::vector<std::string>& environment;  ///< All of it, NAME=VALUE.
    int in = -1;                                  ///< Becomes its stdin.
    int out = -1;                                 ///< Its stdout; -1: as `to` says.
    int extra = -1;                               ///< Its descriptor 3; -1: none.
    StdoutTo to = StdoutTo::kPass;
    const std::string& folder;  ///< Where it starts; empty: ours.
};

/// What it is held to.
struct CommandLimits {
    Millis soft = kForever;     ///< Then SIGTERM.
    Millis hard = kForever;     ///< Then SIGKILL.
    std::uint64_t rss_max = 0;  ///< Of it and its descendants; 0 = none. Then SIGKILL.
};

/// How it ended.
struct CommandEnd {
    enum class Why : std::uint8_t { kExit, kSignal, kTimeLimit, kRssLimit } why = Why::kExit;
    int number = 0;  ///< Exit status or signal.
};

class CommandProcess {
public:
    CommandProcess() = default;
    CommandProcess(const CommandProcess&) = delete;
    CommandProcess& operator=(const CommandProcess&) = delete;
    ~CommandProcess();  ///< Ends it if it runs, with its process group.

    /// kConfig: it cannot be executed. kIo: the machine is out of processes, memory or descriptors.
    Result<void> start(const Launch& launch);
    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] bool started() const { return pid_ > 0; }
    /// Whether it has ended and finish() would not wait.
    [[nodiscard]] bool ended() const;

    /// When the limits count from.
    void limit(const CommandLimits& limits, Instant from);

    /// It was over a limit, and is on its way out.
    [[nodiscard]] bool over_limit() const { return exceeded_.has_value(); }
    /// It is killed at `end`, if it lives so long; its limits stay.
    void end_by(Instant end) { hard_at_ = std::min(hard_at_, end); }

    /// What happened first.
    enum class Event : std::uint8_t { kEnded, kReadable, kWritable };
    /// Waits until it has ended, or `fd` (if not -1) can be read (or written, if `writes`). Meanwhile passes on what it
    /// writes to stderr and keeps it to its limits.
    Event wait(int fd = -1, bool writes = false);

    /// Called once it has ended, before its number is free for others; then takes it in.
    CommandEnd finish(const std::function<void()>& before_reaped);
    /// The last it wrote to stderr.
    [[nodiscard]] const Tail& tail() const { return tail_; }
    [[nodiscard]] Tail& tail() { return tail_; }

private:
    void keep_limits(Instant now);
    bool pump();
    [[nodiscard]] int wait_ms(Instant now) const;

    pid_t pid_ = 0;
    int pidfd_ = -1;
    int err_ = -1;
    Tail tail_{4'096};
    StderrRelay relay_;
    Instant soft_at_ = Instant::never();
    Instant hard_at_ = Instant::never();
    Instant rss_at_ = Instant::never();  // when it is looked at next
    std::uint64_t rss_max_ = 0;
    std::optional<CommandEnd::Why> exceeded_;
};

/// `bytes` as a file in memory, at its beginning: who reads late, in parts or not at all blocks nobody, as a pipe
/// would.
class MemoryFile {
public:
    explicit MemoryFile(std::string_view bytes);
    ~MemoryFile();
    MemoryFile(const MemoryFile&) = delete;
    MemoryFile& operator=(const MemoryFile&) = delete;
    [[nodiscard]] bool ok() const { return ok_; }  ///< If not, errno says why.
    [[nodiscard]] int fd() const { return fd_; }

private:
    int fd_;
    bool ok_ = false;
};

}  // namespace telpher
