#include "broker/queue/offset_set.h"

#include <algorithm>

#include "proto/base/check.h"

namespace telpher::queue {

template <class Visit>
void OffsetSet::split(Range range, Visit visit) {
    std::uint64_t at = range.first.value();
    const std::uint64_t end = at + range.count;
    while (at < end) {
        const std::uint64_t part = at >> kPartBits;
        const std::uint64_t base = part << kPartBits;
        const std::uint64_t stop = std::min(end - base, kPartOffsets);
        if (!visit(part, at - base, stop)) return;
        at = base + stop;
    }
}

void OffsetSet::add(Range range) {
    split(range, [this](std::uint64_t part, std::uint64_t first, std::uint64_t end) {
        parts_[part].addRange(first, end);
        return true;
    });
}

// The next two go by the parts there are: a range may be long beyond all parts.
void OffsetSet::remove(Range range) {
    for (auto part = parts_.lower_bound(range.first.value() >> kPartBits); part != parts_.end();) {
        const auto [first, end] = inside(part->first, range);
        if (first >= end) break;
        roaring_bitmap_remove_range(&part->second.roaring, first, end);
        part = part->second.isEmpty() ? parts_.erase(part) : std::next(part);
    }
}

std::pair<std::uint64_t, std::uint64_t> OffsetSet::inside(std::uint64_t part, Range range) {
    const std::uint64_t base = part << kPartBits;
    const std::uint64_t first = std::max(range.first.value(), base) - base;
    const std::uint64_t end = range.end().value() > base ? std::min(range.end().value() - base, kPartOffsets) : 0;
    return {first, end};
}

bool OffsetSet::contains(Offset offset) const {
    const auto found = parts_.find(offset.value() >> kPartBits);
    return found != parts_.end() &&
           found->second.contains(static_cast<std::uint32_t>(offset.value() & (kPartOffsets - 1)));
}

Offset OffsetSet::next(Offset at) const {
    auto part = parts_.lower_bound(at.value() >> kPartBits);
    std::uint64_t from = at.value() & (kPartOffsets - 1);
    if (part != parts_.end() && part->first > at.value() >> kPartBits) from = 0;
    for (; part != parts_.end(); ++part, from = 0) {
        roaring_uint32_iterator_t member;
        roaring_init_iterator(&part->second.roaring, &member);
        if (!roaring_move_uint32_iterator_equalorlarger(&member, static_cast<std::uint32_t>(from))) continue;
        return Offset((part->first << kPartBits) + member.current_value);
    }
    return kNone;
}

Offset OffsetSet::end_of_run(Offset at, Offset limit) const {
    Offset end = limit;
    split({at, limit - at}, [&](std::uint64_t part, std::uint64_t first, std::uint64_t stop) {
        const auto found = parts_.find(part);
        if (found != parts_.end() && found->second.containsRange(first, stop)) return true;
        // The answer is in this part: [first, low) are members, [first, high) are not all.
        std::uint64_t low = first;
        std::uint64_t high = first + 1;
        for (std::uint64_t step = 1; found != parts_.end() && found->second.containsRange(low, high); step *= 2) {
            low = high;
            high = std::min(high + step, stop);
        }
        while (found != parts_.end() && high - low > 1) {
            const std::uint64_t middle = low + (high - low) / 2;
            (found->second.containsRange(low, middle) ? low : high) = middle;
        }
        end = Offset((part << kPartBits) + low);
        return false;
    });
    return end;
}

Offset OffsetSet::nth(Offset at, std::uint64_t n) const {
    std::uint64_t from = at.value() & (kPartOffsets - 1);
    for (auto part = parts_.lower_bound(at.value() >> kPartBits); part != parts_.end(); ++part, from = 0) {
        if (part->first > at.value() >> kPartBits) from = 0;
        const roaring_bitmap_t& bitmap = part->second.roaring;
        const std::uint64_t here = roaring_bitmap_range_cardinality(&bitmap, from, kPartOffsets);
        if (n > here) {
            n -= here;
            continue;
        }
        const std::uint64_t before = roaring_bitmap_range_cardinality(&bitmap, 0, from);
        std::uint32_t found = 0;
        const bool there = roaring_bitmap_select(&bitmap, static_cast<std::uint32_t>(before + n - 1), &found);
        TELPHER_CHECK(there);
        return Offset((part->first << kPartBits) + found);
    }
    return kNone;
}

std::uint64_t OffsetSet::count(Range range) const {
    std::uint64_t count = 0;
    // Ranks go through a bitmap's words up to there; a few members are quicker gone through one by one.
    if (range.count <= kCountedOneByOne) {
        each_run(range, [&count](Range run) { count += run.count; });
        return count;
    }
    for (auto part = parts_.lower_bound(range.first.value() >> kPartBits); part != parts_.end(); ++part) {
        const auto [first, end] = inside(part->first, range);
        if (first >= end) break;
        count += roaring_bitmap_range_cardinality(&part->second.roaring, first, end);
    }
    return count;
}

bool OffsetSet::restore(std::uint64_t part, const std::string& bytes) {
    if (part >= UINT64_MAX >> kPartBits || bytes.empty()) return false;
    if (roaring_bitmap_portable_deserialize_size(bytes.data(), bytes.size()) != bytes.size()) return false;
    Roaring bitmap = Roaring::readSafe(bytes.data(), bytes.size());
    if (bitmap.isEmpty() || bitmap.maximum() >= kPartOffsets) return false;
    return parts_.emplace(part, std::move(bitmap)).second;
}

}  // namespace telpher::queue
