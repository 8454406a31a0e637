// The random seam: seeded in tests, from the system's entropy in a daemon.
#pragma once

#include <cstdint>
#include <random>

namespace telpher {

/// A random source for one owner (not thread-safe). Not for secrets: those come from system_entropy().
class Random {
public:
    explicit Random(std::uint64_t seed) : engine_(seed) {}
    /// Uniform in [0, 2^64).
    std::uint64_t next() { return engine_(); }
    /// Uniform in [0, bound); bound > 0.
    std::uint64_t below(std::uint64_t bound) { return engine_() % bound; }

private:
    std::mt19937_64 engine_;
};

/// 8 bytes from getrandom(2): for seeds, tokens and boot ids.
std::uint64_t system_entropy();

}  // namespace telpher
