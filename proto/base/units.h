// What people write and read on command lines and in configuration: durations ("500ms"), sizes ("64KiB"), counts with
// separators. Pure functions; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "telpher/error.h"

namespace telpher {

/// "250ms", "30s", "5m", "2h", "7d"; "0" needs no unit. One number, one unit, whole, not negative. kUsage otherwise.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

/// Bytes: "512", "512B", "64KiB", "1MB" (powers of 1024 for KiB, MiB, GiB, TiB; of 1000 for kB, MB, GB, TB). kUsage
/// otherwise.
Result<std::uint64_t> parse_size(std::string_view text);

/// A whole number of `min` to `max`, digits only. kUsage otherwise.
Result<std::uint64_t> parse_count(std::string_view text, std::uint64_t min = 0, std::uint64_t max = UINT64_MAX);

/// The shortest form that parse_duration() reads back: "500ms", "90s", "2h".
std::string format_duration(std::chrono::milliseconds duration);

/// The shortest form that parse_size() reads back: "64MiB", "1000000", "0".
std::string format_size(std::uint64_t bytes);

/// For reading, three digits or so: "640 B", "1.5 MiB".
std::string format_bytes(std::uint64_t bytes);

/// "1,234,567".
std::string format_count(std::uint64_t count);

/// For reading: "950", "88.1k", "1.2M".
std::string format_short(double number);

}  // namespace telpher
