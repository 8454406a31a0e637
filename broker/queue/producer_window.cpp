#include "broker/queue/producer_window.h"

#include <algorithm>

#include "proto/base/check.h"
#include "proto/limits.h"

namespace telpher::queue {

namespace {

/// A hole of so many sequences is not listed among the verdicts: no producer has as many on their way.
constexpr std::uint32_t kHoleListedMax = 1U << 31;

Sequence end_of(const SequenceVerdict& verdict) { return verdict.first + verdict.count; }

/// The part of the verdict over [from, from + count).
SequenceVerdict cut(const SequenceVerdict& verdict, Sequence from, std::uint32_t count) {
    const bool is_stored = verdict.code == Code::kOk;
    return {from, count, verdict.code, is_stored ? verdict.offset + (from - verdict.first) : Offset()};
}

bool continues(const SequenceVerdict& left, const SequenceVerdict& right) {
    return end_of(left) == right.first && left.code == right.code && left.count <= UINT32_MAX - right.count &&
           (left.code != Code::kOk || left.offset + left.count == right.offset);
}

/// The first of the sorted runs that ends above `at`.
template <class Runs, class End>
auto first_above(Runs& runs, Sequence at, End end) {
    return std::ranges::upper_bound(runs, at, {}, end);
}

std::uint32_t distance(Sequence from, Sequence to) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(to - from, UINT32_MAX));
}

}  // namespace

auto ProducerWindow::part(Sequence at, Sequence end) const -> Part {
    if (at >= next_) return {Part::Kind::kNew, at, distance(at, end), {}};
    end = std::min(end, next_);
    const auto wait = first_above(waiting_, at, &Run::end);
    if (wait != waiting_.end()) {
        if (wait->first <= at) return {Part::Kind::kWaiting, at, distance(at, std::min(end, wait->end())), {}};
        end = std::min(end, wait->first);
    }
    const auto verdict = first_above(decided_, at, end_of);
    if (verdict != decided_.end()) {
        if (verdict->first <= at) {
            const std::uint32_t count = distance(at, std::min(end, end_of(*verdict)));
            return {Part::Kind::kDecided, at, count, cut(*verdict, at, count)};
        }
        end = std::min(end, verdict->first);
    }
    const std::uint32_t count = distance(at, end);
    return {Part::Kind::kDecided, at, count, {at, count, Code::kCancelled, Offset()}};
}

Result<std::vector<ProducerWindow::Part>> ProducerWindow::classify(Sequence first, std::uint32_t count) const {
    if (first < known_below_) return fail(Code::kProtocol, "a sequence whose verdict the producer has seen");
    if (count > UINT64_MAX - first.value()) return fail(Code::kProtocol, "a sequence above the last possible one");
    std::vector<Part> parts;
    const Sequence end = first + count;
    for (Sequence at = first; at < end;) {
        parts.push_back(part(at, end));
        at = parts.back().first + parts.back().count;
    }
    return parts;
}

void ProducerWindow::waiting(Sequence first, std::uint32_t count) {
    TELPHER_CHECK(count > 0);
    TELPHER_CHECK(first >= next_);
    next_ = first + count;
    if (!waiting_.empty() && waiting_.back().end() == first && waiting_.back().count <= UINT32_MAX - count) {
        waiting_.back().count += count;
    } else {
        waiting_.push_back({first, count});
    }
}

void ProducerWindow::decided(const SequenceVerdict& verdict) {
    TELPHER_CHECK(verdict.count > 0);
    TELPHER_CHECK_MSG(verdict.code != Code::kOk || verdict.first == decided_below(), "stored in sequence order");
    stop_waiting(verdict.first, verdict.count);
    remember(verdict);
}

/// Takes [first, first + count) out of one waiting run, or out of runs that touch.
void ProducerWindow::stop_waiting(Sequence first, std::uint32_t count) {
    const Sequence end = first + count;
    auto run = first_above(waiting_, first, &Run::end);
    while (first < end) {
        TELPHER_CHECK_MSG(run != waiting_.end() && run->first <= first, "a verdict over what is not waiting");
        const Run whole = *run;
        const Sequence stop = std::min(end, whole.end());
        const Run before{whole.first, distance(whole.first, first)};
        const Run after{stop, distance(stop, whole.end())};
        if (before.count == 0 && after.count == 0) {
            run = waiting_.erase(run);
        } else if (before.count == 0) {
            *run = after;
        } else {
            *run = before;
            ++run;
            if (after.count > 0) run = waiting_.insert(run, after);
        }
        first = stop;
    }
}

void ProducerWindow::remember(const SequenceVerdict& verdict) {
    auto right = first_above(decided_, verdict.first, end_of);
    TELPHER_CHECK(right == decided_.end() || end_of(verdict) <= right->first);
    if (right != decided_.begin() && continues(*std::prev(right), verdict)) {
        --right;
        right->count += verdict.count;
    } else {
        right = decided_.insert(right, cut(verdict, verdict.first, verdict.count));
    }
    if (const auto next = std::next(right); next != decided_.end() && continues(*right, *next)) {
        right->count += next->count;
        decided_.erase(next);
    }
    // The oldest only goes once nothing below it waits: a producer never has so many undecided (kPutsInFlightMax).
    if (decided_.size() > limits::kProducerRangesMax) known_below(end_of(decided_.front()));
}

void ProducerWindow::known_below(Sequence below) {
    below = std::min(below, decided_below());
    if (below <= known_below_) return;
    known_below_ = below;
    while (!decided_.empty() && end_of(decided_.front()) <= below) decided_.pop_front();
    if (decided_.empty() || decided_.front().first >= below) return;
    SequenceVerdict& first = decided_.front();
    first = cut(first, below, distance(below, end_of(first)));
}

Sequence ProducerWindow::next() const { return next_; }

Sequence ProducerWindow::decided_below() const { return waiting_.empty() ? next_ : waiting_.front().first; }

std::vector<SequenceVerdict> ProducerWindow::verdicts(Sequence from, std::size_t max) const {
    std::vector<SequenceVerdict> list;
    for (Sequence at = std::max(from, known_below_); at < next_;) {
        const Part found = part(at, next_);
        at = found.first + found.count;
        if (found.kind != Part::Kind::kDecided) continue;
        if (found.count >= kHoleListedMax) {  // nobody waits for any of it
            at = known_above(found.first);
            continue;
        }
        if (!list.empty() && continues(list.back(), found.verdict)) {
            list.back().count += found.verdict.count;
        } else if (list.size() < max) {
            list.push_back(found.verdict);
        } else {
            break;
        }
    }
    return list;
}

/// Where the first run that is waiting or has a verdict begins above `at`; next() if there is none.
Sequence ProducerWindow::known_above(Sequence at) const {
    const auto above = [at](const auto& runs, Sequence otherwise) {
        const auto run = std::ranges::upper_bound(runs, at, {}, [](const auto& one) { return one.first; });
        return run == runs.end() ? otherwise : run->first;
    };
    return std::min(above(waiting_, next_), above(decided_, next_));
}

void ProducerWindow::restore(Sequence first, std::uint32_t count, Offset offset) {
    TELPHER_CHECK(count > 0);
    TELPHER_CHECK(first >= next_);
    next_ = first + count;
    remember({first, count, Code::kOk, offset});
}

void ProducerWindow::skip_to(Sequence next) { next_ = std::max(next_, next); }

std::vector<SequenceVerdict> ProducerWindow::stored() const {
    std::vector<SequenceVerdict> list;
    for (const SequenceVerdict& verdict : decided_) {
        if (verdict.code == Code::kOk) list.push_back(verdict);
    }
    return list;
}

}  // namespace telpher::queue
