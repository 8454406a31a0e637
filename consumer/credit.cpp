#include "consumer/credit.h"

#include <algorithm>
#include <numeric>

namespace telpher::consumer {

namespace {

/// Below this, taking a message is no reason to wake the engine: its verdict will be.
constexpr std::uint64_t kRefillEarly = 4;

std::uint64_t minus(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; }

}  // namespace

static_assert(Credit::kBufferBytes <= limits::kCreditBytesMax);

Credit::Credit(std::uint32_t prefetch, bool eager)
    : prefetch_(std::min<std::uint32_t>(prefetch, limits::kCreditMessagesMax)), eager_(eager) {}

void Credit::roll(Instant now) {
    const std::int64_t current = now.ns / kBucket.count();
    const std::int64_t passed = std::min<std::int64_t>(current - bucket_, kBuckets);
    for (std::int64_t i = 0; i < passed; ++i) buckets_[static_cast<std::size_t>(current - i) % kBuckets] = 0;
    bucket_ = std::max(bucket_, current);
}

void Credit::settled(std::uint64_t count, Instant now) {
    roll(now);
    buckets_[static_cast<std::size_t>(bucket_) % kBuckets] += count;
}

std::uint64_t Credit::settled_lately() const {
    return std::accumulate(buckets_.begin(), buckets_.end(), std::uint64_t{0});
}

// What should be buffered or on its way, all in all.
std::uint64_t Credit::wanted(const Load& load) const {
    if (prefetch_ > 0) return std::min(minus(prefetch_, load.handled), load.takes_left);
    const std::uint64_t floor = eager_ && load.handled == 0 ? 1 : 0;
    const std::uint64_t wanted = std::max(load.waiting + minus(settled_lately(), 1), floor);
    return std::min({wanted, minus(limits::kCreditMessagesMax, load.handled), load.takes_left});
}

// True if much less than `wanted` is buffered or on its way, or a thread waits for which nothing is.
bool Credit::short_of(const Load& load, std::uint64_t wanted) const {
    const std::uint64_t coming = load.buffered + minus(granted_.messages, load.delivered);
    const std::uint64_t waiting = std::min<std::uint64_t>(load.waiting, load.takes_left);
    return coming < wanted && (2 * coming <= wanted || coming < waiting);
}

bool Credit::short_of_bytes(const Load& load) const {
    const std::uint64_t coming = load.buffered_bytes + minus(granted_.bytes, load.delivered_bytes);
    return granted_.messages > load.delivered && 2 * coming <= kBufferBytes;
}

bool Credit::low(const Load& load) const {
    if (short_of_bytes(load)) return true;
    if (prefetch_ > 0) return short_of(load, wanted(load));
    const std::uint64_t floor = eager_ && load.handled == 0 ? 1 : 0;
    const std::uint64_t wanted = std::max<std::uint64_t>({wanted_ >= kRefillEarly ? wanted_ : 0, load.waiting, floor});
    return short_of(load, std::min({wanted, minus(limits::kCreditMessagesMax, load.handled), load.takes_left}));
}

std::optional<CreditLimits> Credit::raise(const Load& load, Instant now) {
    roll(now);
    wanted_ = wanted(load);
    if (short_of(load, wanted_)) {
        granted_.messages = std::max(granted_.messages, load.delivered + minus(wanted_, load.buffered));
    } else if (!short_of_bytes(load)) {
        return std::nullopt;
    }
    granted_.bytes = std::max(granted_.bytes, load.delivered_bytes + minus(kBufferBytes, load.buffered_bytes));
    return granted_;
}

}  // namespace telpher::consumer
