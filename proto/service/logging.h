// The log of a daemon: spdlog's default logger, written by a thread of its own. A line that is logged never waits: when
// whoever reads the log is slow, the oldest lines go, and are counted. start and stop: the main thread; the rest: any.
#pragma once

#include <spdlog/common.h>

#include <chrono>
#include <cstdint>
#include <string>

namespace telpher::service {

/// kAuto: the journal if stderr leads there, text if it is a terminal, else JSON.
enum class LogFormat : std::uint8_t { kAuto, kText, kJson, kJournal };

/// Log lines of `program` go to stderr (or the journal) from now on. Signals are blocked before, as the thread that
/// writes takes none.
void start_logging(const std::string& program, LogFormat format, spdlog::level::level_enum level);

/// "trace", "debug", "info", "warn", "error".
spdlog::level::level_enum log_level(const std::string& name);

/// Lines that were lost since the start.
std::uint64_t dropped_log_lines();
/// Logs how many lines were lost since the last call, once there is room for it. Now and then, from one thread.
void report_dropped_log_lines();

/// Writes what was logged, for at most `limit`: a reader that does not read hangs nobody. Nothing is logged after it.
void stop_logging(std::chrono::milliseconds limit);

/// What kAuto means here. $JOURNAL_STREAM names the device and inode that lead to the journal.
LogFormat choose_format(LogFormat asked, const char* journal_stream, int descriptor);

}  // namespace telpher::service
