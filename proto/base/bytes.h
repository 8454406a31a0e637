// Little-endian loads and stores, and byte views: the only way fixed formats are read and written.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace telpher {

static_assert(std::endian::native == std::endian::little, "fixed formats are little-endian; add byte swaps to port");

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

/// Reads a T at `at`; the caller has checked the bounds.
template <class T>
[[nodiscard]] inline T load_le(const std::byte* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

/// Writes a T at `at`; the caller has checked the bounds.
template <class T>
inline void store_le(std::byte* at, T value) {
    std::memcpy(at, &value, sizeof value);
}

[[nodiscard]] inline Bytes as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

[[nodiscard]] inline std::string_view as_text(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace telpher
