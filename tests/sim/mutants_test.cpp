// The same simulation over brokers with one bug each, made on purpose: if nobody noticed, the simulation would prove
// nothing. Each runs in a process of its own, as many of them end in a broken invariant, over the same seeds always.
// TELPHER_MUTANT tries a single one.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <map>
#include <set>

#include "tests/sim/mutant_switch.h"
#include "tests/sim/world.h"

namespace telpher::sim {
namespace {

/// What a mutant has to be caught by.
constexpr std::uint64_t kSeeds = 400;
constexpr unsigned kSecondsMax = 120;
constexpr std::size_t kAtOnce = 2;
constexpr std::size_t kMutantsMin = 30;
constexpr double kCaughtMin = 0.95;

struct Trial {
    std::string mutant;
    int pipe = -1;
};

struct Outcome {
    bool caught = false;
    std::string how;
};

/// What the process of one mutant says: the seed it is at, then what was found.
void say(int pipe, const std::string& text) { static_cast<void>(!::write(pipe, text.data(), text.size())); }

[[noreturn]] void try_mutant(const std::string& mutant, int pipe) {
    const int nowhere = ::open("/dev/null", O_WRONLY);
    ::dup2(nowhere, STDOUT_FILENO);
    ::dup2(nowhere, STDERR_FILENO);
    std::signal(SIGABRT, SIG_DFL);
    ::alarm(kSecondsMax);
    switch_mutant_on(mutant);
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
        say(pipe, "\nseed " + std::to_string(seed) + ": ");
        Marks marks;
        World world(seed, marks);
        std::string verdict;
        try {
            verdict = world.run();
        } catch (const std::exception& error) {
            verdict = std::string("thrown: ") + error.what();
        }
        if (verdict.empty()) continue;
        say(pipe, verdict);
        ::_exit(1);
    }
    say(pipe, mutant_was_reached() ? "\nnot noticed" : "\nnever reached");
    ::_exit(0);
}

/// How a trial ended.
Outcome outcome_of(const Trial& trial, int status) {
    std::string said;
    std::array<char, 4096> buffer{};
    for (ssize_t got = 0; (got = ::read(trial.pipe, buffer.data(), buffer.size())) > 0;)
        said.append(buffer.data(), static_cast<std::size_t>(got));
    ::close(trial.pipe);
    std::string last = said.substr(said.find_last_of('\n') + 1);
    if (WIFEXITED(status)) return {WEXITSTATUS(status) == 1, last};
    const bool late = WTERMSIG(status) == SIGALRM;
    return {!late, last + (late ? "out of time" : "an invariant does not hold")};
}

std::map<std::string, Outcome> try_all(std::vector<std::string> mutants) {
    std::map<std::string, Outcome> outcomes;
    std::map<pid_t, Trial> running;
    while (!mutants.empty() || !running.empty()) {
        while (!mutants.empty() && running.size() < kAtOnce) {
            std::array<int, 2> ends{};
            if (::pipe(ends.data()) != 0) throw std::runtime_error("pipe");
            const std::string mutant = mutants.back();
            mutants.pop_back();
            const pid_t child = ::fork();
            if (child < 0) throw std::runtime_error("fork");
            if (child == 0) try_mutant(mutant, ends[1]);
            ::close(ends[1]);
            running[child] = {mutant, ends[0]};
        }
        int status = 0;
        const pid_t ended = ::wait(&status);
        const auto trial = running.extract(ended);
        if (!trial.empty()) outcomes[trial.mapped().mutant] = outcome_of(trial.mapped(), status);
    }
    return outcomes;
}

TEST(Mutants, WithoutOneNothingIsNoticed) {
    const auto outcomes = try_all({""});
    EXPECT_FALSE(outcomes.at("").caught) << outcomes.at("").how;
}

TEST(Mutants, AreNoticed) {
    const char* only = std::getenv("TELPHER_MUTANT");
    const auto mutants = only != nullptr ? std::vector<std::string>{only} : all_mutants();
    const auto outcomes = try_all(mutants);
    std::size_t caught = 0;
    for (const auto& [mutant, outcome] : outcomes) {
        caught += outcome.caught ? 1 : 0;
        std::cout << (outcome.caught ? "caught    " : "SURVIVES  ") << mutant << ": " << outcome.how << "\n";
    }
    std::cout << caught << " of " << outcomes.size() << " mutants caught" << std::endl;
    EXPECT_EQ(outcomes.size(), mutants.size()) << "two have the same name";
    EXPECT_GE(mutants.size(), only != nullptr ? 1 : kMutantsMin);
    EXPECT_GE(static_cast<double>(caught), kCaughtMin * static_cast<double>(outcomes.size()));
}

}  // namespace
}  // namespace telpher::sim
