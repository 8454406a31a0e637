#include "producer/outcomes.h"

#include <algorithm>
#include <limits>

namespace telpher::producer {
namespace {

/// The outcome `distance` messages on.
Outcome moved(const Outcome& outcome, std::uint64_t distance) {
    return {outcome.code, outcome.code == Code::kOk ? outcome.id + distance : 0};
}

/// Appends [first, end) in runs as long as a Confirmed can say.
void emit(std::uint64_t first, std::uint64_t end, const Outcome& outcome, std::vector<Confirmed>& out) {
    constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
    for (std::uint64_t at = first; at < end;) {
        const std::uint64_t count = std::min(end - at, kMost);
        const Outcome here = moved(outcome, at - first);
        out.push_back({at, static_cast<std::uint32_t>(count), here.code, here.id});
        at += count;
    }
}

}  // namespace

void Outcomes::add(const Confirmed& run, std::vector<Confirmed>& fresh) {
    const std::uint64_t end = run.first + run.count;
    const Outcome outcome = moved({run.code, run.id}, 0);
    std::uint64_t at = std::max(run.first, decided_below_);
    auto next = ahead_.lower_bound(at);
    if (next != ahead_.begin()) at = std::max(at, std::prev(next)->second.end);
    while (at < end) {
        next = ahead_.lower_bound(at);
        const std::uint64_t to = next == ahead_.end() ? end : std::min(end, next->second.first);
        if (at < to) note({at, to, moved(outcome, at - run.first)}, fresh);
        at = next == ahead_.end() ? to : std::max(to, next->second.end);
        if (to == end) break;
    }
    absorb();
}

void Outcomes::fill_below(std::uint64_t below, Code code, std::vector<Confirmed>& fresh) {
    while (decided_below_ < below) {
        const std::uint64_t to = ahead_.empty() ? below : std::min(below, ahead_.begin()->second.first);
        note({decided_below_, to, {code, 0}}, fresh);
        absorb();
    }
}

void Outcomes::note(const Run& run, std::vector<Confirmed>& fresh) {
    emit(run.first, run.end, run.outcome, fresh);
    if (run.first == decided_below_) {
        append(run);
    } else {
        ahead_.emplace(run.first, run);
    }
}

void Outcomes::absorb() {
    while (!ahead_.empty() && ahead_.begin()->first == decided_below_) {
        append(ahead_.begin()->second);
        ahead_.erase(ahead_.begin());
    }
}

void Outcomes::append(const Run& run) {
    decided_below_ = run.end;
    if (!runs_.empty()) {
        Run& last = runs_.back();
        if (last.end == run.first && moved(last.outcome, run.first - last.first) == run.outcome) {
            last.end = run.end;
            return;
        }
    }
    runs_.push_back(run);
    if (runs_.size() > runs_max_) runs_.pop_front();
}

bool Outcomes::decided(std::uint64_t sequence) const {
    if (sequence < decided_below_) return true;
    const auto next = ahead_.upper_bound(sequence);
    return next != ahead_.begin() && sequence < std::prev(next)->second.end;
}

std::vector<Range> Outcomes::undecided(Range range) const {
    std::vector<Range> open;
    std::uint64_t at = std::max(range.first, decided_below_);
    auto next = ahead_.upper_bound(at);
    if (next != ahead_.begin()) --next;
    for (; at < range.end; ++next) {
        const std::uint64_t to = next == ahead_.end() ? range.end : std::min(range.end, next->second.first);
        if (at < to) open.push_back({at, to});
        if (next == ahead_.end()) break;
        at = std::max(at, next->second.end);
    }
    return open;
}

std::optional<Outcome> Outcomes::find(std::uint64_t sequence) const {
    if (sequence >= decided_below_) {
        const auto next = ahead_.upper_bound(sequence);
        if (next == ahead_.begin() || sequence >= std::prev(next)->second.end) return std::nullopt;
        const Run& run = std::prev(next)->second;
        return moved(run.outcome, sequence - run.first);
    }
    const auto next = std::upper_bound(runs_.begin(), runs_.end(), sequence,
                                       [](std::uint64_t wanted, const Run& run) { return wanted < run.first; });
    if (next == runs_.begin()) return std::nullopt;
    const Run& run = *std::prev(next);
    return moved(run.outcome, sequence - run.first);
}

void Outcomes::collect(std::uint64_t from, std::uint64_t to, std::vector<Confirmed>& runs) const {
    auto run = std::lower_bound(runs_.begin(), runs_.end(), from,
                                [](const Run& left, std::uint64_t wanted) { return left.end <= wanted; });
    for (; run != runs_.end() && run->first < to; ++run) {
        const std::uint64_t first = std::max(from, run->first);
        emit(first, std::min(to, run->end), moved(run->outcome, first - run->first), runs);
    }
}

Confirmed cut(const Confirmed& run, std::uint64_t from, std::uint64_t to) {
    const std::uint64_t first = std::max(run.first, from);
    const std::uint64_t end = std::min(run.first + run.count, to);
    const Outcome outcome = moved({run.code, run.id}, first - run.first);
    return {first, static_cast<std::uint32_t>(end - first), outcome.code, outcome.id};
}

void merge(std::vector<Confirmed>& runs) {
    std::size_t kept = 0;
    for (const Confirmed& run : runs) {
        if (kept > 0) {
            Confirmed& last = runs[kept - 1];
            const bool follows = last.first + last.count == run.first &&
                                 moved({last.code, last.id}, last.count) == Outcome{run.code, run.id};
            if (follows && run.count <= std::numeric_limits<std::uint32_t>::max() - last.count) {
                last.count += run.count;
                continue;
            }
        }
        runs[kept++] = run;
    }
    runs.resize(kept);
}

}  // namespace telpher::producer
