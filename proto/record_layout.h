// The flag bits of a record (proto/batch.h has the layout); shared by those who read and write records. Constants.
#pragma once

#include <cstdint>

namespace telpher::batch::record {

inline constexpr std::uint8_t kHasKey = 1;
inline constexpr std::uint8_t kHasHeaders = 2;
inline constexpr std::uint8_t kFlags = kHasKey | kHasHeaders;  ///< Those this program knows.

}  // namespace telpher::batch::record
