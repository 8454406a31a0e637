// What the worker processes of one supervisor do and did, for somebody who asks from another thread: the metrics page.
// The supervisor writes down who comes and goes; what a worker does is read from the table that it shares. Thread-safe.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>

#include "consumer/lease_table.h"

namespace telpher::consumer {

/// Why a worker process was replaced by another.
enum class Restart : std::uint8_t {
    kCrash,        ///< It died.
    kRecycle,      ///< It had handled its share (messages_max).
    kHangup,       ///< SIGHUP.
    kUnavailable,  ///< The broker was away.
};
inline constexpr std::array<std::string_view, 4> kRestartReasons{"crash", "recycle", "hangup", "unavailable"};

struct WorkerSample {
    unsigned processes = 0;  ///< Alive.
    unsigned taking = 0;     ///< Of these, those that take messages.
    unsigned slots = 0;      ///< Handler threads of all processes that are alive.
    unsigned busy = 0;       ///< Of these, those that handle a message.
    LeaseTable::Handled handled;
    std::uint64_t crashes = 0;  ///< Processes that died.
    std::array<std::uint64_t, kRestartReasons.size()> restarts{};
};

class WorkerBook {
public:
    void began(pid_t pid, const LeaseTable& table);
    void ended(pid_t pid, bool crashed, std::optional<Restart> restart);
    [[nodiscard]] WorkerSample sample() const;

private:
    mutable std::mutex mutex_;
    std::map<pid_t, LeaseTable> alive_;  // mappings of our own
    WorkerSample past_;                  // of those that are gone
};

}  // namespace telpher::consumer
