#include "broker/batch_store.h"

#include "broker/log/record.h"
#include "proto/base/check.h"

namespace telpher::broker {
namespace {

// Segment number << 32 | record's place in units of the alignment; the highest bit: in memory only.
constexpr std::uint64_t kMemory = 1ULL << 63;
constexpr unsigned kSegmentShift = 32;

}  // namespace

BatchRef ref_of(const log::Position& position) {
    const std::uint64_t place = position.at / log::kRecordAlign;
    TELPHER_CHECK(position.at % log::kRecordAlign == 0 && place <= UINT32_MAX);
    TELPHER_CHECK(position.segment.value() < kMemory >> kSegmentShift);
    return BatchRef(position.segment.value() << kSegmentShift | place);
}

std::optional<log::Position> position_of(BatchRef ref) {
    if ((ref.value() & kMemory) != 0) return std::nullopt;
    return log::Position{SegmentId(ref.value() >> kSegmentShift), (ref.value() & UINT32_MAX) * log::kRecordAlign};
}

BatchRef BatchStore::memory_ref() { return BatchRef(kMemory | ++next_memory_ref_); }

void BatchStore::add(BatchRef ref, batch::View view, Instant now) {
    cached_bytes_ += view.bytes().size();
    const bool fresh = entries_.emplace(ref, Entry{std::move(view), now, true}).second;
    TELPHER_CHECK(fresh);
    evict();
}

void BatchStore::unpin(BatchRef ref) {
    Entry* entry = find(ref);
    if (entry == nullptr || !entry->pinned || !position_of(ref)) return;
    entry->pinned = false;
    recent_.push_back(ref);
    evict();
}

void BatchStore::loaded(BatchRef ref, batch::View view, Instant since) {
    const std::size_t bytes = view.bytes().size();
    if (!entries_.emplace(ref, Entry{std::move(view), since, false}).second) return;
    cached_bytes_ += bytes;
    recent_.push_back(ref);
    evict();
}

BatchStore::Entry* BatchStore::find(BatchRef ref) {
    const auto found = entries_.find(ref);
    return found == entries_.end() ? nullptr : &found->second;
}

void BatchStore::erase(BatchRef ref) {
    const auto found = entries_.find(ref);
    if (found == entries_.end()) return;
    // One that was written again holds what several were, of which the rest may be wanted before it can be read back.
    if (found->second.pinned && position_of(ref)) return;
    cached_bytes_ -= found->second.body.bytes().size();
    entries_.erase(found);
    while (!recent_.empty() && !entries_.contains(recent_.front())) recent_.pop_front();
}

void BatchStore::evict() {
    // The newest body stays even if it alone is over the bound: somebody is about to read it.
    while (cached_bytes_ > cache_bytes_max_ && recent_.size() > 1) {
        const auto found = entries_.find(recent_.front());
        recent_.pop_front();
        if (found == entries_.end() || found->second.pinned) continue;
        cached_bytes_ -= found->second.body.bytes().size();
        entries_.erase(found);
    }
}

}  // namespace telpher::broker
