// Which value holds for which offsets: disjoint runs in order, neighbours with equal values joined. Cost and memory go
// with the number of runs, never with the number of messages in them. Pure; a part of one queue, lives and dies with
// it.
//
// Invariants: (1) runs are disjoint and not empty; (2) two runs that touch differ in value; (3) size() is the sum of
// the runs.
//
// A Watch hears of every run that comes (added) or goes (removed), by its first offset and value, so that it can keep
// an index over the runs; a run that only grows or shrinks at its end keeps its first offset and value, and is not
// reported.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "broker/queue/queue.h"
#include "proto/base/check.h"

namespace telpher::queue {

struct NoWatch {
    template <class Value>
    void added(Offset, const Value&) {}
    template <class Value>
    void removed(Offset, const Value&) {}
};

template <class Value, class Watch = NoWatch>
class IntervalMap {
public:
    struct Entry {
        Range range;
        Value value;
    };

    [[nodiscard]] bool empty() const { return runs_.empty(); }
    [[nodiscard]] std::uint64_t size() const { return size_; }            ///< Messages.
    [[nodiscard]] std::size_t intervals() const { return runs_.size(); }  ///< Runs.
    [[nodiscard]] const Watch& watch() const { return watch_; }

    /// Adds `range`, of which nothing may be here.
    void insert(Range range, const Value& value);
    /// Removes `range`, which lies within one run; returns the run's value.
    Value take(Range range);

    /// The first run that ends above `at`: the one that holds `at`, or else the next one.
    [[nodiscard]] std::optional<Entry> at_or_after(Offset at) const;
    [[nodiscard]] std::optional<Entry> front() const;
    /// Messages at or above `from`; costs the runs there.
    [[nodiscard]] std::uint64_t count_from(Offset from) const;

private:
    struct Run {
        std::uint64_t count;
        Value value;
    };
    using Runs = std::map<Offset, Run>;
    using Iterator = typename Runs::iterator;

    static Entry entry(typename Runs::const_iterator run) {
        return {Range{run->first, run->second.count}, run->second.value};
    }
    void erase(Iterator run);
    void move_first(Iterator run, Offset first, std::uint64_t count);

    Runs runs_;
    std::uint64_t size_ = 0;
    Watch watch_;
};

template <class Value, class Watch>
void IntervalMap<Value, Watch>::insert(Range range, const Value& value) {
    TELPHER_CHECK(range.count > 0);
    const Iterator right = runs_.lower_bound(range.first);
    TELPHER_CHECK(right == runs_.end() || range.end() <= right->first);
    const bool joins_right = right != runs_.end() && right->first == range.end() && right->second.value == value;
    size_ += range.count;
    if (right != runs_.begin()) {
        const Iterator left = std::prev(right);
        const Offset left_end = left->first + left->second.count;
        TELPHER_CHECK(left_end <= range.first);
        if (left_end == range.first && left->second.value == value) {
            left->second.count += range.count;
            if (joins_right) {
                left->second.count += right->second.count;
                erase(right);
            }
            return;
        }
    }
    if (joins_right) {
        move_first(right, range.first, range.count + right->second.count);
        return;
    }
    runs_.emplace_hint(right, range.first, Run{range.count, value});
    watch_.added(range.first, value);
}

template <class Value, class Watch>
Value IntervalMap<Value, Watch>::take(Range range) {
    TELPHER_CHECK(range.count > 0);
    Iterator run = runs_.upper_bound(range.first);
    TELPHER_CHECK(run != runs_.begin());
    --run;
    const Offset end = run->first + run->second.count;
    TELPHER_CHECK(range.end() <= end);
    const Value value = run->second.value;
    const std::uint64_t before = range.first - run->first;
    const std::uint64_t after = end - range.end();
    size_ -= range.count;
    if (before == 0 && after == 0) {
        erase(run);
    } else if (before == 0) {
        move_first(run, range.end(), after);
    } else {
        run->second.count = before;
        if (after > 0) {
            runs_.emplace_hint(std::next(run), range.end(), Run{after, value});
            watch_.added(range.end(), value);
        }
    }
    return value;
}

template <class Value, class Watch>
auto IntervalMap<Value, Watch>::at_or_after(Offset at) const -> std::optional<Entry> {
    auto run = runs_.upper_bound(at);
    if (run != runs_.begin()) {
        const auto left = std::prev(run);
        if (at < left->first + left->second.count) run = left;
    }
    if (run == runs_.end()) return std::nullopt;
    return entry(run);
}

template <class Value, class Watch>
auto IntervalMap<Value, Watch>::front() const -> std::optional<Entry> {
    if (runs_.empty()) return std::nullopt;
    return entry(runs_.begin());
}

template <class Value, class Watch>
std::uint64_t IntervalMap<Value, Watch>::count_from(Offset from) const {
    std::uint64_t count = 0;
    for (auto run = runs_.rbegin(); run != runs_.rend(); ++run) {
        const Offset end = run->first + run->second.count;
        if (end <= from) break;
        count += run->first < from ? end - from : run->second.count;
    }
    return count;
}

template <class Value, class Watch>
void IntervalMap<Value, Watch>::erase(Iterator run) {
    watch_.removed(run->first, run->second.value);
    runs_.erase(run);
}

template <class Value, class Watch>
void IntervalMap<Value, Watch>::move_first(Iterator run, Offset first, std::uint64_t count) {
    watch_.removed(run->first, run->second.value);
    const Iterator hint = std::next(run);
    auto node = runs_.extract(run);
    node.key() = first;
    node.mapped().count = count;
    const Iterator moved = runs_.insert(hint, std::move(node));
    watch_.added(first, moved->second.value);
}

}  // namespace telpher::queue
