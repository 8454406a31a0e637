// One operation on files fails, each in turn that the broker makes in a run of thousands of puts, gets and settles:
// with EIO, and with ENOSPC; a failed write may have written a part.
//
// Claim: whatever fails, no promise is broken, and the broker says that something failed. e2e_faults asks the same of
// real processes and system calls, for a shorter run.
//
// TELPHER_FAULT_OPS says how many operations the run has (500), TELPHER_FAULT_STRIDE that only every so manieth fault
// is tried (1: each; without it as many as take some seconds). TELPHER_SEED repeats a run and decides with which it
// begins.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <iostream>

#include "tests/sim/world.h"
#include "tests/support/seed.h"

namespace telpher::sim {
namespace {

using Op = test::FaultyFileSystem::Op;

constexpr std::uint64_t kOperationsDefault = 500;
constexpr std::uint64_t kTrialsDefault = 200;

constexpr std::array kOps{std::pair{Op::kCreate, "create"}, std::pair{Op::kOpen, "open"},
                          std::pair{Op::kWrite, "write"},   std::pair{Op::kSync, "sync"},
                          std::pair{Op::kRead, "read"},     std::pair{Op::kAllocate, "allocate"},
                          std::pair{Op::kRename, "rename"}, std::pair{Op::kTruncate, "truncate"},
                          std::pair{Op::kRemove, "remove"}, std::pair{Op::kSyncDir, "sync a folder"}};

std::string text_of(const FileFault& fault) {
    const auto* const op = std::ranges::find(kOps, fault.op, [](const auto& pair) { return pair.first; });
    return std::string(op->second) + " " + std::to_string(fault.nth) + ": " +
           (fault.code == Code::kIo ? "EIO" : "ENOSPC");
}

Goals goals() {
    return {
        .simulated_ms = 0, .operations = test::count_from_env("TELPHER_FAULT_OPS", kOperationsDefault), .faults = 0};
}

/// Room for a spare segment is not needed yet: it is made when it is.
bool needless(const FileFault& fault) {
    return fault.code == Code::kDiskFull && (fault.op == Op::kCreate || fault.op == Op::kAllocate);
}

std::vector<FileFault> faults_of(World& reference) {
    std::vector<FileFault> faults;
    for (const auto& [op, name] : kOps) {
        const std::uint64_t count = reference.files().count(op);
        std::cout << "  " << name << ": " << count << "\n";
        for (std::uint64_t nth = 1; nth <= count; ++nth) {
            faults.push_back({op, nth, Code::kIo});
            if (op != Op::kRead && op != Op::kOpen) faults.push_back({op, nth, Code::kDiskFull});
        }
    }
    return faults;
}

TEST(FileFaults, BreakNoPromiseAndAreNeverSilent) {
    const std::uint64_t seed = test::test_seed();
    Marks marks;
    World reference(seed, marks, goals(), FileFault{});
    ASSERT_EQ(reference.run(), "");
    ASSERT_FALSE(reference.told());
    const std::vector<FileFault> faults = faults_of(reference);
    const std::uint64_t stride =
        std::max<std::uint64_t>(1, test::count_from_env("TELPHER_FAULT_STRIDE", faults.size() / kTrialsDefault + 1));
    std::uint64_t injected = 0, lost = 0, silent = 0, needed_not = 0;
    for (std::size_t i = seed % stride; i < faults.size() && !HasFailure(); i += stride) {
        World world(seed, marks, goals(), faults[i]);
        EXPECT_EQ(world.run(), "") << text_of(faults[i]);
        EXPECT_EQ(world.files().injected(), 1U) << text_of(faults[i]);
        injected += world.files().injected();
        lost += world.lost() ? 1 : 0;
        if (!world.told()) ++(needless(faults[i]) ? needed_not : silent);
        EXPECT_TRUE(world.told() || needless(faults[i])) << "nobody was told: " << text_of(faults[i]);
    }
    std::cout << "file faults: " << reference.work().operations() << " operations, " << faults.size()
              << " faults, stride " << stride << ", injected " << injected << ", lost " << lost << ", silent " << silent
              << " (and needless " << needed_not << ")" << std::endl;
    EXPECT_GT(injected, 0U);
}

}  // namespace
}  // namespace telpher::sim
