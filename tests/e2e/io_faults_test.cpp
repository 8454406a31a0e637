// One file system call of the broker fails: each one in turn that it makes in a run of a workload, from the making of
// its folder to a clean stop, and in a start after a kill; with EIO, with ENOSPC, once and from then on, and with half
// of the bytes written.
//
// Claim: whatever fails, of the messages that were confirmed none is lost or altered, none comes again whose settle was
// confirmed, no confirmed queue is gone; and no failure is passed over: the broker logs it, or tells its clients, or
// ends with a status that says so. A short write is gone on with. The next start needs no help.
//
// TELPHER_FAULT_OPS says how many operations the workload has (500), TELPHER_FAULT_STRIDE that only every so manieth
// fault is tried (1: each; without it as many as take less than a minute). Faults of calls that are made a few times
// only are always tried; TELPHER_SEED chooses with which of the others it begins.

#include <gtest/gtest.h>

#include <atomic>
#include <iostream>
#include <map>
#include <mutex>
#include <thread>

#include "proto/base/random.h"
#include "tests/e2e/fault_trial.h"
#include "tests/support/seed.h"

namespace telpher::test {
namespace {

constexpr std::uint64_t kOperationsDefault = 500;
constexpr std::size_t kTrialsDefault = 120;
/// Of a sort of call that is made no more often than this, each one fails (once) in every run of the test.
constexpr std::size_t kRare = 6;
constexpr unsigned kAtATime = 4;  // most of a trial is waiting
constexpr unsigned kFailuresMax = 5;

struct Figures {
    std::mutex mutex;
    std::uint64_t injected = 0, unreached = 0, confirmed = 0, lost = 0, silent = 0, ended = 0;
    std::atomic<unsigned> failed{0};
};

std::string describe(const Fault& fault, const TrialOutcome& outcome) {
    std::string text = fault.text();
    if (outcome.injected) text += " " + outcome.injected->name + " " + outcome.injected->path;
    text += ", it ended with " + outcome.ended.text() + (outcome.by_itself ? " by itself" : "") + "\n";
    for (const std::string& what : outcome.wrong) text += "  wrong: " + what + "\n";
    for (const std::string& what : outcome.told) text += "  told: " + what + "\n";
    return text + outcome.verdict.text() + outcome.log;
}

/// What the broker can do without: the number in the lock file is for people, and a spare segment that the disk has no
/// room for is made when it is needed.
bool needless(const Fault& fault, const FileCall& call) {
    return call.path.ends_with("/lock") || (call.path.ends_with(".spare") && fault.kind == Fault::Kind::kEnospc &&
                                            (call.name == "open" || call.name == "posix_fallocate"));
}

/// A failure that mattered, and nobody was told.
bool silent(const Fault& fault, const TrialOutcome& outcome) {
    return outcome.injected && fault.kind != Fault::Kind::kShort && !outcome.said_so() &&
           !needless(fault, *outcome.injected);
}

void judge(const Fault& fault, const TrialOutcome& outcome, Figures& figures) {
    const std::lock_guard lock(figures.mutex);
    ++(outcome.injected ? figures.injected : figures.unreached);
    figures.confirmed += outcome.verdict.confirmed;
    figures.ended += outcome.by_itself ? 1 : 0;
    const auto lost = outcome.verdict.broken.find(Property::kLost);
    if (lost != outcome.verdict.broken.end()) figures.lost += lost->second;
    const bool sound = outcome.verdict.ok() && outcome.wrong.empty();
    EXPECT_TRUE(sound) << describe(fault, outcome);
    const bool unsaid = silent(fault, outcome);
    EXPECT_FALSE(unsaid) << "nobody was told: " << describe(fault, outcome);
    figures.silent += unsaid ? 1 : 0;
    figures.failed += sound && !unsaid ? 0 : 1;
}

std::vector<Fault> faults_of(const FileCall& call) {
    std::vector<Fault> faults;
    for (const bool sticky : {false, true}) {
        faults.push_back({call.number, Fault::Kind::kEio, sticky});
        faults.push_back({call.number, Fault::Kind::kEnospc, sticky});
    }
    if (call.writes()) faults.push_back({call.number, Fault::Kind::kShort, false});
    return faults;
}

/// Those that this run of the test tries.
std::vector<Fault> choose(const std::vector<FileCall>& calls, std::uint64_t seed) {
    std::map<std::string, std::size_t> often;
    for (const FileCall& call : calls) ++often[call.sort()];
    std::vector<Fault> chosen, repeated;
    for (const FileCall& call : calls) {
        for (const Fault& fault : faults_of(call)) {
            (often[call.sort()] <= kRare && !fault.sticky ? chosen : repeated).push_back(fault);
        }
    }
    // The same order in every run: so the offsets share out all faults among them, and none always meets the same
    // calls.
    Random order(1);
    for (std::size_t i = repeated.size(); i > 1; --i) std::swap(repeated[i - 1], repeated[order.below(i)]);
    const std::size_t room = kTrialsDefault - std::min(kTrialsDefault - 1, chosen.size());
    const std::uint64_t stride = count_from_env("TELPHER_FAULT_STRIDE", (repeated.size() + room - 1) / room);
    const std::uint64_t offset = stride == 0 ? 0 : seed % stride;
    std::cout << "stride " << stride << ", offset " << offset << std::endl;
    for (std::size_t i = offset; i < repeated.size(); i += std::max<std::uint64_t>(stride, 1)) {
        chosen.push_back(repeated[i]);
    }
    return chosen;
}

class IoFaults : public testing::TestWithParam<Stage> {};

TEST_P(IoFaults, lose_nothing_and_are_never_silent) {
    const std::uint64_t operations = count_from_env("TELPHER_FAULT_OPS", kOperationsDefault);
    const std::uint64_t seed = test_seed();
    const TrialOutcome reference = run_trial(GetParam(), {}, operations);
    ASSERT_TRUE(reference.verdict.ok() && reference.wrong.empty()) << describe({}, reference);
    ASSERT_FALSE(reference.said_so()) << describe({}, reference);
    ASSERT_FALSE(reference.calls.empty()) << "the shim is not loaded";
    std::map<std::string, std::size_t> sorts;
    for (const FileCall& call : reference.calls) ++sorts[call.sort()];
    for (const auto& [sort, count] : sorts) std::cout << "  " << sort << ": " << count << "\n";

    const std::vector<Fault> faults = choose(reference.calls, seed);
    Figures figures;
    std::atomic<std::size_t> next{0};
    std::vector<std::thread> workers;
    for (unsigned i = 0; i < kAtATime; ++i) {
        workers.emplace_back([&] {
            for (std::size_t at = next++; at < faults.size() && figures.failed < kFailuresMax; at = next++) {
                judge(faults[at], run_trial(GetParam(), faults[at], operations), figures);
            }
        });
    }
    for (std::thread& worker : workers) worker.join();
    std::cout << "faults: indices " << reference.calls.size() << ", injected " << figures.injected << " (not reached "
              << figures.unreached << ", broker ended " << figures.ended << "), confirmed " << figures.confirmed
              << ", lost " << figures.lost << ", silent " << figures.silent << std::endl;
    EXPECT_GE(figures.injected, faults.size() * 9 / 10) << "the runs differ too much";
}

INSTANTIATE_TEST_SUITE_P(Start, IoFaults, testing::Values(Stage::kFresh, Stage::kKilled),
                         [](const auto& stage) { return stage.param == Stage::kFresh ? "fresh" : "killed"; });

}  // namespace
}  // namespace telpher::test
