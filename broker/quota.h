// May a user have another queue, or a larger one? What counts is what the user's queues may hold (their bounds), not
// what they hold now: so a message is never refused for a quota, and nothing is looked at when one is put. Pure.
#pragma once

#include <set>
#include <string>

#include "broker/hosted_queue.h"
#include "proto/security/user_file.h"

namespace telpher::broker {

/// A queue with the options `wanted` is to be made, or is to have them instead of those of `changed`, one of the user's
/// queues `owned`. What does not grow is always allowed. kLimit, with the figures, if the quota does not allow it.
Result<void> check_quota(const security::Quota& quota, const std::string& user,
                         const std::set<const HostedQueue*>& owned, const queue::Options& wanted,
                         const HostedQueue* changed = nullptr);

}  // namespace telpher::broker
