#include "consumer/held.h"

#include <algorithm>
#include <map>

namespace telpher::consumer {

namespace {

using Cover = std::map<std::uint64_t, frame::Run>;  // by first offset, disjoint

/// Adds the parts of `run` that are not covered yet.
void cover(Cover& covered, const frame::Run& run) {
    std::uint64_t at = run.first;
    const std::uint64_t end = run.first + run.count;
    auto next = covered.upper_bound(at);
    if (next != covered.begin()) {
        const frame::Run& before = std::prev(next)->second;
        at = std::max(at, before.first + before.count);
    }
    while (at < end) {
        const std::uint64_t until = next == covered.end() ? end : std::min(end, next->first);
        if (at < until) covered.emplace_hint(next, at, frame::Run{at, until - at, run.value});
        if (next == covered.end()) return;
        at = std::max(until, next->second.first + next->second.count);
        ++next;
    }
}

}  // namespace

Held merge_held(std::vector<frame::Run> runs, std::size_t runs_max) {
    std::sort(runs.begin(), runs.end(), [](const frame::Run& a, const frame::Run& b) { return a.value > b.value; });
    Cover covered;
    for (const frame::Run& run : runs) cover(covered, run);

    std::vector<frame::Run> merged;
    for (const auto& [first, run] : covered) {
        if (!merged.empty() && merged.back().first + merged.back().count == first && merged.back().value == run.value) {
            merged.back().count += run.count;
        } else {
            merged.push_back(run);
        }
    }
    Held held;
    const auto cut = merged.begin() + static_cast<std::ptrdiff_t>(std::min(runs_max, merged.size()));
    held.left_out.assign(cut, merged.end());
    merged.erase(cut, merged.end());
    held.runs = std::move(merged);
    return held;
}

}  // namespace telpher::consumer
