// The seed of a randomised test: printed, and repeated with TELPHER_SEED.
#pragma once

#include <cstdint>

namespace telpher::test {

/// $TELPHER_SEED if it is set, else from the system's entropy. Prints it, and records it with the running test's
/// result.
std::uint64_t test_seed();

/// The value of an environment variable as a count; `otherwise` if it is not set. Throws std::runtime_error if it is no
/// number.
std::uint64_t count_from_env(const char* name, std::uint64_t otherwise);

}  // namespace telpher::test
