// What a queue counts for the metrics and not for its own work: since the daemon's start, by the shard thread, O(1) per
// batch. Lives in its HostedQueue. Since when leases run is kept in runs of messages, as the ledger keeps the leases.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "broker/queue/death.h"
#include "broker/queue/interval_map.h"
#include "proto/base/clock.h"
#include "proto/base/histogram.h"
#include "telpher/error.h"

namespace telpher::broker {

/// Why puts are refused, as the label `reason` says it.
inline constexpr std::array<std::pair<Code, std::string_view>, 4> kRejectReasons{
    {{Code::kFull, "full"}, {Code::kSealed, "sealed"}, {Code::kDiskFull, "disk_full"}, {Code::kDeadlock, "deadlock"}}};

/// Why messages die, in the order of queue::Cause, as the label `reason` says it.
inline constexpr std::array<std::string_view, 3> kDeadReasons{"verdict", "attempts", "lease"};

struct QueueMetrics {
    std::uint64_t delivered = 0;
    std::array<std::uint64_t, kRejectReasons.size()> rejected{};  ///< In the order of kRejectReasons.
    std::array<std::uint64_t, kDeadReasons.size()> died{};        ///< In the order of kDeadReasons.
    TimeHistogram put_wait;                                       ///< Of a put in line, until it is admitted.
    TimeHistogram queue_wait;                                     ///< From there until the message is handed out.
    TimeHistogram lease;                                          ///< From there until it is acked.

    /// Messages refused with `code`; one that is no refusal by the queue counts nowhere.
    void reject(Code code, std::uint64_t messages) {
        for (std::size_t i = 0; i < kRejectReasons.size(); ++i) {
            if (kRejectReasons[i].first == code) rejected[i] += messages;
        }
    }
    void died_of(queue::Cause cause, std::uint64_t messages) { died[static_cast<std::size_t>(cause) - 1] += messages; }
    void add(const QueueMetrics& other) {
        delivered += other.delivered;
        for (std::size_t i = 0; i < rejected.size(); ++i) rejected[i] += other.rejected[i];
        for (std::size_t i = 0; i < died.size(); ++i) died[i] += other.died[i];
        put_wait.add(other.put_wait);
        queue_wait.add(other.queue_wait);
        lease.add(other.lease);
    }
};

/// When the messages in consumers' hands were handed out. What was so before the daemon's start is not known here.
class LeaseTimes {
public:
    void begin(queue::Range range, Instant now) {
        end(range, [](Instant, std::uint64_t) {});
        since_.insert(range, now);
    }
    /// The messages are in nobody's hands any more; `each(since, count)` is called for those whose time is known.
    template <class Each>
    void end(queue::Range range, Each each) {
        Offset at = range.first;
        while (at < range.end()) {
            const auto run = since_.at_or_after(at);
            if (!run || run->range.first >= range.end()) return;
            const Offset first = std::max(run->range.first, at);
            at = std::min(run->range.end(), range.end());
            since_.take({first, at - first});
            each(run->value, at - first);
        }
    }
    void end(queue::Range range) {
        end(range, [](Instant, std::uint64_t) {});
    }
    /// The earliest of the first `runs_max` runs, which are the oldest messages.
    [[nodiscard]] std::optional<Instant> oldest(std::size_t runs_max) const {
        std::optional<Instant> oldest;
        auto run = since_.front();
        for (; run && runs_max > 0; --runs_max) {
            oldest = std::min(oldest.value_or(run->value), run->value);
            run = since_.at_or_after(run->range.end());
        }
        return oldest;
    }
    [[nodiscard]] bool empty() const { return since_.empty(); }

private:
    queue::IntervalMap<Instant> since_;
};

}  // namespace telpher::broker
