// Starts worker processes as copies of this program, by exec, so that nothing of the supervisor leaks into them; and
// the other end: what a process finds out about why it was started.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "consumer/supervisor.h"

namespace telpher {

/// Set in the environment of a worker: pid of its supervisor, descriptor of its table, task, and the descriptors above
/// stderr that the supervisor was started with.
inline constexpr std::string_view kSupervisorVariable = "TELPHER_SUPERVISOR";

class ExecLauncher final : public consumer::Launcher {
public:
    /// Before the supervisor opens anything: what is open is for the commands too, what comes later is not.
    ExecLauncher();
    int start(consumer::Task task, const consumer::LeaseTable& table, pid_t& pid) override;

private:
    std::string inherited_;  // " 3 4"
};

/// What this process was started for.
struct Upbringing {
    enum class Kind : std::uint8_t {
        kNone,        ///< Not by a supervisor.
        kSupervised,  ///< By one, which sends SIGTERM when it is gone (the kernel does).
        kOrphan,      ///< By one that is already dead.
    } kind = Kind::kNone;
    consumer::Task task = consumer::Task::kWork;
    int table_fd = -1;
};
Upbringing join_supervisor();

}  // namespace telpher
