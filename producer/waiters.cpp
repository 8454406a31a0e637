#include "producer/waiters.h"

#include <algorithm>

namespace telpher::producer {

void Waiters::add(Waiter& waiter) {
    if (waiter.kind == Waiter::Kind::kPut || waiter.kind == Waiter::Kind::kTicket) {
        by_sequence_.emplace(waiter.ranges.front().first, &waiter);
    } else {
        wide_.push_back(&waiter);
    }
    if (waiter.deadline != Instant::never()) deadlines_.emplace(waiter.deadline, &waiter);
}

void Waiters::remove(Waiter& waiter) {
    set_deadline(waiter, Instant::never());
    std::erase(wide_, &waiter);
    if (waiter.ranges.empty()) return;
    const auto [from, to] = by_sequence_.equal_range(waiter.ranges.front().first);
    const auto found = std::find_if(from, to, [&waiter](const auto& entry) { return entry.second == &waiter; });
    if (found != to) by_sequence_.erase(found);
}

void Waiters::set_deadline(Waiter& waiter, Instant deadline) {
    if (waiter.deadline != Instant::never()) deadlines_.erase({waiter.deadline, &waiter});
    waiter.deadline = deadline;
    if (deadline != Instant::never()) deadlines_.emplace(deadline, &waiter);
}

std::uint64_t Waiters::decided(const Confirmed& run, Wake& wake) {
    const std::uint64_t end = run.first + run.count;
    std::uint64_t owned = 0;
    for (auto at = by_sequence_.lower_bound(run.first); at != by_sequence_.end() && at->first < end;) {
        Waiter& waiter = *at->second;
        const Confirmed one = cut(run, at->first, at->first + 1);
        waiter.outcome = {one.code, one.id};
        owned += waiter.owns() ? 1 : 0;
        at = by_sequence_.erase(at);
        complete(waiter, wake);
    }
    for (std::size_t i = 0; i < wide_.size();) {
        Waiter& waiter = *wide_[i];
        for (const Range& range : waiter.ranges) {
            if (range.end <= run.first || range.first >= end) continue;
            waiter.collected.push_back(cut(run, range.first, range.end));
            waiter.undecided -= waiter.collected.back().count;
            owned += waiter.collected.back().count;
        }
        if (waiter.kind == Waiter::Kind::kMany && waiter.undecided == 0) {
            wide_.erase(wide_.begin() + static_cast<std::ptrdiff_t>(i));
            complete(waiter, wake);
        } else {
            ++i;
        }
    }
    return owned;
}

void Waiters::all_decided(std::uint64_t below, Wake& wake) {
    std::erase_if(wide_, [&](Waiter* waiter) {
        const bool all = waiter->kind == Waiter::Kind::kAll || waiter->kind == Waiter::Kind::kCancel;
        if (!all || waiter->end > below) return false;
        complete(*waiter, wake);
        return true;
    });
}

void Waiters::finish(Waiter& waiter, Code code, Wake& wake) {
    remove(waiter);
    waiter.outcome = {code, 0};
    complete(waiter, wake);
}

void Waiters::complete(Waiter& waiter, Wake& wake) {
    set_deadline(waiter, Instant::never());
    wake.push_back(&waiter.parker);
    waiter.done.store(true, std::memory_order_release);  // The waiter may be gone from here on.
}

bool Waiters::waits(const Waiter* waiter) const {
    const auto same = [waiter](const auto& entry) { return entry.second == waiter; };
    return std::find(wide_.begin(), wide_.end(), waiter) != wide_.end() ||
           std::any_of(by_sequence_.begin(), by_sequence_.end(), same);
}

std::vector<Waiter*> Waiters::expired(Instant now) {
    std::vector<Waiter*> late;
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
        late.push_back(deadlines_.begin()->second);
        set_deadline(*late.back(), Instant::never());
    }
    return late;
}

Instant Waiters::next_deadline() const { return deadlines_.empty() ? Instant::never() : deadlines_.begin()->first; }

std::vector<Waiter*> Waiters::cancelling() const {
    std::vector<Waiter*> waiters;
    for (const auto& [sequence, waiter] : by_sequence_) {
        if (waiter->owns() && waiter->ended_by != Code::kOk) waiters.push_back(waiter);
    }
    for (Waiter* waiter : wide_) {
        if (waiter->owns() && waiter->ended_by != Code::kOk) waiters.push_back(waiter);
    }
    return waiters;
}

}  // namespace telpher::producer
