// What recovery does about each kind of damage, as data: FORMAT.md shows the same table, and each cell has a unit test.
// Confirmed data is never truncated: only what nothing proves to have been durable is cut.
#pragma once

#include <cstdint>
#include <string_view>

namespace telpher::log {

/// What is wrong where the next record, or segment, is expected.
enum class Damage : std::uint8_t {
    kTornTail,            ///< Nothing there: zeros, bytes of an earlier life, or the end of the file.
    kBadHeader,           ///< Bytes that are no valid record header.
    kBadBody,             ///< A valid header, but meta or body do not match their checksum.
    kLsnGap,              ///< A valid record with another lsn than the next.
    kMissingSegment,      ///< A segment file is not there.
    kBadSegmentHeader,    ///< The segment's header block is broken or of another log.
    kNewerVersion,        ///< Written by a program that knows more than this one.
    kIncompleteSnapshot,  ///< The snapshot that opens the segment has no end.
};
inline constexpr std::size_t kDamages = 8;

/// Where it is.
enum class Place : std::uint8_t {
    kLastUnproven,  ///< In the last segment; nothing says that it was ever durable.
    kLastProven,    ///< In the last segment, at or before a point known to have been durable.
    kEarlier,       ///< In a segment that another follows: it was durable before the next was made.
};
inline constexpr std::size_t kPlaces = 3;

enum class Action : std::uint8_t {
    kTruncate,  ///< The log ends here; what follows was never confirmed.
    kStop,      ///< kCorrupt, with the place; nothing is changed.
    kRefuse,    ///< kFormat; nothing is changed.
};

[[nodiscard]] Action decide(Damage damage, Place place);
[[nodiscard]] std::string_view damage_text(Damage damage);
[[nodiscard]] std::string_view place_text(Place place);

}  // namespace telpher::log
