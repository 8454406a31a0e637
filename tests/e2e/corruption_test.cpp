// One file of a data directory is damaged, in any way that disks damage files, and a broker is started on it.
//
// Claim: no message is ever served wrong, whatever is damaged: each has the bytes that were put with its id, and what
// was settled stays away. Nothing that was confirmed is missing in silence: all of it is there, or the start is
// refused, or the broker stops, and both name the place. What is cut as a tail that was never confirmed is reported
// with its range, and nothing else is missing.
//
// TELPHER_CORRUPTIONS says how often (2,000 by default); TELPHER_SEED repeats them.
//
// What cannot be decided, and is not tried here: damage to two files at once that covers itself up, as the newest
// segment deleted together with the mark that proves it, and every file put back to an earlier moment. And one that is
// counted, but no failure: records at the end that were written, but never confirmed, and of which nothing is left.

#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <map>

#include "broker/log/record.h"
#include "tests/e2e/corruption.h"
#include "tests/support/seed.h"

namespace telpher::test {
namespace {

constexpr std::uint64_t kCorruptionsDefault = 2'000;

void expect_all_there(Reference& reference) {
    std::map<std::string, int> kinds;
    for (const auto& [name, bytes] : reference.files) ++kinds[kind_of(name)];
    for (const char* kind : {"seg", "spare", "checkpoint", "mark"}) {
        EXPECT_GT(kinds[kind], 0) << reference.name << " has no " << kind;
    }
    EXPECT_GT(kinds["seg"], 2) << reference.name;
    const Served served = serve(reference, reference.files);
    EXPECT_TRUE(served.started && !served.failed) << reference.name << ": " << served.refused;
    for (const auto& [id, payload] : served.messages) reference.present.insert(id);
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
    // The mark is exact after a kill: with it, or with the segment that it is about, nothing confirmed is in doubt.
    EXPECT_EQ(judgement.confirmed_in_tail, 0U) << corruption->what << "; torn: " << served.torn;
}

TEST(Corruption, is_never_served_and_never_silent) {
    const std::uint64_t seed = test_seed();
    const std::uint64_t count = count_from_env("TELPHER_CORRUPTIONS", kCorruptionsDefault);
    Random random(seed);
    std::vector<Reference> references;
    for (const bool clean : {true, false, false}) references.push_back(simulated_reference(random.next(), clean));
    for (Reference& reference : references) reference.foreign = simulated_reference(random.next(), true).files;
    for (Reference& reference : references) ASSERT_NO_FATAL_FAILURE(expect_all_there(reference));
    Tally tally;
    while (tally.done() < count && !HasFailure())
        corrupt_once(random, references[random.below(references.size())], tally);
    tally.print("");
}

/// A bit of one of the last records; not of a salt, without which it is a record of nobody.
std::string flip_near_the_end(Random& random, FileBytes& segment) {
    constexpr std::size_t kRecords = 6, kSaltFrom = 32, kSaltTo = 40;
    const auto records = records_in(segment);
    const auto [from, to] = records.at(records.size() - 1 - random.below(std::min(records.size(), kRecords)));
    std::size_t at = from;
    do at = from + random.below(to - from);
    while (at - from >= kSaltFrom && at - from < kSaltTo);
    segment.at(at) ^= std::byte{1} << random.below(8);
    return "byte " + std::to_string(at) + " of the record at " + std::to_string(from);
}

/// Where the records begin that no other vouches for: those of the last commit.
std::size_t last_group_of(const FileBytes& segment) {
    const auto records = records_in(segment);
    const auto header_at = [&](std::size_t at) { return *log::decode_record_header(Bytes(segment).subspan(at)); };
    const Lsn proven = header_at(records.back().first).durable_upto;
    const auto first = std::find_if(records.begin(), records.end(),
                                    [&](const auto& record) { return header_at(record.first).lsn > proven; });
    return first->first;
}

// As a power cut may leave it: the mark is not on the disk, and the last of the log is damaged. Then the last group
// that was confirmed cannot be told from a torn tail. It may be gone, but not in silence, and nothing else may.
TEST(Corruption, without_the_mark_a_tail_is_lost_aloud) {
    constexpr std::uint64_t kFlips = 300;
    Random random(test_seed());
    Reference reference = simulated_reference(random.next(), false);
    ASSERT_NO_FATAL_FAILURE(expect_all_there(reference));
    std::string last;
    for (const auto& [name, bytes] : reference.files) last = kind_of(name) == "seg" ? name : last;
    const std::size_t last_group = last_group_of(reference.files.at(last));
    Tally tally;
    while (tally.done() < kFlips && !HasFailure()) {
        Folder folder = reference.files;
        folder.erase("mark");
        const std::string where = flip_near_the_end(random, folder.at(last));
        const Served served = serve(reference, folder);
        const Judgement judgement = judge(reference, served);
        tally.add({Harm::kFlipBit, last, where}, served, judgement);
        EXPECT_TRUE(judgement.served_wrong.empty()) << where << ": " << first_of(judgement.served_wrong);
        EXPECT_TRUE(judgement.undetected.empty())
            << where << ": " << first_of(judgement.undetected) << "; torn: " << served.torn;
        for (const Range& cut : served.cuts) EXPECT_GE(cut.from, last_group) << where << "; torn: " << served.torn;
    }
    tally.print("without the mark");
}

}  // namespace
}  // namespace telpher::test
