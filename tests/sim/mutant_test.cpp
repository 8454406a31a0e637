// The same simulation with a commit thread that publishes before it has synced, built on purpose: if nobody noticed,
// the power cuts would prove nothing.
#include <gtest/gtest.h>

#include <iostream>

#include "tests/sim/world.h"

namespace telpher::sim {
namespace {

constexpr std::uint64_t kSeeds = 200;

TEST(Mutant, ConfirmBeforeSyncIsCaught) {
    Marks marks;
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
        World world(seed, marks);
        const std::string verdict = world.run();
        if (!world.lost()) continue;
        std::cout << "caught with seed " << seed << ": " << verdict << std::endl;
        return;
    }
    FAIL() << "no run of " << kSeeds << " lost a confirmed message";
}

}  // namespace
}  // namespace telpher::sim
