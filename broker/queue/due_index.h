// Watches of interval maps: the runs by the time they are due, and leases also by who holds them. Owned by their map.
#pragma once

#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "broker/queue/queue.h"

namespace telpher::queue {

/// A message in wait for its time.
struct Delay {
    Instant due;
    Tries tries;
    bool operator==(const Delay&) const = default;
};

/// A message that is handed out no more until somebody redrives it.
struct DeadLetter {
    Tries tries;
    DeathNote note;
    bool operator==(const DeadLetter&) const = default;  // the same note, not an equal one
};

/// A message in a consumer's hands.
struct Lease {
    ConsumerId consumer;
    Tries tries;
    Instant deadline;        ///< Instant::never() = as long as the consumer is attached.
    bool unclaimed = false;  ///< Between claim_begin and claim_end: not yet claimed.
    bool operator==(const Lease&) const = default;
};

/// First offsets of runs by the time they are due; what is never due is not in it.
class DueIndex {
public:
    void added(Offset first, const Delay& delay) { add(first, delay.due); }
    void removed(Offset first, const Delay& delay) { remove(first, delay.due); }

    void add(Offset first, Instant due) {
        if (due != Instant::never()) due_.emplace(due, first);
    }
    void remove(Offset first, Instant due) {
        if (due != Instant::never()) due_.erase({due, first});
    }
    [[nodiscard]] Instant next() const { return due_.empty() ? Instant::never() : due_.begin()->first; }
    /// First offset of a run that is due by `now`.
    [[nodiscard]] std::optional<Offset> due_by(Instant now) const {
        if (due_.empty() || due_.begin()->first > now) return std::nullopt;
        return due_.begin()->second;
    }

private:
    std::set<std::pair<Instant, Offset>> due_;
};

/// First offsets of leases by deadline and by consumer.
class LeaseIndex {
public:
    void added(Offset first, const Lease& lease) {
        deadlines_.add(first, lease.deadline);
        owners_.emplace(lease.consumer, first);
    }
    void removed(Offset first, const Lease& lease) {
        deadlines_.remove(first, lease.deadline);
        owners_.erase({lease.consumer, first});
    }
    [[nodiscard]] const DueIndex& deadlines() const { return deadlines_; }
    /// First offsets of the consumer's leases, in order.
    [[nodiscard]] std::vector<Offset> of(ConsumerId consumer) const {
        std::vector<Offset> firsts;
        for (auto at = owners_.lower_bound({consumer, Offset()}); at != owners_.end() && at->first == consumer; ++at)
            firsts.push_back(at->second);
        return firsts;
    }

private:
    DueIndex deadlines_;
    std::set<std::pair<ConsumerId, Offset>> owners_;
};

}  // namespace telpher::queue
