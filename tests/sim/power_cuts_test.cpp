// Seeded runs of shard, log and clients under everything that may go wrong, each with at least one power cut under
// load: no promise may be broken. TELPHER_SIM_RUNS sets how many; TELPHER_SEED repeats one and tells
// what happens.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <iostream>

#include "tests/sim/world.h"
#include "tests/support/sanitized.h"
#include "tests/support/seed.h"

namespace telpher::sim {
namespace {

#ifdef TELPHER_SANITIZED
constexpr std::uint64_t kRuns = 100;
#else
constexpr std::uint64_t kRuns = 1000;
#endif
/// Programs' worth of work that may go on side by side.
constexpr std::uint64_t kParts = 2;
/// So many runs get everywhere.
constexpr std::uint64_t kRunsForMarks = 200;
/// One run in so many is repeated: it must go the same way.
constexpr std::uint64_t kRepeatEvery = 10;

volatile std::uint64_t g_seed = 0;

/// A broken invariant aborts: say in which run.
void tell_seed(int signal) {
    std::cerr << "TELPHER_SEED=" << g_seed << std::endl;
    std::signal(signal, SIG_DFL);
    std::raise(signal);
}

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

void report(std::uint64_t runs, const Work& work, double seconds) {
    const double simulated = static_cast<double>(work.simulated_ms) / 1000;
    std::cout << runs << " runs: " << simulated << " simulated s in " << seconds << " s of CPU, "
              << static_cast<std::uint64_t>(simulated / seconds) << " times real time; " << work.operations()
              << " operations (" << work.puts << " puts, " << work.deliveries << " deliveries, " << work.settles
              << " settles, " << work.admin << " others), " << work.faults << " faults" << std::endl;
}

void report(const Marks& marks) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(Sometimes::kCount); ++i) {
        const auto mark = static_cast<Sometimes>(i);
        std::cout << "  " << marks.count(mark) << "\t" << Marks::name(mark) << "\n";
    }
}

class PowerCuts : public testing::TestWithParam<std::uint64_t> {};

INSTANTIATE_TEST_SUITE_P(Part, PowerCuts, testing::Range(std::uint64_t{0}, kParts));

TEST_P(PowerCuts, BreakNoPromise) {
    const bool repeated = std::getenv("TELPHER_SEED") != nullptr;
    if (repeated && GetParam() > 0) GTEST_SKIP() << "one run, repeated in the first part";
    const std::uint64_t base = test::test_seed();
    const std::uint64_t runs = repeated ? 1 : (test::count_from_env("TELPHER_SIM_RUNS", kRuns) + kParts - 1) / kParts;
    for (const int signal : {SIGABRT, SIGSEGV}) std::signal(signal, tell_seed);
    Marks marks;
    Work work;
    const double began = cpu_seconds();
    for (std::uint64_t run = 0; run < runs; ++run) {
        g_seed = base + run;
        World world(g_seed, marks);
        if (repeated) world.tell(std::cout);
        const std::string verdict = world.run();
        work.add(world.work());
        ASSERT_EQ(verdict, "") << "TELPHER_SEED=" << g_seed;
        if (run % kRepeatEvery != 0) continue;
        World again(g_seed, marks);
        ASSERT_EQ(again.run(), "") << "TELPHER_SEED=" << g_seed;
        work.add(again.work());
        ASSERT_EQ(again.trace(), world.trace()) << "a seed decides everything; TELPHER_SEED=" << g_seed;
    }
    report(runs, work, cpu_seconds() - began);
    for (const int signal : {SIGABRT, SIGSEGV}) std::signal(signal, SIG_DFL);
    report(marks);
    if (runs < kRunsForMarks) return;
    for (const std::string_view missed : marks.missed()) ADD_FAILURE() << "never happened: " << missed;
}

}  // namespace
}  // namespace telpher::sim
