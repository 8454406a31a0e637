// Which value holds for which offsets: runs in order, neighbours with equal values joined. Cost and memory go with the
// number of runs, never with the number of messages in them. Pure; a part of one queue, lives and dies with it.
//
// A run may have holes: offsets of messages that are gone, which nobody asks for any more. Which ones are not is known
// elsewhere (Present); so runs that differ in nothing join over what is gone between them, and a queue of which every
// second message was settled is one run. Without a Present every offset of a run counts.
//
// Invariants: (1) runs are disjoint, and the first offset of each is present; (2) what is inserted joins a neighbour of
// its value if nothing present lies between them; (3) size() is the sum of what is present in the runs.
//
// A Watch hears of every run that comes (added) or goes (removed), by its first offset and value, so that it can keep
// an index over the runs; a run that only grows or shrinks at its end keeps its first offset and value, and is not
// reported.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <type_traits>

#include "broker/queue/queue.h"
#include "proto/base/check.h"

namespace telpher::queue {

struct NoWatch {
    template <class Value>
    void added(Offset, const Value&) {}
    template <class Value>
    void removed(Offset, const Value&) {}
};

/// No holes.
struct Everything {
    [[nodiscard]] static Offset next(Offset at) { return at; }
    [[nodiscard]] static std::uint64_t count(Range range) { return range.count; }
    [[nodiscard]] static bool none_in(Offset first, Offset end) { return first >= end; }
};
inline constexpr Everything kEverything;

template <class Value, class Watch = NoWatch, class Present = Everything>
class IntervalMap {
public:
    struct Entry {
        Range range;               ///< From the first message to the end, holes included.
        std::uint64_t messages{};  ///< Present ones.
        Value value;
        [[nodiscard]] bool whole() const { return messages == range.count; }
    };

    /// `present` outlives the map.
    explicit IntervalMap(const Present& present) : present_(present) {}
    IntervalMap() requires std::is_same_v<Present, Everything> : present_(kEverything) {}

    [[nodiscard]] bool empty() const { return runs_.empty(); }
    [[nodiscard]] std::uint64_t size() const { return size_; }            ///< Messages.
    [[nodiscard]] std::size_t intervals() const { return runs_.size(); }  ///< Runs.
    [[nodiscard]] const Watch& watch() const { return watch_; }

    /// Adds `range`, all of it present, of which nothing may be here.
    void insert(Range range, const Value& value);
    /// The same for a run as it was elsewhere: with its holes.
    void insert_run(Range range, std::uint64_t messages, const Value& value);
    /// Removes `range`, which lies within one run and is present; returns the run's value.
    Value take(Range range);
    /// Removes a whole run, holes and all, by its first offset.
    void take_run(Offset first);
    /// `range`, which lies within one run and in which `messages` were present, is not present any more.
    void drop(Range range, std::uint64_t messages);
    void drop(Range range) { drop(range, range.count); }
    /// The run that `at` lies inside of becomes two; a hole there may then be filled.
    void split(Offset at);

    /// The first run that ends above `at`: the one that holds `at`, or else the next one.
    [[nodiscard]] std::optional<Entry> at_or_after(Offset at) const;
    [[nodiscard]] std::optional<Entry> front() const;
    /// Messages at or above `from`; costs the runs there.
    [[nodiscard]] std::uint64_t count_from(Offset from) const;

private:
    struct Run {
        std::uint64_t span;      // with holes
        std::uint64_t messages;  // present
        Value value;
        [[nodiscard]] bool whole() const { return span == messages; }
    };
    using Runs = std::map<Offset, Run>;
    using Iterator = typename Runs::iterator;

    static Entry entry(typename Runs::const_iterator run) {
        return {Range{run->first, run->second.span}, run->second.messages, run->second.value};
    }
    [[nodiscard]] Iterator holding(Range range);
    void erase(Iterator run);
    void move_first(Iterator run, Offset first, std::uint64_t span, std::uint64_t messages);
    /// Messages of the run in [first, end).
    [[nodiscard]] std::uint64_t present_in(const Run& run, Offset first, Offset end) const {
        return run.whole() ? end - first : present_.count({first, end - first});
    }

    const Present& present_;
    Runs runs_;
    std::uint64_t size_ = 0;
    Watch watch_;
};

template <class Value, class Watch, class Present>
void IntervalMap<Value, Watch, Present>::insert(Range range, const Value& value) {
    insert_run(range, range.count, value);
}

template <class Value, class Watch, class Present>
void IntervalMap<Value, Watch, Present>::insert_run(Range range, std::uint64_t messages, const Value& value) {
    TELPHER_CHECK(messages > 0 && range.count >= messages);
    const Iterator right = runs_.lower_bound(range.first);
    TELPHER_CHECK(right == runs_.end() || range.end() <= right->first);
    const bool joins_right = right != runs_.end() && right->second.value == value &&
                             (right->first == range.end() || present_.none_in(range.end(), right->first));
    size_ += messages;
    if (right != runs_.begin()) {
        const Iterator left = std::prev(right);
        const Offset left_end = left->first + left->second.span;
        TELPHER_CHECK(left_end <= range.first);
        if (left->second.value == value && (left_end == range.first || present_.none_in(left_end, range.first))) {
            left->second.span = range.end() - left->first;
            left->second.messages += messages;
            if (joins_right) {
                left->second.span = right->first + right->second.span - left->first;
                left->second.messages += right->second.messages;
                erase(right);
            }
            return;
        }
    }
    if (joins_right) {
        const Offset end = right->first + right->second.span;
        return move_first(right, range.first, end - range.first, messages + right->second.messages);
    }
    runs_.emplace_hint(right, range.first, Run{range.count, messages, value});
    watch_.added(range.first, value);
}

template <class Value, class Watch, class Present>
auto IntervalMap<Value, Watch, Present>::holding(Range range) -> Iterator {
    TELPHER_CHECK(range.count > 0);
    Iterator run = runs_.upper_bound(range.first);
    TELPHER_CHECK(run != runs_.begin());
    --run;
    TELPHER_CHECK(range.end() <= run->first + run->second.span);
    return run;
}

template <class Value, class Watch, class Present>
Value IntervalMap<Value, Watch, Present>::take(Range range) {
    const Iterator run = holding(range);
    const Value value = run->second.value;
    const Offset end = run->first + run->second.span;
    const std::uint64_t before = range.first == run->first ? 0 : present_in(run->second, run->first, range.first);
    TELPHER_CHECK(before + range.count <= run->second.messages);
    const std::uint64_t after = run->second.messages - before - range.count;
    size_ -= range.count;
    const Offset rest = after == 0 || run->second.whole() ? range.end() : present_.next(range.end());
    if (before == 0 && after == 0) {
        erase(run);
    } else if (before == 0) {
        move_first(run, rest, end - rest, after);
    } else {
        run->second.span = range.first - run->first;
        run->second.messages = before;
        if (after > 0) {
            runs_.emplace_hint(std::next(run), rest, Run{end - rest, after, value});
            watch_.added(rest, value);
        }
    }
    return value;
}

template <class Value, class Watch, class Present>
void IntervalMap<Value, Watch, Present>::take_run(Offset first) {
    const Iterator run = runs_.find(first);
    TELPHER_CHECK(run != runs_.end());
    size_ -= run->second.messages;
    erase(run);
}

template <class Value, class Watch, class Present>
void IntervalMap<Value, Watch, Present>::drop(Range range, std::uint64_t messages) {
    const Iterator run = holding(range);
    TELPHER_CHECK(messages > 0 && messages <= range.count && messages <= run->second.messages);
    size_ -= messages;
    if (messages == run->second.messages) return erase(run);
    const Offset end = run->first + run->second.span;
    const std::uint64_t left = run->second.messages - messages;
    if (range.first == run->first) {
        const Offset first = run->second.whole() ? range.end() : present_.next(range.end());
        return move_first(run, first, end - first, left);
    }
    if (range.end() == end) run->second.span -= range.count;
    run->second.messages = left;
}

template <class Value, class Watch, class Present>
void IntervalMap<Value, Watch, Present>::split(Offset at) {
    Iterator run = runs_.upper_bound(at);
    if (run == runs_.begin()) return;
    --run;
    const Offset end = run->first + run->second.span;
    if (at <= run->first || at >= end) return;
    const std::uint64_t before = present_in(run->second, run->first, at);
    const std::uint64_t after = run->second.messages - before;
    TELPHER_CHECK(before > 0);
    run->second.span = at - run->first;
    run->second.messages = before;
    if (after == 0) return;
    const Offset rest = present_.next(at);
    runs_.emplace_hint(std::next(run), rest, Run{end - rest, after, run->second.value});
    watch_.added(rest, run->second.value);
}

template <class Value, class Watch, class Present>
auto IntervalMap<Value, Watch, Present>::at_or_after(Offset at) const -> std::optional<Entry> {
    auto run = runs_.upper_bound(at);
    if (run != runs_.begin()) {
        const auto left = std::prev(run);
        if (at < left->first + left->second.span) run = left;
    }
    if (run == runs_.end()) return std::nullopt;
    return entry(run);
}

template <class Value, class Watch, class Present>
auto IntervalMap<Value, Watch, Present>::front() const -> std::optional<Entry> {
    if (runs_.empty()) return std::nullopt;
    return entry(runs_.begin());
}

template <class Value, class Watch, class Present>
std::uint64_t IntervalMap<Value, Watch, Present>::count_from(Offset from) const {
    std::uint64_t count = 0;
    for (auto run = runs_.rbegin(); run != runs_.rend(); ++run) {
        const Offset end = run->first + run->second.span;
        if (end <= from) break;
        count += run->first < from ? present_in(run->second, from, end) : run->second.messages;
    }
    return count;
}

template <class Value, class Watch, class Present>
void IntervalMap<Value, Watch, Present>::erase(Iterator run) {
    watch_.removed(run->first, run->second.value);
    runs_.erase(run);
}

template <class Value, class Watch, class Present>
void IntervalMap<Value, Watch, Present>::move_first(Iterator run, Offset first, std::uint64_t span,
                                                    std::uint64_t messages) {
    watch_.removed(run->first, run->second.value);
    const Iterator hint = std::next(run);
    auto node = runs_.extract(run);
    node.key() = first;
    node.mapped().span = span;
    node.mapped().messages = messages;
    const Iterator moved = runs_.insert(hint, std::move(node));
    watch_.added(first, moved->second.value);
}

}  // namespace telpher::queue
