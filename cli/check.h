// What `telpher check` finds, and how it says so to scripts, containers and monitoring programs. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "telpher/client.h"

namespace telpher::cli {

/// What a queue must keep to; what is not given is not looked at.
struct QueueDemands {
    std::optional<std::uint64_t> ready_max, dead_max, blocked_max, consumers_min;
};

struct Findings {
    std::string subject;             ///< "ready", or the queue.
    bool known = true;               ///< False: the broker could not be asked.
    std::vector<std::string> wrong;  ///< Nothing: all is well.
    std::vector<std::pair<std::string, std::uint64_t>> figures;
};

Findings check_queue(const QueueStats& queue, const QueueDemands& demands);
Findings unknown(std::string subject, const Error& error);

enum class CheckFormat { kText, kJson, kNagios };

std::string render(const Findings& findings, CheckFormat format);
/// 0 = well, 1 = not. For Nagios: 0 OK, 2 CRITICAL, 3 UNKNOWN.
int exit_status(const Findings& findings, CheckFormat format);

}  // namespace telpher::cli
