#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <regex>

#include "broker/log/record.h"
#include "broker/log/segment.h"
#include "broker/stored_batch.h"
#include "tests/e2e/corruption.h"

namespace telpher::test {
namespace {

/// A place in a file of the log, or the file: somebody must be able to look there.
bool names_a_place(const std::string& error) {
    static const std::regex kPlace(R"(segment \d+|[0-9a-f]{16}\.(seg|spare|checkpoint)|\bmark\b|record \d+)");
    return std::regex_search(error, kPlace);
}

/// "segment 3, byte 8192 (300 bytes), lsn 17: ...".
bool names_a_range(const std::string& torn) {
    static const std::regex kRange(R"(segment \d+, byte \d+ \(\d+ bytes\), lsn \d+)");
    return std::regex_search(torn, kRange);
}

/// Its record begins in what was cut: where it ended is not known when its length is what was damaged.
bool in_a_cut(const std::map<std::uint64_t, Range>& places, std::uint64_t id, const Served& served) {
    const auto place = places.find(id);
    return place != places.end() &&
           std::any_of(served.cuts.begin(), served.cuts.end(), [&record = place->second](const Range& cut) {
               return cut.file == record.file && cut.from <= record.from && record.from < cut.to;
           });
}

void judge_served(const Reference& reference, const Served& served, Judgement& judgement) {
    const Promised& promised = reference.promised;
    judgement.served_wrong = served.wrong;
    for (const auto& [id, payload] : served.messages) {
        if (id >= promised.put || payload != payload_of(id)) {
            judgement.served_wrong.push_back(fmt::format("message {} is another", id));
        } else if (promised.settled.contains(id)) {
            judgement.served_wrong.push_back(fmt::format("message {} was settled", id));
        } else if (reference.clean && !promised.stored.contains(id)) {
            judgement.served_wrong.push_back(fmt::format("message {} was never confirmed", id));
        }
    }
}

void judge_missing(const Reference& reference, const Served& served, Judgement& judgement) {
    std::vector<std::uint64_t> missing;
    for (const std::uint64_t id : reference.promised.live()) {
        if (!served.messages.contains(id)) missing.push_back(id);
    }
    std::vector<std::uint64_t> unconfirmed;
    for (const std::uint64_t id : reference.present) {
        if (!served.messages.contains(id) && !reference.promised.stored.contains(id)) unconfirmed.push_back(id);
    }
    if (missing.empty() && unconfirmed.empty()) return;
    const auto places = places_of(reference.files);
    for (const std::uint64_t id : missing) {
        if (!reference.clean && in_a_cut(places, id, served)) {
            ++judgement.confirmed_in_tail;
        } else {
            judgement.undetected.push_back(fmt::format("message {} is missing", id));
        }
    }
    for (const std::uint64_t id : unconfirmed) judgement.unconfirmed_gone += in_a_cut(places, id, served) ? 0 : 1;
}

/// After a clean stop nothing is a tail but what damage has put behind the end.
void judge_cuts(const Reference& reference, const Served& served, Judgement& judgement) {
    for (const auto& [id, place] : places_of(reference.files)) {
        const bool cut = std::any_of(served.cuts.begin(), served.cuts.end(), [&p = place](const Range& range) {
            return range.file == p.file && range.from < p.to && p.from < range.to;
        });
        if (cut) judgement.undetected.push_back(fmt::format("message {} was cut after a clean stop", id));
    }
}

/// Reads the messages of one record, and where it lies.
void note_places(const Range& where, const log::RecordHeader& header, Bytes payload,
                 std::map<std::uint64_t, Range>& places) {
    if (header.kind != log::Kind::kBatch && header.kind != log::Kind::kMove) return;
    log::StoredRecord record;
    record.kind = header.kind;
    record.meta = as_text(payload.first(header.meta_bytes));
    const auto batch = batch::View::reopen(Slice(nullptr, payload.subspan(header.meta_bytes)), false);
    const auto ranges = batch ? broker::messages_of(record, batch->count()) : fail(Code::kCorrupt, "");
    if (!ranges) return;
    for (const queue::Range& range : *ranges) {
        for (std::uint64_t i = 0; i < range.count; ++i) places[(range.first + i).value()] = where;
    }
}

}  // namespace

std::map<std::uint64_t, Range> places_of(const Folder& folder) {
    std::map<std::uint64_t, Range> places;
    for (const auto& [name, file] : folder) {
        const Bytes bytes(file);
        const auto segment = kind_of(name) == "seg" ? log::decode_segment_header(bytes) : std::nullopt;
        for (std::size_t at = log::kSegmentHeaderBytes; segment && at < bytes.size();) {
            const auto header = log::decode_record_header(bytes.subspan(at));
            if (!header || header->salt != segment->salt || at + log::record_bytes(*header) > bytes.size()) break;
            note_places({name.substr(name.find_last_of('/') + 1), at, at + log::record_bytes(*header)}, *header,
                        bytes.subspan(at + log::kRecordHeaderBytes, header->meta_bytes + header->body_bytes), places);
            at += log::record_bytes(*header);
        }
    }
    return places;
}

Judgement judge(const Reference& reference, const Served& served) {
    Judgement judgement;
    judge_served(reference, served, judgement);
    if (served.reported()) {
        if (!names_a_place(served.refused)) judgement.undetected.push_back("no place is named: " + served.refused);
        return judgement;
    }
    judge_missing(reference, served, judgement);
    if (!served.cuts.empty() && reference.clean) judge_cuts(reference, served, judgement);
    if (served.cuts.empty() == names_a_range(served.torn)) {
        judgement.undetected.push_back("a cut and its report do not agree: " + served.torn);
    }
    return judgement;
}

void expect_honest(const Judgement& judgement, const Served& served, const std::string& what) {
    const auto first_of = [](const std::vector<std::string>& all) { return all.empty() ? "" : all.front(); };
    EXPECT_TRUE(judgement.served_wrong.empty())
        << what << ": " << first_of(judgement.served_wrong) << "; " << served.refused;
    EXPECT_TRUE(judgement.undetected.empty()) << what << ": " << first_of(judgement.undetected) << ", "
                                              << judgement.undetected.size() << " in all; torn: " << served.torn;
}

void expect_sound(Reference& reference, const Served& served, std::initializer_list<const char*> kinds) {
    std::map<std::string, int> found;
    for (const auto& [name, bytes] : reference.files) ++found[kind_of(name)];
    for (const char* kind : kinds) EXPECT_GT(found[kind], 0) << reference.name << " has no " << kind;
    EXPECT_TRUE(served.started && !served.failed) << reference.name << ": " << served.refused;
    for (const auto& [id, payload] : served.messages) reference.present.insert(id);
    const Judgement judgement = judge(reference, served);
    EXPECT_TRUE(judgement.served_wrong.empty() && judgement.undetected.empty()) << reference.name;
    std::cout << reference.name << ": " << reference.files.size() << " files, " << found["seg"] << " segments, "
              << reference.promised.live().size() << " messages of " << reference.promised.put << std::endl;
}

void Tally::add(const Corruption& corruption, const Served& served, const Judgement& judgement) {
    ++done_;
    harms_.insert(corruption.harm);
    kinds_.insert(kind_of(corruption.file));
    ++(!served.started ? refused_ : served.failed ? failed_ : harmless_);
    torn_ += served.cuts.empty() ? 0 : 1;
    confirmed_in_tail_ += judgement.confirmed_in_tail > 0 ? 1 : 0;
    unconfirmed_gone_ += judgement.unconfirmed_gone > 0 ? 1 : 0;
    served_wrong_ += judgement.served_wrong.empty() ? 0 : 1;
    undetected_ += judgement.undetected.empty() ? 0 : 1;
}

void Tally::print(const std::string& where) const {
    std::cout << "corruptions" << (where.empty() ? "" : " (" + where + ")") << ": " << done_ << " in " << harms_.size()
              << " ways over " << kinds_.size() << " kinds of files, served wrong " << served_wrong_ << ", undetected "
              << undetected_ << ", torn tails " << torn_ << ", with confirmed messages in them " << confirmed_in_tail_
              << " (refused " << refused_ << ", stopped " << failed_ << ", harmless " << harmless_
              << "; unconfirmed gone " << unconfirmed_gone_ << ")" << std::endl;
}

}  // namespace telpher::test
