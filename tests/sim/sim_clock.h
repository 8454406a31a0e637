// A clock that moves only when told to. Owned by the simulation's one thread.
#pragma once

#include "proto/base/clock.h"

namespace telpher::sim {

class SimClock final : public Clock {
public:
    [[nodiscard]] Instant now() const override { return now_; }
    [[nodiscard]] WallTime wall() const override { return {kWallStartMs + now_.ns / 1'000'000}; }
    void advance(Duration time) { now_ = now_ + time; }

private:
    static constexpr std::int64_t kWallStartMs = 1'700'000'000'000;
    Instant now_{1'000'000'000};
};

}  // namespace telpher::sim
