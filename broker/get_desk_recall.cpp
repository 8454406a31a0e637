// GetDesk: leases asked back for consumers that wait idle.
#include <algorithm>

#include "broker/get_desk.h"
#include "proto/frame.h"

namespace telpher::broker {
namespace {

/// Messages asked back in one RECALL: 30 bytes each at most, in a frame of 64 KiB.
constexpr std::uint64_t kRecallMax = 2000;
/// A queue is looked through for leases to ask back at most this often; what brings nothing (all of it is in handlers)
/// is repeated more and more rarely.
constexpr Duration kRecallPauseMin = std::chrono::milliseconds(10);
constexpr Duration kRecallPauseMax = std::chrono::seconds(1);

/// Writes what is asked back as runs, which rise on the wire.
void add_asked(std::vector<queue::Grant> asked, frame::Numbers& ranges) {
    std::sort(asked.begin(), asked.end(),
              [](const queue::Grant& a, const queue::Grant& b) { return a.range.first < b.range.first; });
    std::uint64_t end = 0;
    for (const queue::Grant& grant : asked)
        frame::add_run(ranges, end, {grant.range.first.value(), grant.range.count, grant.tries.deliveries});
}

}  // namespace

void GetDesk::recall(HostedQueue& queue) {
    queue.recall_due = false;
    if (core_.draining || queue.subscriptions.size() < 2) return;
    if (core_.now < queue.recall_at) {
        queue.recall_due = true;
        return;
    }
    queue.recall_at = core_.now + kRecallPauseMin;
    const std::vector<queue::Grant> asked = queue.queue.recall(kRecallMax);
    if (asked.empty()) return;
    queue.recall_pause = std::clamp(2 * queue.recall_pause, kRecallPauseMin, kRecallPauseMax);
    queue.recall_at = core_.now + queue.recall_pause;
    queue.recall_due = true;
    const Subscription& subscription = subscriptions_.at(by_consumer_.at(asked.front().consumer));
    const Session* session = core_.sessions.find(subscription.session);
    if (session == nullptr) return;
    v1::Recall message;
    message.set_sub(subscription.number);
    add_asked(asked, *message.mutable_ranges());
    core_.send(*session, v1::OP_RECALL, message);
}

}  // namespace telpher::broker
