#include "broker/queue/batch_index.h"

#include <algorithm>

#include "proto/base/check.h"

namespace telpher::queue {

void BatchIndex::add(const StoredBatch& batch) { restore({batch, batch.range.count, batch.bytes}); }

void BatchIndex::restore(const LiveBatch& live) {
    const StoredBatch& batch = live.batch;
    const Range& range = batch.range;
    const std::uint64_t of_count = live.of_count > 0 ? live.of_count : range.count;
    TELPHER_CHECK(live.messages > 0 && live.messages <= range.count && live.bytes <= batch.bytes);
    TELPHER_CHECK(of_count <= UINT32_MAX && range.count <= of_count && live.at <= of_count - range.count);
    TELPHER_CHECK(range.count > 0 && range.count <= UINT32_MAX && batch.bytes <= UINT32_MAX);
    const auto next = batches_.lower_bound(range.first);
    TELPHER_CHECK(next == batches_.end() || range.end() <= next->first);
    TELPHER_CHECK(next == batches_.begin() || std::prev(next)->first + std::prev(next)->second.count <= range.first);
    const auto count = static_cast<std::uint32_t>(range.count);
    const auto put_seconds = static_cast<std::uint32_t>(std::clamp<std::int64_t>(batch.put.ms / 1000, 0, UINT32_MAX));
    batches_.emplace_hint(
        next, range.first,
        Batch{batch.ref, static_cast<std::uint32_t>(batch.bytes), static_cast<std::uint32_t>(of_count),
              static_cast<std::uint32_t>(live.at), count, static_cast<std::uint32_t>(live.messages),
              static_cast<std::uint32_t>(live.bytes), batch.index, put_seconds});
    bytes_ += live.bytes;
}

LiveBatch BatchIndex::stored(Offset first, const Batch& batch) {
    const WallTime put{std::int64_t{batch.put_seconds} * 1000};
    return {{batch.ref, Range{first, batch.count}, batch.bytes, batch.index, put},
            batch.live,
            batch.live_bytes,
            batch.of_count,
            batch.at};
}

template <class Map>
auto BatchIndex::holding(Map& batches, Offset offset) {
    auto batch = batches.upper_bound(offset);
    TELPHER_CHECK(batch != batches.begin());
    return --batch;
}

auto BatchIndex::place_in(Batches::const_iterator found, Range range) -> Place {
    const auto& [first, batch] = *found;
    const std::uint64_t index = range.first - first;
    TELPHER_CHECK(index < batch.count);
    return {batch.ref,
            batch.index + static_cast<std::uint32_t>(index),
            Range{range.first, std::min(range.count, batch.count - index)},
            MeanBytes(batch.of_count, batch.bytes),
            batch.at + index,
            WallTime{std::int64_t{batch.put_seconds} * 1000},
            first};
}

auto BatchIndex::place(Range range) const -> Place { return place_in(holding(batches_, range.first), range); }

std::uint64_t BatchIndex::bytes(Range range) const {
    std::uint64_t bytes = 0;
    for (auto batch = holding(batches_, range.first); range.count > 0; ++batch) {
        TELPHER_CHECK(batch != batches_.end());
        const Place part = place_in(batch, range);
        bytes += part.bytes();
        range = {part.range.end(), range.count - part.range.count};
    }
    return bytes;
}

auto BatchIndex::weigh(Batches::const_iterator found, Range range, const OffsetSet& present) -> Weight {
    const auto& [first, batch] = *found;
    const Offset from = std::max(first, range.first);
    const Offset end = std::min(first + batch.count, range.end());
    if (from >= end) return {};
    if (end - from == batch.count) return {batch.live, batch.live_bytes};
    const Range part{from, end - from};
    const auto each = MeanBytes(batch.of_count, batch.bytes).each();
    if (batch.live < batch.count && each) {
        const std::uint64_t messages = present.count(part);
        return {messages, messages * *each};
    }
    Weight weight;
    each_run(found, part, present, [&](Range run) {
        weight.messages += run.count;
        weight.bytes += place_in(found, run).bytes();
    });
    return weight;
}

std::uint64_t BatchIndex::bytes(Range range, const OffsetSet& present) const {
    std::uint64_t bytes = 0;
    for (auto batch = ending_above(batches_, range.first); batch != batches_.end() && batch->first < range.end();
         ++batch) {
        bytes += weigh(batch, range, present).bytes;
    }
    return bytes;
}

auto BatchIndex::take(Batches::iterator found, std::uint64_t messages, std::uint64_t bytes) -> Batches::iterator {
    Batch& batch = found->second;
    TELPHER_CHECK(batch.live >= messages && batch.live_bytes >= bytes && bytes_ >= bytes);
    batch.live -= static_cast<std::uint32_t>(messages);
    batch.live_bytes -= static_cast<std::uint32_t>(bytes);
    bytes_ -= bytes;
    if (freed_.empty() || freed_.back().batch != batch.ref) freed_.push_back({batch.ref});
    freed_.back().messages += messages;
    freed_.back().bytes += bytes;
    freed_.back().empty = batch.live == 0;
    return batch.live == 0 ? batches_.erase(found) : std::next(found);
}

std::uint64_t BatchIndex::release(Range range) {
    std::uint64_t bytes = 0;
    for (auto found = holding(batches_, range.first); range.count > 0;) {
        TELPHER_CHECK(found != batches_.end());
        const Place part = place_in(found, range);
        found = take(found, part.range.count, part.bytes());
        bytes += part.bytes();
        range = {part.range.end(), range.count - part.range.count};
    }
    return bytes;
}

std::uint64_t BatchIndex::release(Range range, const OffsetSet& present) {
    std::uint64_t bytes = 0;
    for (auto found = ending_above(batches_, range.first); found != batches_.end() && found->first < range.end();) {
        const Weight weight = weigh(found, range, present);
        bytes += weight.bytes;
        found = weight.messages > 0 ? take(found, weight.messages, weight.bytes) : std::next(found);
    }
    return bytes;
}

std::optional<std::uint64_t> BatchIndex::alike(Batches::const_iterator found, Range range, std::uint64_t messages) {
    const auto& [first, batch] = *found;
    const auto each = MeanBytes(batch.of_count, batch.bytes).each();
    if (!each || range.first < first || range.end() > first + batch.count) return std::nullopt;
    return messages * *each;
}

std::uint64_t BatchIndex::bytes(Range range, const OffsetSet& present, std::uint64_t messages) const {
    const auto known = alike(holding(batches_, range.first), range, messages);
    return known ? *known : bytes(range, present);
}

std::uint64_t BatchIndex::release(Range range, const OffsetSet& present, std::uint64_t messages) {
    const auto found = holding(batches_, range.first);
    const auto known = alike(found, range, messages);
    if (!known) return release(range, present);
    take(found, messages, *known);
    return *known;
}

auto BatchIndex::part_of(const Batch& batch, std::uint64_t skipped, std::uint64_t count, Weight live) -> Batch {
    Batch part = batch;
    part.at += static_cast<std::uint32_t>(skipped);
    part.index += static_cast<std::uint32_t>(skipped);
    part.count = static_cast<std::uint32_t>(count);
    part.live = static_cast<std::uint32_t>(live.messages);
    part.live_bytes = static_cast<std::uint32_t>(live.bytes);
    return part;
}

void BatchIndex::enter(Offset first, const Batch& batch) {
    if (batch.live > 0) batches_.emplace(first, batch);
}

void BatchIndex::carve(Range range, const OffsetSet& present) {
    auto found = ending_above(batches_, range.first);
    while (found != batches_.end() && found->first < range.end()) {
        const auto [first, batch] = *found;
        const Offset end = first + batch.count;
        const Range before{first, range.first > first ? range.first - first : 0};
        const Offset rest = std::min(range.end(), end);
        const Range behind{rest, end - rest};
        const Batch kept_before = part_of(batch, 0, before.count, weigh(found, before, present));
        const Batch kept_behind = part_of(batch, rest - first, behind.count, weigh(found, behind, present));
        batches_.erase(found);
        enter(first, kept_before);
        enter(rest, kept_behind);
        found = batches_.lower_bound(range.first);
    }
}

void BatchIndex::relocate(const LiveBatch& moved, const OffsetSet& present) {
    const Range& range = moved.batch.range;
    const auto found = holding(batches_, range.first);
    const auto [first, batch] = *found;
    const std::uint64_t skipped = range.first - first;
    TELPHER_CHECK(skipped + range.count <= batch.count && batch.of_count == moved.of_count &&
                  batch.bytes == moved.batch.bytes && batch.at + skipped == moved.at);
    const Weight below = weigh(found, {first, skipped}, present);
    const Weight here{moved.messages, moved.bytes};
    TELPHER_CHECK(below.messages + here.messages <= batch.live && below.bytes + here.bytes <= batch.live_bytes);
    const Weight above{batch.live - below.messages - here.messages, batch.live_bytes - below.bytes - here.bytes};
    freed_.push_back({batch.ref, here.messages, here.bytes, below.messages + above.messages == 0});
    Batch piece = part_of(batch, skipped, range.count, here);
    piece.ref = moved.batch.ref;
    piece.index = moved.batch.index;
    const std::uint64_t behind = skipped + range.count;
    batches_.erase(found);
    enter(first, part_of(batch, 0, skipped, below));
    enter(range.first, piece);
    enter(range.end(), part_of(batch, behind, batch.count - behind, above));
}

bool BatchIndex::fits(const LiveBatch& live) const {
    const Range& range = live.batch.range;
    const std::uint64_t of_count = live.of_count > 0 ? live.of_count : range.count;
    const bool sound = range.count > 0 && range.count <= of_count && of_count <= UINT32_MAX &&
                       live.at <= of_count - range.count && live.messages > 0 && live.messages <= range.count &&
                       live.batch.bytes <= UINT32_MAX && live.bytes <= live.batch.bytes && range.end() > range.first;
    if (!sound) return false;
    const auto next = batches_.lower_bound(range.first);
    if (next != batches_.end() && next->first < range.end()) return false;
    return next == batches_.begin() || std::prev(next)->first + std::prev(next)->second.count <= range.first;
}

std::uint64_t BatchIndex::live() const {
    std::uint64_t live = 0;
    for (const auto& [first, batch] : batches_) live += batch.live;
    return live;
}

}  // namespace telpher::queue
