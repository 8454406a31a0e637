// Verdicts on their way to the broker: collected one by one, sent as ranges, kept until the broker has them committed.
// Pure; guarded by the subscription's mutex.
//
// Verdicts gather in an open round. close() makes frames of it: per (verdict, delay) one run list, sorted and merged.
// Frames are sent in order, confirmed in order, and sent again in order on a new attachment, where their numbers start
// again at 1. A round is done when its last frame is confirmed; who waits for a verdict waits for its round.
//
// Invariants: numbers of frames on their way are consecutive; a frame's runs rise, do not overlap and are at most
// kSettleRangesMax; every verdict added is in exactly one of: open round, frames, confirmed.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "proto/frame.h"
#include "proto/limits.h"
#include "proto/telpher.pb.h"

namespace telpher::consumer {

/// What was decided about a message: sent together if equal.
struct Decision {
    v1::Settle::Verdict verdict = v1::Settle::VERDICT_ACK;
    std::uint64_t delay_ms = 0;  ///< nack only
    bool backoff = false;        ///< nack only: the queue's own delay instead
    std::string reason = {};     ///< nack and dead
    auto operator<=>(const Decision&) const = default;
};

/// One SETTLE.
struct SettleFrame {
    std::uint64_t round = 0;
    Decision decision;
    std::vector<frame::Run> runs;  ///< (first offset, count, delivery)
};

class SettleBatcher {
public:
    /// Frames on their way at most, unless very much has gathered.
    static constexpr std::size_t kInFlightMax = 8;
    /// Open runs that are sent without waiting for what is on its way.
    static constexpr std::size_t kRunsLarge = limits::kSettleRangesMax / 2;

    /// Adds a verdict to the open round. O(1) while offsets rise.
    void add(const Decision& decision, std::uint64_t offset, std::uint64_t delivery, std::uint64_t count = 1);

    /// True if the open round should be closed and sent now: nothing is on its way, very much has gathered, or nothing
    /// is left to be handled (`idle`) so that nothing is gained by waiting.
    [[nodiscard]] bool due(bool idle) const;
    /// Ends the open round (if it has verdicts): its frames join those to be sent.
    void close();
    /// The next frame to send and its number in this attachment; nullptr = none. Valid until the next call.
    const SettleFrame* next_to_send(std::uint64_t& number);

    /// Frames up to `number` are committed. False if no such number is on its way.
    bool confirm(std::uint64_t number);
    /// The frame of `number` while it is on its way, else nullptr.
    [[nodiscard]] const SettleFrame* on_its_way(std::uint64_t number) const;
    /// The attachment is gone: everything unconfirmed is sent again in the next one, from number 1.
    void restart();
    /// Calls f(run) for every run that is not confirmed.
    template <class F>
    void for_each_unconfirmed(F&& f) const;

    [[nodiscard]] bool open_empty() const { return open_runs_ == 0; }
    [[nodiscard]] bool all_confirmed() const { return open_empty() && frames_.empty(); }
    /// The round that a verdict added now belongs to; done_below() passes it when all its verdicts are committed.
    [[nodiscard]] std::uint64_t open_round() const { return open_round_; }
    /// Every round below has been committed.
    [[nodiscard]] std::uint64_t done_below() const;

private:
    struct Group {
        std::vector<frame::Run> runs;
        bool rising = true;  ///< The runs are in order and apart.
    };

    void close_group(const Decision& decision, Group& group);

    std::map<Decision, Group> open_;
    Decision last_decision_;
    Group* last_ = nullptr;  ///< Of last_decision_, in open_.
    std::size_t open_runs_ = 0;
    std::uint64_t open_round_ = 1;
    std::deque<SettleFrame> frames_;  ///< On their way first, then those to be sent.
    std::size_t sent_ = 0;            ///< How many of frames_ are on their way.
    std::uint64_t confirmed_ = 0;     ///< Number of the last confirmed frame of this attachment.
};

template <class F>
void SettleBatcher::for_each_unconfirmed(F&& f) const {
    for (const SettleFrame& frame : frames_)
        for (const frame::Run& run : frame.runs) f(run);
    for (const auto& [decision, group] : open_)
        for (const frame::Run& run : group.runs) f(run);
}

}  // namespace telpher::consumer
