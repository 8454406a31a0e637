// Counts of values by size: fixed bounds, no allocation, O(log bounds) per observation however many values it stands
// for. Histogram belongs to one thread; AtomicHistogram is written by one thread and read by any.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace telpher {

/// Times in nanoseconds: 100 us to 60 s in steps of 1, 2.5, 5, with OpenTelemetry's between.
struct TimeBounds {
    static constexpr std::array<std::int64_t, 22> kBounds{
        100'000,        250'000,        500'000,        1'000'000,     2'500'000,     5'000'000,
        10'000'000,     25'000'000,     50'000'000,     75'000'000,    100'000'000,   250'000'000,
        500'000'000,    750'000'000,    1'000'000'000,  2'500'000'000, 5'000'000'000, 7'500'000'000,
        10'000'000'000, 25'000'000'000, 50'000'000'000, 60'000'000'000};
};
/// A number of things.
struct CountBounds {
    static constexpr std::array<std::int64_t, 16> kBounds{1,   2,    5,    10,   20,    50,    100,   200,
                                                          500, 1000, 2000, 5000, 10000, 20000, 50000, 100000};
};

/// `Bounds::kBounds` are the upper bounds of the buckets, rising, each inclusive.
template <class Bounds>
class AtomicHistogram;

template <class Bounds>
class Histogram {
public:
    /// One for each bound, and one for what is above all of them.
    static constexpr std::size_t kBuckets = Bounds::kBounds.size() + 1;

    Histogram() = default;
    /// As counts() and sum() say it.
    Histogram(const std::array<std::uint64_t, kBuckets>& counts, double sum) : counts_(counts), sum_(sum) {}

    /// The bucket of a value: the first whose bound is not below it.
    static std::size_t bucket(std::int64_t value) {
        constexpr const auto& kBounds = Bounds::kBounds;
        return static_cast<std::size_t>(std::lower_bound(kBounds.begin(), kBounds.end(), value) - kBounds.begin());
    }
    /// `times` values of that size.
    void observe(std::int64_t value, std::uint64_t times = 1) {
        counts_[bucket(value)] += times;
        sum_ += static_cast<double>(value) * static_cast<double>(times);
    }
    void add(const Histogram& other) {
        for (std::size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
        sum_ += other.sum_;
    }

    /// Of each bucket alone.
    [[nodiscard]] const std::array<std::uint64_t, kBuckets>& counts() const { return counts_; }
    [[nodiscard]] std::uint64_t count() const {
        std::uint64_t all = 0;
        for (const std::uint64_t count : counts_) all += count;
        return all;
    }
    /// In the unit of the bounds.
    [[nodiscard]] double sum() const { return sum_; }

private:
    friend class AtomicHistogram<Bounds>;
    std::array<std::uint64_t, kBuckets> counts_{};
    double sum_ = 0;
};

template <class Bounds>
class AtomicHistogram {
public:
    /// The one writing thread.
    void observe(std::int64_t value) {
        raise(counts_[Histogram<Bounds>::bucket(value)], std::uint64_t{1});
        raise(sum_, static_cast<double>(value));
    }
    /// Any thread; what is being observed meanwhile may be in it in part.
    [[nodiscard]] Histogram<Bounds> read() const {
        Histogram<Bounds> seen;
        for (std::size_t i = 0; i < counts_.size(); ++i) seen.counts_[i] = counts_[i].load(std::memory_order_relaxed);
        seen.sum_ = sum_.load(std::memory_order_relaxed);
        return seen;
    }

private:
    template <class T>
    static void raise(std::atomic<T>& at, T by) {
        at.store(at.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
    }

    std::array<std::atomic<std::uint64_t>, Histogram<Bounds>::kBuckets> counts_{};
    std::atomic<double> sum_{0};
};

using TimeHistogram = Histogram<TimeBounds>;
using CountHistogram = Histogram<CountBounds>;

}  // namespace telpher
