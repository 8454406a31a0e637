// Seeded runs of shard, log and clients under everything that may go wrong, each with at least one power cut under
// load: no promise may be broken. TELPHER_SIM_RUNS sets how many; TELPHER_SEED repeats one and tells
// what happens.
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <iostream>

#include "tests/sim/world.h"
#include "tests/support/seed.h"

namespace telpher::sim {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kRuns = 200;
#else
constexpr std::uint64_t kRuns = 2000;
#endif
/// So many runs get everywhere.
constexpr std::uint64_t kRunsForMarks = 200;

volatile std::uint64_t g_seed = 0;

/// A broken invariant aborts: say in which run.
void tell_seed(int) {
    std::cerr << "TELPHER_SEED=" << g_seed << std::endl;
    std::signal(SIGABRT, SIG_DFL);
    std::abort();
}

void expect_everywhere(const Marks& marks) {
    for (const auto& [name, count] : std::initializer_list<std::pair<const char*, std::uint64_t>>{
             {"parked", marks.parked},
             {"cancelled", marks.cancelled},
             {"refused", marks.refused},
             {"names taken over", marks.taken_over},
             {"resumed", marks.resumed},
             {"claimed", marks.claimed},
             {"lease lost", marks.lease_lost},
             {"redelivered", marks.redelivered},
             {"dropped", marks.dropped},
             {"dead", marks.dead},
             {"redriven", marks.redriven},
             {"ends", marks.ends},
             {"kills", marks.kills},
             {"clean stops", marks.stops},
             {"storage errors", marks.storage_errors},
             {"torn tails", marks.torn},
             {"segments rolled", marks.rolled},
             {"starts from a checkpoint", marks.checkpoints},
             {"segments rewritten", marks.rewritten},
         }) {
        EXPECT_GT(count, 0U) << name << " never happened";
    }
}

TEST(PowerCuts, BreakNoPromise) {
    const std::uint64_t base = test::test_seed();
    const bool repeated = std::getenv("TELPHER_SEED") != nullptr;
    const std::uint64_t runs = repeated ? 1 : test::count_from_env("TELPHER_SIM_RUNS", kRuns);
    std::signal(SIGABRT, tell_seed);
    Marks marks;
    for (std::uint64_t run = 0; run < runs; ++run) {
        g_seed = base + run;
        World world(g_seed, marks);
        if (repeated) world.tell(std::cout);
        const std::string verdict = world.run();
        ASSERT_EQ(verdict, "") << "TELPHER_SEED=" << base + run;
    }
    std::signal(SIGABRT, SIG_DFL);
    EXPECT_GE(marks.power_cuts, runs);
    if (runs >= kRunsForMarks) expect_everywhere(marks);
    std::cout << runs << " runs: " << marks.steps << " client steps, " << marks.confirmed << " confirmed, "
              << marks.settled << " settled, " << marks.redelivered << " redelivered, " << marks.power_cuts
              << " power cuts, " << marks.kills << " kills, " << marks.stops << " stops, " << marks.storage_errors
              << " storage errors, " << marks.torn << " torn tails, " << marks.parked << " parked, " << marks.cancelled
              << " cancelled, " << marks.ends << " ends" << std::endl;
}

TEST(PowerCuts, ASeedDecidesEverything) {
    const std::uint64_t base = test::test_seed();
    for (std::uint64_t run = 0; run < 10; ++run) {
        Marks marks;
        World first(base + run, marks);
        World second(base + run, marks);
        EXPECT_EQ(first.run(), second.run());
        EXPECT_EQ(first.trace(), second.trace()) << "TELPHER_SEED=" << base + run;
    }
}

}  // namespace
}  // namespace telpher::sim
