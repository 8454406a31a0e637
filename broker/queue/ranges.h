// Lists of ranges as they are logged and sent: in offset order, joined where they touch. Free functions on values.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "broker/queue/queue.h"

namespace telpher::queue {

using ReturnedRange = std::pair<Range, Tries>;

/// Appends, joining with the last one if they touch.
inline void append(std::vector<Range>& list, Range range) {
    if (!list.empty() && list.back().end() == range.first) {
        list.back().count += range.count;
    } else {
        list.push_back(range);
    }
}

inline void append(std::vector<ReturnedRange>& list, Range range, Tries tries) {
    if (!list.empty() && list.back().first.end() == range.first && list.back().second == tries) {
        list.back().first.count += range.count;
    } else {
        list.emplace_back(range, tries);
    }
}

/// The same for runs that say more: they join if they say the same.
template <class Run>
void append(std::vector<Run>& list, const Run& run) {
    if (!list.empty() && list.back().range.end() == run.range.first) {
        Run same = list.back();
        same.range = run.range;
        if (same == run) {
            list.back().range.count += run.range.count;
            return;
        }
    }
    list.push_back(run);
}

/// Puts a list that grew in another order into offset order.
inline std::vector<Range> in_order(std::vector<Range> list) {
    std::ranges::sort(list, {}, [](const Range& range) { return range.first; });
    std::vector<Range> sorted;
    for (const Range& range : list) append(sorted, range);
    return sorted;
}

inline std::vector<ReturnedRange> in_order(std::vector<ReturnedRange> list) {
    std::ranges::sort(list, {}, [](const ReturnedRange& returned) { return returned.first.first; });
    std::vector<ReturnedRange> sorted;
    for (const auto& [range, tries] : list) append(sorted, range, tries);
    return sorted;
}

inline std::vector<Died> in_order(std::vector<Died> list) {
    std::ranges::sort(list, {}, [](const Died& died) { return died.range.first; });
    std::vector<Died> sorted;
    for (const Died& died : list) append(sorted, died);
    return sorted;
}

/// The part of a client's range that can exist at all: an end above 2^64 is cut.
inline Range without_overflow(Range range) {
    return {range.first, std::min(range.count, UINT64_MAX - range.first.value())};
}

}  // namespace telpher::queue
