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
#include <set>

#include "broker/log/record.h"
#include "broker/log/records.pb.h"
#include "broker/stored_batch.h"
#include "tests/e2e/corruption.h"
#include "tests/support/seed.h"

namespace telpher::test {
namespace {

constexpr std::uint64_t kCorruptionsDefault = 2'000;

void expect_all_there(Reference& reference) {
    expect_sound(reference, serve(reference, reference.files), {"seg", "spare", "checkpoint", "mark"});
    const auto is_segment = [](const auto& file) { return kind_of(file.first) == "seg"; };
    EXPECT_GT(std::ranges::count_if(reference.files, is_segment), 2) << reference.name;
}

void corrupt_once(Random& random, const Reference& reference, Tally& tally) {
    Folder folder = reference.files;
    const auto corruption = corrupt(random, reference, folder);
    if (!corruption) return;
    const Served served = serve(reference, folder);
    const Judgement judgement = judge(reference, served);
    tally.add(*corruption, served, judgement);
    expect_honest(judgement, served, corruption->what);
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
    for (Reference& reference : references) expect_all_there(reference);
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

log::RecordHeader header_at(const FileBytes& segment, std::size_t at) {
    return *log::decode_record_header(Bytes(segment).subspan(at));
}

/// Where the records begin that no other vouches for: those of the last commit. 0: they are all there are, and without
/// them it is no segment.
std::size_t last_group_of(const FileBytes& segment) {
    const auto records = records_in(segment);
    const Lsn proven = header_at(segment, records.back().first).durable_upto;
    const auto first = std::find_if(records.begin(), records.end(),
                                    [&](const auto& record) { return header_at(segment, record.first).lsn > proven; });
    return first == records.begin() ? 0 : first->first;
}

/// What was settled by the records from there on.
std::set<std::uint64_t> settled_from(const FileBytes& segment, std::size_t from) {
    std::set<std::uint64_t> settled;
    for (const auto& [at, end] : records_in(segment)) {
        const log::RecordHeader header = header_at(segment, at);
        if (at < from || header.kind != log::Kind::kSettle) continue;
        log::v1::SettleMeta meta;
        EXPECT_TRUE(
            meta.ParseFromArray(segment.data() + at + log::kRecordHeaderBytes, static_cast<int>(header.meta_bytes)));
        for (const queue::Range& range : broker::ranges_of(meta.ranges())) {
            for (Offset id = range.first; id < range.end(); id += 1) settled.insert(id.value());
        }
    }
    return settled;
}

// As a power cut may leave it: the mark is not on the disk, and the last of the log is damaged. Then the last group
// that was confirmed cannot be told from a torn tail. It may be gone, with the settles in it, but not in silence, and
// nothing else may.
TEST(Corruption, without_the_mark_a_tail_is_lost_aloud) {
    constexpr std::uint64_t kFlips = 300;
    Random random(test_seed());
    Reference reference = simulated_reference(random.next(), false);
    expect_all_there(reference);
    std::string last;
    for (const auto& [name, bytes] : reference.files) last = kind_of(name) == "seg" ? name : last;
    const std::size_t last_group = last_group_of(reference.files.at(last));
    Reference without_last = reference;
    for (const std::uint64_t id : settled_from(reference.files.at(last), last_group)) {
        if (without_last.promised.settled.erase(id) > 0) without_last.promised.doubtful.insert(id);
    }
    Tally tally;
    while (tally.done() < kFlips && !HasFailure()) {
        Folder folder = reference.files;
        folder.erase("mark");
        const std::string where = flip_near_the_end(random, folder.at(last));
        const Served served = serve(reference, folder);
        const Judgement judgement = judge(served.cuts.empty() ? reference : without_last, served);
        tally.add({Harm::kFlipBit, last, where}, served, judgement);
        expect_honest(judgement, served, where);
        for (const Range& cut : served.cuts) EXPECT_GE(cut.from, last_group) << where << "; torn: " << served.torn;
    }
    tally.print("without the mark");
}

}  // namespace
}  // namespace telpher::test
