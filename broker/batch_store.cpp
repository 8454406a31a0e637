#include "broker/batch_store.h"

#include "proto/base/check.h"

namespace telpher::broker {

BatchRef BatchStore::add(QueueId queue, batch::View view, const log::Position& position, Instant now) {
    const BatchRef ref = next_;
    next_ += 1;
    Entry& entry = entries_[ref];
    entry.position = position;
    entry.queue = queue;
    entry.since = now;
    entry.pinned = true;
    cached_bytes_ += view.bytes().size();
    entry.body.emplace(std::move(view));
    evict();
    return ref;
}

BatchRef BatchStore::add_stored(QueueId queue, const log::Position& position, Instant since) {
    TELPHER_CHECK(position.bytes > 0);
    const BatchRef ref = next_;
    next_ += 1;
    Entry& entry = entries_[ref];
    entry.position = position;
    entry.queue = queue;
    entry.since = since;
    return ref;
}

void BatchStore::unpin(BatchRef ref) {
    Entry* entry = find(ref);
    if (entry == nullptr || entry->position.bytes == 0 || !entry->pinned) return;
    entry->pinned = false;
    recent_.push_back(ref);
    evict();
}

void BatchStore::loaded(BatchRef ref, batch::View view) {
    Entry* entry = find(ref);
    if (entry == nullptr || entry->body.has_value()) return;
    cached_bytes_ += view.bytes().size();
    entry->body.emplace(std::move(view));
    recent_.push_back(ref);
    evict();
}

BatchStore::Entry* BatchStore::find(BatchRef ref) {
    const auto found = entries_.find(ref);
    return found == entries_.end() ? nullptr : &found->second;
}

void BatchStore::erase(BatchRef ref) {
    const auto found = entries_.find(ref);
    TELPHER_CHECK(found != entries_.end());
    if (found->second.body) cached_bytes_ -= found->second.body->bytes().size();
    entries_.erase(found);
    while (!recent_.empty() && !entries_.contains(recent_.front())) recent_.pop_front();
}

void BatchStore::evict() {
    // The newest body stays even if it alone is over the bound: somebody is about to read it.
    while (cached_bytes_ > cache_bytes_max_ && recent_.size() > 1) {
        Entry* entry = find(recent_.front());
        recent_.pop_front();
        if (entry == nullptr || !entry->body || entry->pinned) continue;
        cached_bytes_ -= entry->body->bytes().size();
        entry->body.reset();
    }
}

}  // namespace telpher::broker
