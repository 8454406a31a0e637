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

}  // namespace

Result<void> check_quota(const security::Quota& quota, const std::string& user,
                         const std::set<const HostedQueue*>& owned, const queue::Options& wanted,
                         const HostedQueue* changed) {
    if (changed == nullptr && quota.queues > 0 && owned.size() >= quota.queues)
        return fail(Code::kLimit, fmt::format("quota of user {}: {} queues of {}", user, owned.size(), quota.queues));
    const auto check = [&](const char* what, std::uint64_t most, std::uint64_t queue::Options::*bound) -> Result<void> {
        const std::uint64_t before = changed == nullptr ? 0 : changed->queue.options().*bound;
        const std::uint64_t asked = wanted.*bound;
        const std::uint64_t used = in_use(owned, changed, bound);
        const bool grows = changed == nullptr || asked > before;
        if (most == 0 || !grows || sum(used, asked) <= most) return {};
        return fail(Code::kLimit, fmt::format("quota of user {}: {}: {} in other queues, {} asked, {} allowed", user,
                                              what, used, asked, most));
    };
    if (auto done = check("messages", quota.messages, &queue::Options::maxsize); !done) return done;
    if (quota.bytes > 0 && wanted.max_bytes == 0) {  // no bound, which is more than any
        if (changed != nullptr && changed->queue.options().max_bytes == 0) return {};
        return fail(Code::kLimit, fmt::format("quota of user {}: bytes: the queue needs max_bytes", user));
    }
    return check("bytes", quota.bytes, &queue::Options::max_bytes);
}

}  // namespace telpher::broker
