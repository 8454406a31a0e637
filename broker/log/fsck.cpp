#include "broker/log/fsck.h"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>
#include <string_view>

#include "broker/log/inspect.h"
#include "broker/log/repair.h"

namespace telpher::log {
namespace {

/// What was read, and what it comes to.
struct Judgement {
    Survey found;
    Inspection inspection;
    std::vector<Repair> repairs;
    std::string refused;  ///< Why a start would refuse records that are sound.
    FsckResult result = FsckResult::kClean;
};

void print_segments(const Inspection& inspection, std::ostream& out) {
    for (const InspectedSegment& segment : inspection.segments) {
        out << fmt::format("segment {}: from lsn {}, {} of {} bytes used\n", segment.header.number.value(),
                           segment.header.first_lsn.value(), segment.end, segment.header.capacity);
    }
}

void print_files(const Survey& found, std::ostream& out) {
    for (const FoundCheckpoint& checkpoint : found.checkpoints) {
        out << checkpoint.name << ": ";
        if (checkpoint.header) {
            out << fmt::format("checkpoint at lsn {}, {} bytes\n", checkpoint.header->point.lsn.value(),
                               checkpoint.header->bytes);
        } else {
            out << "damaged checkpoint: the next start does without it\n";
        }
    }
    for (const Leftover& leftover : found.leftovers) {
        out << fmt::format("{}: {} bytes, left by a crash: the next start removes it\n", leftover.name,
                           leftover.file_bytes);
    }
    if (!found.mark && !found.segments.empty()) {
        out << "no valid mark: damage to the last group or missing first segments could not be seen\n";
    }
}

std::string_view verdict_text(FsckResult result, bool repaired) {
    switch (result) {
        case FsckResult::kClean:
            return "clean";
        case FsckResult::kTorn:
            return repaired ? "nothing confirmed is missing, and the rest is mended"
                            : "nothing confirmed is missing: the next start mends the rest";
        case FsckResult::kDamaged:
            return "damaged: confirmed data is missing or broken";
    }
    return "";
}

/// Asks whether a start would take it.
Result<void> ask(const FsckOptions& options, Judgement& judgement) {
    if (judgement.result == FsckResult::kDamaged || !options.accept) return {};
    auto accepted = options.accept();
    if (accepted || accepted.error().code() != Code::kCorrupt) return accepted;
    judgement.refused = accepted.error().detail();
    judgement.result = FsckResult::kDamaged;
    return {};
}

Result<Judgement> judge(FileSystem& files, const std::string& dir) {
    Judgement judgement;
    auto found = survey_log(files, dir);
    if (!found) return fail(found.error());
    auto inspection = inspect(files, dir, *found, {.go_on = true}, [](const RecordView&) { return Result<void>(); });
    if (!inspection) return fail(inspection.error());
    judgement.found = std::move(*found);
    judgement.inspection = std::move(*inspection);
    const auto& findings = judgement.inspection.findings;
    for (const Finding& finding : findings) {
        if (finding.action() == Action::kRefuse) return fail(Code::kFormat, dir + ": " + finding.text());
    }
    judgement.repairs = repairs_of(judgement.found, judgement.inspection);
    const bool damaged = std::any_of(findings.begin(), findings.end(),
                                     [](const Finding& finding) { return finding.action() == Action::kStop; });
    const bool untidy = !findings.empty() || !judgement.repairs.empty();
    judgement.result = damaged ? FsckResult::kDamaged : untidy ? FsckResult::kTorn : FsckResult::kClean;
    return judgement;
}

/// What a start would do, done or only told.
Result<void> mend(FileSystem& files, const std::string& dir, const Judgement& judgement, bool dry_run,
                  std::ostream& out) {
    if (judgement.result == FsckResult::kDamaged) {
        out << "nothing was changed: a repair removes only what was never confirmed\n";
        return {};
    }
    if (dry_run) {
        for (const Repair& one : judgement.repairs) out << "would " << one.text() << '\n';
        return {};
    }
    const auto done = repair(files, dir, judgement.repairs);
    if (!done) return fail(done.error());
    if (auto synced = files.sync_dir(dir); !synced) return synced;
    for (const Repaired& one : *done) out << "done: " << one.text() << '\n';
    return {};
}

}  // namespace

Result<FsckResult> fsck(FileSystem& files, const std::string& dir, std::ostream& out, const FsckOptions& options) {
    auto judgement = judge(files, dir);
    if (!judgement) return fail(judgement.error());
    const bool acts = options.repair && !options.dry_run;
    if (acts) {
        // What was read may be in the page cache only, and what is built on it must outlive a power cut.
        if (auto done = sync_found(files, dir); !done) return fail(done.error());
        judgement = judge(files, dir);
        if (!judgement) return fail(judgement.error());
    }
    if (auto done = ask(options, *judgement); !done) return fail(done.error());
    const Inspection& inspection = judgement->inspection;
    print_segments(inspection, out);
    for (const Finding& finding : inspection.findings) out << finding.text() << '\n';
    if (!judgement->refused.empty()) out << judgement->refused << '\n';
    print_files(judgement->found, out);
    if (options.repair) {
        if (auto done = mend(files, dir, *judgement, options.dry_run, out); !done) return fail(done.error());
    }
    out << fmt::format("{} records in {} segments, {} spares, last lsn {}, {}: {}\n", inspection.records,
                       inspection.segments.size(), judgement->found.spares.size(), inspection.last.value(),
                       inspection.clean ? "stopped cleanly" : "not stopped cleanly",
                       verdict_text(judgement->result, acts));
    if (judgement->result == FsckResult::kDamaged) {
        out << "a start would refuse this log, or stop when it reads that: restore the data directory from a backup\n";
    }
    if (!out) return fail(Code::kIo, "cannot write the findings");
    return judgement->result;
}

}  // namespace telpher::log
