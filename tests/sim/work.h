// How much a simulated run did: what it must have done to count as one. Plain values.
#pragma once

#include <cstdint>

namespace telpher::sim {

struct Work {
    std::uint64_t puts = 0;        ///< Messages put, with resends.
    std::uint64_t deliveries = 0;  ///< Messages handed out.
    std::uint64_t settles = 0;     ///< Messages settled, with resends.
    std::uint64_t admin = 0;       ///< Other requests: opening, attaching, looking, sealing, redriving.
    std::uint64_t faults = 0;
    std::uint64_t steps = 0;  ///< Of the seeded hand.
    std::uint64_t simulated_ms = 0;

    [[nodiscard]] std::uint64_t operations() const { return puts + deliveries + settles + admin; }
    void add(const Work& other) {
        puts += other.puts;
        deliveries += other.deliveries;
        settles += other.settles;
        admin += other.admin;
        faults += other.faults;
        steps += other.steps;
        simulated_ms += other.simulated_ms;
    }
};

}  // namespace telpher::sim
