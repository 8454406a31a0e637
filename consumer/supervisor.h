// Keeps P copies of this program at work: starts them again when they die, stops them when told to, ends when they are
// done. Runs on the main thread of a process that has no other and uses no library of ours: the copies are made by
// exec, so nothing of a parent leaks into them.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/clock.h"

namespace telpher {

/// Set in the environment of a child: the pid of its supervisor.
inline constexpr std::string_view kSupervisorVariable = "TELPHER_SUPERVISOR";

/// In a process that a supervisor started: asks the kernel for SIGTERM when the supervisor is gone. False: this process
/// has no supervisor; 'gone': it had one that is already dead.
enum class Upbringing { kNone, kSupervised, kOrphan };
Upbringing join_supervisor();

class Supervisor {
public:
    /// `forever`: children that end because the broker is away are started again too.
    Supervisor(unsigned processes, bool forever) : children_(processes), forever_(forever) {}

    /// Until all children have ended. The exit status: the first that is not 0; after SIGINT 130; after SIGTERM 0.
    int run();

private:
    struct Child {
        pid_t pid = 0;  // 0: not running
        bool ended = false;
        unsigned deaths = 0;  // in a row
        Instant started;
        Instant restart = Instant{};
    };

    void start_due(Instant now);
    void start(Child& child, Instant now);
    void reap(Instant now);
    void on_end(Child& child, int wait_status, Instant now);
    void on_signal(int number);
    void finish(int status);
    void signal_all(int number) const;
    [[nodiscard]] Instant next_restart() const;
    [[nodiscard]] bool done() const;

    std::vector<Child> children_;
    bool forever_;
    bool stopping_ = false;
    int stop_signal_ = 0;
    int status_ = 0;
};

}  // namespace telpher
