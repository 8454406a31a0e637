// TELPHER_CHECK: an invariant of ours, asserted in release builds too. It prints the condition, the place and a
// message, then aborts: the supervisor restarts the process and recovery rebuilds the state from the log, which is
// always safer than going on with a state nobody understands. Never used on input of a client: input is refused.
#pragma once

#include <string_view>

namespace telpher {

/// Prints `condition`, the place and `detail` to stderr and aborts the process.
[[noreturn]] void check_failed(const char* condition, const char* file, int line, std::string_view detail) noexcept;

}  // namespace telpher

#define TELPHER_CHECK(condition) TELPHER_CHECK_MSG(condition, "")

#define TELPHER_CHECK_MSG(condition, detail)                                   \
    do {                                                                       \
        if (!(condition)) [[unlikely]]                                         \
            ::telpher::check_failed(#condition, __FILE__, __LINE__, (detail)); \
    } while (false)
