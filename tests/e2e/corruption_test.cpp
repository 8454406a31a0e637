// One file of a data directory is damaged, in any way that disks damage files, and a broker is started on it.
//
// Claim: no message is ever served wrong, whatever is damaged: each has the bytes that were put with its id, and what
// was settled stays away. Nothing that was confirmed is missing in silence: all of it is there, or the start is
// refused, or the broker stops and names the place.
//
// TELPHER_CORRUPTIONS says how often (2,000 by default); TELPHER_SEED repeats them.
//
// What cannot be decided, and is not tried here: damage to two files at once that covers itself up, as the newest
// segment deleted together with the mark that proves it, and every file put back to an earlier moment.

#include <gtest/gtest.h>

#include <iostream>

#include "tests/e2e/corruption.h"
#include "tests/support/seed.h"

namespace telpher::test {
namespace {

constexpr std::uint64_t kCorruptionsDefault = 2'000;

struct Tally {
    std::uint64_t done = 0;
    std::map<Harm, std::uint64_t> by_harm;
    std::uint64_t refused = 0, failed = 0, harmless = 0, served_wrong = 0, undetected = 0, torn = 0;

    void add(const Corruption& corruption, const Served& served, const Judgement& judgement) {
        ++done;
        ++by_harm[corruption.harm];
        ++(!served.started ? refused : served.failed ? failed : harmless);
        if (served.torn_bytes > 0) ++torn;
        served_wrong += judgement.served_wrong.empty() ? 0 : 1;
        undetected += judgement.undetected.empty() ? 0 : 1;
    }
    void print(const char* where) const {
        std::cout << "corruptions" << where << ": " << done << " over " << by_harm.size() << " kinds, served wrong "
                  << served_wrong << ", undetected " << undetected << ", torn tails " << torn << " (refused " << refused
                  << ", stopped " << failed << ", harmless " << harmless << ")" << std::endl;
    }
};

void expect_all_there(const Reference& reference) {
    std::map<std::string, int> kinds;
    for (const auto& [name, bytes] : reference.files) ++kinds[name.substr(name.find_last_of('.') + 1)];
    for (const char* kind : {"seg", "spare", "checkpoint", "mark"}) {
        EXPECT_GT(kinds[kind], 0) << reference.name << " has no " << kind;
    }
    EXPECT_GT(kinds["seg"], 2) << reference.name;
    const Served served = serve(reference, reference.files);
    EXPECT_TRUE(served.started && !served.failed) << reference.name << ": " << served.refused;
    const Judgement judgement = judge(reference, served);
    EXPECT_TRUE(judgement.served_wrong.empty() && judgement.undetected.empty()) << reference.name;
    std::cout << reference.name << ": " << reference.files.size() << " files, " << kinds["seg"] << " segments, "
              << reference.promised.live().size() << " messages of " << reference.promised.put << std::endl;
}

std::string first_of(const std::vector<std::string>& all) { return all.empty() ? "" : all.front(); }

void corrupt_once(Random& random, const Reference& reference, Tally& tally) {
    Folder folder = reference.files;
    const auto corruption = corrupt(random, reference, folder);
    if (!corruption) return;
    const Served served = serve(reference, folder);
    const Judgement judgement = judge(reference, served);
    tally.add(*corruption, served, judgement);
    EXPECT_TRUE(judgement.served_wrong.empty())
        << corruption->what << ": " << first_of(judgement.served_wrong) << "; " << served.refused;
    EXPECT_TRUE(judgement.undetected.empty()) << corruption->what << ": " << first_of(judgement.undetected) << " and "
                                              << judgement.undetected.size() - 1 << " more; torn: " << served.torn;
}

TEST(Corruption, is_never_served_and_never_silent) {
    const std::uint64_t seed = test_seed();
    const std::uint64_t count = count_from_env("TELPHER_CORRUPTIONS", kCorruptionsDefault);
    Random random(seed);
    std::vector<Reference> references;
    for (const bool clean : {true, false, false}) references.push_back(simulated_reference(random.next(), clean));
    for (const Reference& reference : references) ASSERT_NO_FATAL_FAILURE(expect_all_there(reference));
    Tally tally;
    while (tally.done < count && !HasFailure())
        corrupt_once(random, references[random.below(references.size())], tally);
    tally.print("");
}

}  // namespace
}  // namespace telpher::test
