// Where the fields of a batch header lie (proto/batch.h draws the picture); shared by those who read and write batches,
// and by nobody else. Constants and pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "proto/base/bytes.h"
#include "proto/batch.h"

namespace telpher::batch::layout {

inline constexpr std::size_t kMagicAt = 0;
inline constexpr std::size_t kVersionAt = 4;
inline constexpr std::size_t kAttributesAt = 5;
inline constexpr std::size_t kHeaderBytesAt = 6;
inline constexpr std::size_t kCountAt = 8;
inline constexpr std::size_t kBodyBytesAt = 12;
inline constexpr std::size_t kProducerAt = 16;
inline constexpr std::size_t kFirstAt = 24;
inline constexpr std::size_t kPutMsAt = 32;
inline constexpr std::size_t kAttributeBytesAt = 40;
inline constexpr std::size_t kReservedAt = 44;
inline constexpr std::size_t kChecksumAt = 48;

inline constexpr std::size_t kLengthBytes = 4;
inline constexpr std::size_t kPresenceBytes = 4;
inline constexpr std::uint8_t kHasTable = 1;  ///< Attribute bit 0.

/// XXH3-64 of everything but the checksum itself. `batch` is at least a header.
std::uint64_t checksum(Bytes batch);

/// kTooLarge: a message of so many bytes where the limit is `most`.
tl::unexpected<Error> message_too_large(std::uint64_t bytes, std::uint64_t most);

/// Writes the header of the batch `batch`, whose body is there already, and its checksum. `header.body_bytes` and
/// `header.checksum` are ignored: the first follows from the size, the second from the bytes.
void finish(MutableBytes batch, const Header& header);

}  // namespace telpher::batch::layout
