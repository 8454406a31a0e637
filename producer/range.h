// Sequences of puts.
#pragma once

#include <cstdint>

namespace telpher::producer {

/// Sequences [first, end).
struct Range {
    std::uint64_t first = 0;
    std::uint64_t end = 0;
    bool operator==(const Range&) const = default;
};

}  // namespace telpher::producer
