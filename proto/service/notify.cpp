#include "proto/service/notify.h"

#include <systemd/sd-daemon.h>

#include <string>

#include "proto/base/clock.h"

namespace telpher::service {
namespace {

void tell(const std::string& state) { static_cast<void>(::sd_notify(0, state.c_str())); }

std::string status_line(std::string_view status) { return "\nSTATUS=" + std::string(status); }

}  // namespace

void notify_ready(std::string_view status) { tell("READY=1" + status_line(status)); }

// systemd takes the READY=1 that follows for this reload's only if it is later than this time.
void notify_reloading() { tell("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(monotonic_usec())); }

void notify_stopping(std::string_view status) { tell("STOPPING=1" + status_line(status)); }
void notify_status(std::string_view status) { tell("STATUS=" + std::string(status)); }
void notify_extend(std::chrono::microseconds by) { tell("EXTEND_TIMEOUT_USEC=" + std::to_string(by.count())); }
void notify_watchdog() { tell("WATCHDOG=1"); }

std::chrono::microseconds watchdog_interval() {
    std::uint64_t usec = 0;
    return std::chrono::microseconds(::sd_watchdog_enabled(0, &usec) > 0 ? static_cast<std::int64_t>(usec) : 0);
}

}  // namespace telpher::service
