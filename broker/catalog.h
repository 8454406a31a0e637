// The queues of a shard: by number and by name, which of them need a look this cycle, and when each has a timer due.
// Owned by the shard thread; lives as long as the shard. Pure.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/hosted_queue.h"

namespace telpher::broker {

class Catalog {
public:
    /// A new queue with the next number.
    HostedQueue& create(std::string name, const queue::Options& options);
    /// A queue found in the log.
    HostedQueue& restore(QueueId id, std::string name, const queue::Options& options);
    void remove(QueueId id);
    /// The queue, which has no owner yet, is this user's from now on; nothing if the name is empty.
    void give(HostedQueue& queue, std::string owner);
    [[nodiscard]] const std::set<const HostedQueue*>& owned_by(const std::string& owner) const;
    [[nodiscard]] HostedQueue* find(QueueId id);
    [[nodiscard]] HostedQueue* find(std::string_view name);
    [[nodiscard]] const std::map<std::string, HostedQueue*, std::less<>>& by_name() const { return by_name_; }
    [[nodiscard]] std::size_t size() const { return by_id_.size(); }

    /// The queue is looked after at the end of the cycle.
    void touch(HostedQueue& queue);
    /// Takes the list of touched queues.
    std::vector<QueueId> take_touched();
    [[nodiscard]] bool any_touched() const { return !touched_.empty(); }

    /// Enters the queue's next timer.
    void schedule(HostedQueue& queue, Instant due);
    /// Queues whose timer is due, taken out.
    std::vector<QueueId> take_due(Instant now);
    [[nodiscard]] Instant next_due() const;

    [[nodiscard]] QueueId next_id() const { return next_id_; }
    void restore_next_id(QueueId id) { next_id_ = std::max(next_id_, id); }

private:
    std::unordered_map<QueueId, std::unique_ptr<HostedQueue>> by_id_;
    std::map<std::string, HostedQueue*, std::less<>> by_name_;
    std::unordered_map<std::string, std::set<const HostedQueue*>> by_owner_;  // none that is empty
    std::vector<QueueId> touched_;
    std::set<std::pair<Instant, QueueId>> timers_;
    QueueId next_id_{1};
};

}  // namespace telpher::broker
