// One file of the data directory of a telpherd that is down is damaged, any file there is, and a telpherd is started on
// it: what corruption_test.cpp claims, through the kernel's files, the process and the library.
//
// TELPHER_CORRUPTIONS_DAEMON says how often (40 by default), as each costs a start; TELPHER_SEED repeats the draws.

#include <gtest/gtest.h>

#include <iostream>

#include "tests/e2e/corruption_daemon.h"
#include "tests/support/seed.h"

namespace telpher::test {
namespace {

constexpr std::uint64_t kCorruptionsDefault = 40;

Served serve_copy(const Folder& folder) {
    const TempDir dir;
    write_folder(folder, dir.path() / "data");
    return serve_daemon(dir.path() / "data");
}

void corrupt_once(Random& random, const Reference& reference, Tally& tally) {
    Folder folder = reference.files;
    const auto corruption = corrupt(random, reference, folder);
    if (!corruption) return;
    const Served served = serve_copy(folder);
    const Judgement judgement = judge(reference, served);
    tally.add(*corruption, served, judgement);
    expect_honest(judgement, served, corruption->what);
    EXPECT_EQ(judgement.confirmed_in_tail, 0U)
        << corruption->what << ": the mark is exact after a kill; torn: " << served.torn;
}

TEST(CorruptionOfDaemon, is_never_served_and_never_silent) {
    Random random(test_seed());
    const std::uint64_t count = count_from_env("TELPHER_CORRUPTIONS_DAEMON", kCorruptionsDefault);
    std::vector<Reference> references;
    for (const bool clean : {true, false}) references.push_back(daemon_reference(random.next(), clean));
    references[0].foreign = references[1].files;
    references[1].foreign = references[0].files;
    for (Reference& reference : references) {
        expect_sound(reference, serve_copy(reference.files),
                     {"seg", "spare", "checkpoint", "mark", "lock", "quarantine"});
    }
    Tally tally;
    while (tally.done() < count && !HasFailure())
        corrupt_once(random, references[random.below(references.size())], tally);
    tally.print("daemon");
}

}  // namespace
}  // namespace telpher::test
