#include "broker/quota.h"

#include <fmt/format.h>

#include <limits>

namespace telpher::broker {
namespace {

std::uint64_t sum(std::uint64_t one, std::uint64_t other) {
    return other > UINT64_MAX - one ? UINT64_MAX : one + other;
}

/// The sum of a bound over all queues but `changed`.
std::uint64_t in_use(const std::set<const HostedQueue*>& owned, const HostedQueue* changed,
                     std::uint64_t queue::Options::*bound) {
    std::uint64_t all = 0;
    for (const HostedQueue* queue : owned) {
        if (queue != changed) all = sum(all, queue->queue.options().*bound);
    }
    return all;
}

/// Of two bounds of a queue; none (0) is more than any.
bool grows(std::uint64_t before, std::uint64_t after) { return before != 0 && (after == 0 || after > before); }

}  // namespace

Result<void> check_quota(const security::Quota& quota, const std::string& user,
                         const std::set<const HostedQueue*>& owned, const queue::Options& wanted,
                         const HostedQueue* changed) {
    if (changed == nullptr && quota.queues > 0 && owned.size() >= quota.queues)
        return fail(Code::kLimit, fmt::format("quota of user {}: {} queues of {}", user, owned.size(), quota.queues));
    const auto check = [&](const char* what, std::uint64_t most, std::uint64_t queue::Options::*bound) -> Result<void> {
        if (most == 0) return {};  // most have no quota: their queues are not gone through
        if (changed != nullptr && !grows(changed->queue.options().*bound, wanted.*bound)) return {};
        if (wanted.*bound == 0)  // a maxsize is never 0
            return fail(Code::kLimit, fmt::format("quota of user {}: {}: the queue needs max_bytes", user, what));
        const std::uint64_t used = in_use(owned, changed, bound);
        if (sum(used, wanted.*bound) <= most) return {};
        return fail(Code::kLimit, fmt::format("quota of user {}: {}: {} in other queues, {} asked, {} allowed", user,
                                              what, used, wanted.*bound, most));
    };
    if (auto done = check("messages", quota.messages, &queue::Options::maxsize); !done) return done;
    return check("bytes", quota.bytes, &queue::Options::max_bytes);
}

}  // namespace telpher::broker
