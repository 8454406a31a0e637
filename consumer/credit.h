// How much a consumer asks for: the absolute limits of CREDIT, from how fast it really works. Pure; guarded by the
// subscription's mutex; one per attachment's owner, reset with every attachment.
//
// Adaptive (prefetch 0): what is buffered here plus what may still arrive = threads that wait for a message + what was
// settled in the last 20 ms, less one. So a handler that takes 20 ms or more holds nothing back from other consumers,
// and a fast one doubles its credit with every round trip. Fixed (prefetch n): buffered + being handled + what may
// arrive = n. Bytes bound only what is buffered or may arrive; one message may be larger, as the broker delivers while
// the limit is not reached.
//
// Invariants: limits never fall within an attachment; outstanding messages never pass kCreditMessagesMax.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "proto/base/clock.h"
#include "proto/limits.h"

namespace telpher::consumer {

/// The two absolute limits of an attachment, counted since it was made.
struct CreditLimits {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    bool operator==(const CreditLimits&) const = default;
};

/// What a consumer has and does right now.
struct Load {
    std::uint64_t delivered = 0;        ///< Messages of this attachment so far.
    std::uint64_t delivered_bytes = 0;  ///< Bytes of them, as the broker counts.
    std::uint64_t buffered = 0;         ///< Not taken yet.
    std::uint64_t buffered_bytes = 0;
    std::uint64_t handled = 0;              ///< Taken, without a verdict.
    std::uint32_t waiting = 0;              ///< Threads that wait for a message.
    std::uint64_t takes_left = UINT64_MAX;  ///< So many will be taken at most from now on, buffered ones among them.
};

class Credit {
public:
    static constexpr Duration kWindow = std::chrono::milliseconds(20);
    static constexpr std::uint64_t kBufferBytes = 4 * limits::kMiB;

    /// `prefetch` 0 = adaptive. `eager`: ask for one message although nobody waits yet, while none is being handled.
    Credit(std::uint32_t prefetch, bool eager);

    /// `count` messages were settled lately.
    void settled(std::uint64_t count, Instant now);
    /// The limits to tell the broker now; nullopt while what it knows is enough.
    std::optional<CreditLimits> raise(const Load& load, Instant now);
    /// True if raise() is worth an engine turn. Cheap: for the user's threads.
    [[nodiscard]] bool low(const Load& load) const;
    /// A new attachment: nothing was delivered, nothing was granted.
    void restart() { granted_ = {}; }

    [[nodiscard]] const CreditLimits& granted() const { return granted_; }

private:
    static constexpr std::size_t kBuckets = 4;
    static constexpr Duration kBucket = kWindow / kBuckets;

    void roll(Instant now);
    [[nodiscard]] std::uint64_t settled_lately() const;
    [[nodiscard]] std::uint64_t wanted(const Load& load) const;
    [[nodiscard]] bool short_of(const Load& load, std::uint64_t wanted) const;
    [[nodiscard]] bool short_of_bytes(const Load& load) const;

    std::uint32_t prefetch_;
    bool eager_;
    CreditLimits granted_;
    std::uint64_t wanted_ = 1;  ///< At the last raise().
    std::array<std::uint64_t, kBuckets> buckets_{};
    std::int64_t bucket_ = 0;  ///< Number of the current bucket since the clock's origin.
};

}  // namespace telpher::consumer
