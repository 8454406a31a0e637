// Tells the service manager how the daemon is (sd_notify(3)). Without $NOTIFY_SOCKET nothing is told. Any thread.
#pragma once

#include <chrono>
#include <string_view>

namespace telpher::service {

/// Serves from now on. With `status` for people.
void notify_ready(std::string_view status);
/// Reads its configuration again; notify_ready() ends it.
void notify_reloading();
/// Is about to end.
void notify_stopping(std::string_view status);
/// One line for people.
void notify_status(std::string_view status);
/// The start takes that much longer from now on.
void notify_extend(std::chrono::microseconds by);
/// Is alive: within half of each watchdog_interval().
void notify_watchdog();
/// How long the manager waits for notify_watchdog(); zero if it does not.
std::chrono::microseconds watchdog_interval();

}  // namespace telpher::service
