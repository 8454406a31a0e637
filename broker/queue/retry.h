// How long a failed message waits for its next attempt. Pure functions.
#pragma once

#include <algorithm>
#include <cstdint>

#include "broker/queue/queue.h"

namespace telpher::queue {

/// Exponential backoff: options.backoff_ms doubled with every failed attempt (`attempts` >= 1), options.backoff_max_ms
/// at most, and a fifth more or less, so that what failed together does not come back together. The jitter is a hash of
/// the message and its attempt (SplitMix64's finaliser), not a random number: the same history gives the same times.
inline Duration backoff(const Options& options, Offset offset, std::uint32_t attempts) {
    constexpr std::uint32_t kDoublingsMax = 40;
    constexpr std::uint64_t kJitterPercent = 20;
    const std::uint64_t first = options.backoff_ms;
    const std::uint32_t doublings = std::min(attempts - 1, kDoublingsMax);
    const std::uint64_t grown =
        first > (options.backoff_max_ms >> doublings) ? options.backoff_max_ms : first << doublings;
    const std::uint64_t base_us = std::min(grown, options.backoff_max_ms) * 1000;
    std::uint64_t hash = offset.value() * 0x9e3779b97f4a7c15U + attempts;
    hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9U;
    hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebU;
    hash ^= hash >> 31;
    const std::uint64_t percent = 100 - kJitterPercent + hash % (2 * kJitterPercent + 1);
    return std::chrono::microseconds(base_us * percent / 100);
}

}  // namespace telpher::queue
