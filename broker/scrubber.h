// Reads the sealed segments of the log again and again and verifies every record, so that damage to what nobody reads
// is found while a backup still has it, and not when the message is due. What is found stops the shard. Owned by the
// shard thread; what it reads comes through Background, a piece at a time.
//
// A pass takes the configured time, spread evenly, and at least half a second for each piece. It begins anywhere: a
// broker that is started again every day would otherwise never come to its later segments.
#pragma once

#include <cstdint>
#include <optional>

#include "broker/background.h"
#include "broker/core.h"

namespace telpher::broker {

class Scrubber {
public:
    /// `seed` says where it begins.
    Scrubber(Core& core, Background& background, std::uint64_t seed)
        : core_(core), background_(background), seed_(seed) {}

    /// Reads the next piece, if it is time (called now and then).
    void look();
    /// What stands in the log is not what was written there, or cannot be read: the shard must stop.
    [[nodiscard]] const std::optional<Error>& damage() const { return damage_; }
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }    ///< Verified since the start.
    [[nodiscard]] std::uint64_t errors() const { return errors_; }  ///< Since the start.

private:
    [[nodiscard]] bool due() const;
    /// The next piece begins there; nothing: no segment is sealed.
    [[nodiscard]] std::optional<log::Walk> next();
    void read(const log::Walk& from);
    void take(const Result<void>& verified, const log::Walk& from, const log::Walk& to);

    Core& core_;
    Background& background_;
    const std::uint64_t seed_;
    bool begun_ = false;
    bool reading_ = false;
    Instant read_at_;                ///< When the last piece was read ...
    std::uint64_t read_bytes_ = 0;   ///< ... and its size.
    std::optional<log::Walk> walk_;  ///< In the middle of a segment.
    SegmentId segment_;              ///< Else: the next one is not below this.
    std::uint64_t bytes_ = 0;
    std::uint64_t errors_ = 0;
    std::optional<Error> damage_;
};

}  // namespace telpher::broker
