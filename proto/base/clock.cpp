#include "proto/base/clock.h"

#include <ctime>

namespace telpher {
namespace {

class SystemClock final : public Clock {
public:
    [[nodiscard]] Instant now() const override {
        timespec t{};
        clock_gettime(CLOCK_BOOTTIME, &t);
        return Instant{static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec};
    }
    [[nodiscard]] WallTime wall() const override {
        timespec t{};
        clock_gettime(CLOCK_REALTIME, &t);
        return WallTime{static_cast<std::int64_t>(t.tv_sec) * 1'000 + t.tv_nsec / 1'000'000};
    }
};

}  // namespace

std::uint64_t monotonic_usec() {
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(t.tv_nsec) / 1'000;
}

const Clock& system_clock() {
    static const SystemClock clock;
    return clock;
}

}  // namespace telpher
