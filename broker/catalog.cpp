#include "broker/catalog.h"

#include "proto/base/check.h"

namespace telpher::broker {

HostedQueue& Catalog::create(std::string name, const queue::Options& options) {
    return restore(next_id_, std::move(name), options);
}

HostedQueue& Catalog::restore(QueueId id, std::string name, const queue::Options& options) {
    TELPHER_CHECK(!by_id_.contains(id) && !by_name_.contains(name));
    auto made = std::make_unique<HostedQueue>(id, std::move(name), options);
    HostedQueue& queue = *made;
    by_name_.emplace(queue.name, &queue);
    by_id_.emplace(id, std::move(made));
    restore_next_id(id + 1);
    return queue;
}

void Catalog::remove(QueueId id) {
    HostedQueue* queue = find(id);
    TELPHER_CHECK(queue != nullptr);
    timers_.erase({queue->timer, id});
    if (const auto owned = by_owner_.find(queue->owner); owned != by_owner_.end()) {
        owned->second.erase(queue);
        if (owned->second.empty()) by_owner_.erase(owned);
    }
    by_name_.erase(queue->name);
    by_id_.erase(id);
}

void Catalog::give(HostedQueue& queue, std::string owner) {
    TELPHER_CHECK(queue.owner.empty());
    if (owner.empty()) return;
    queue.owner = std::move(owner);
    by_owner_[queue.owner].insert(&queue);
}

const std::set<const HostedQueue*>& Catalog::owned_by(const std::string& owner) const {
    static const std::set<const HostedQueue*> kNone;
    const auto found = by_owner_.find(owner);
    return found == by_owner_.end() ? kNone : found->second;
}

HostedQueue* Catalog::find(QueueId id) {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : found->second.get();
}

HostedQueue* Catalog::find(std::string_view name) {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second;
}

void Catalog::touch(HostedQueue& queue) {
    if (queue.touched) return;
    queue.touched = true;
    touched_.push_back(queue.id);
}

std::vector<QueueId> Catalog::take_touched() {
    std::vector<QueueId> taken;
    taken.swap(touched_);
    for (const QueueId id : taken) {
        if (HostedQueue* queue = find(id)) queue->touched = false;
    }
    return taken;
}

void Catalog::schedule(HostedQueue& queue, Instant due) {
    if (queue.timer == due) return;
    timers_.erase({queue.timer, queue.id});
    queue.timer = due;
    if (due != Instant::never()) timers_.emplace(due, queue.id);
}

std::vector<QueueId> Catalog::take_due(Instant now) {
    std::vector<QueueId> due;
    while (!timers_.empty() && timers_.begin()->first <= now) {
        const QueueId id = timers_.begin()->second;
        timers_.erase(timers_.begin());
        if (HostedQueue* queue = find(id)) {
            queue->timer = Instant::never();
            due.push_back(id);
        }
    }
    return due;
}

Instant Catalog::next_due() const { return timers_.empty() ? Instant::never() : timers_.begin()->first; }

}  // namespace telpher::broker
