// Keeps the log near the size of what lives in it: writes the live messages of its oldest segment again, at the end, so
// that the segment can go. Owned by the shard thread; what it reads comes through Background.
//
// It begins when the log takes more than twice what lives in it, and a segment; and it goes on, segment by segment,
// until it does not, or until all that was there when it began was gone through. Each byte it writes is paid for by one
// that is dropped, so no more is written than twice what was put.
//
// It is never ahead of the commit thread: what of one piece is written again is committed before the next piece is
// read.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "broker/background.h"
#include "broker/core.h"

namespace telpher::broker {

class Rewriter {
public:
    Rewriter(Core& core, Background& background) : core_(core), background_(background) {}

    /// Begins, if it is time (called now and then).
    void look();
    [[nodiscard]] bool working() const { return working_; }
    /// What was found in the log and is not what was written there: the shard must stop.
    [[nodiscard]] const std::optional<Error>& damage() const { return damage_; }
    [[nodiscard]] std::uint64_t bytes_moved() const { return bytes_moved_; }  ///< Since the start, of records.
    [[nodiscard]] std::uint64_t segments_freed() const { return segments_freed_; }

private:
    /// The log takes more than twice what lives in it and so many segments.
    [[nodiscard]] bool wanted(double spared_segments) const;
    [[nodiscard]] bool old_enough();
    void begin_segment();
    void read_on();
    void take(const Result<std::vector<log::StoredRecord>>& records, const log::Walk& walk);
    Result<void> move(const log::StoredRecord& record);
    void write(HostedQueue& queue, const batch::View& view, std::vector<queue::Queue::Stretch> stretches);
    void end();

    Core& core_;
    Background& background_;
    bool working_ = false;
    log::Walk walk_;
    SegmentId seen_;                    ///< The oldest segment at the last look ...
    Instant seen_at_;                   ///< ... and since when.
    SegmentId pass_end_;                ///< The segment that was the last when the pass began.
    std::uint64_t moved_before_ = 0;    ///< Of bytes_moved_, then.
    std::uint64_t freed_ = 0;           ///< Of segments, in this pass.
    bool paid_ = true;                  ///< The last pass freed at least half of what it wrote.
    std::uint64_t settled_before_ = 0;  ///< Of Core::settled_bytes, when it ended.
    std::uint64_t bytes_moved_ = 0;
    std::uint64_t segments_freed_ = 0;
    std::optional<Error> damage_;
};

}  // namespace telpher::broker
