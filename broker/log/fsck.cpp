#include "broker/log/fsck.h"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>
#include <string_view>

#include "broker/log/inspect.h"

namespace telpher::log {
namespace {

void print_segments(const Inspection& inspection, std::ostream& out) {
    for (const InspectedSegment& segment : inspection.segments) {
        out << fmt::format("segment {}: from lsn {}, {} of {} bytes used\n", segment.header.number.value(),
                           segment.header.first_lsn.value(), segment.end, segment.header.capacity);
    }
}

std::string_view verdict_text(FsckResult result) {
    switch (result) {
        case FsckResult::kClean:
            return "clean";
        case FsckResult::kTorn:
            return "nothing confirmed is missing: the next start mends the rest";
        case FsckResult::kDamaged:
            return "damaged: confirmed data is missing or broken";
    }
    return "";
}

}  // namespace

Result<FsckResult> fsck(FileSystem& files, const std::string& dir, std::ostream& out) {
    const auto found = survey(files, dir);
    if (!found) return fail(found.error());
    if (!found->mark_exists && found->segments.empty()) return fail(Code::kNotFound, dir + " holds no log");
    const auto inspection =
        inspect(files, dir, *found, {.go_on = true}, [](const RecordView&) { return Result<void>(); });
    if (!inspection) return fail(inspection.error());
    print_segments(*inspection, out);
    FsckResult result = FsckResult::kClean;
    for (const Finding& finding : inspection->findings) {
        out << finding.text() << '\n';
        if (finding.action() == Action::kRefuse) return fail(Code::kFormat, dir + ": " + finding.text());
        result = std::max(result, finding.action() == Action::kStop ? FsckResult::kDamaged : FsckResult::kTorn);
    }
    for (const FoundCheckpoint& checkpoint : found->checkpoints) {
        out << checkpoint.name << ": ";
        if (checkpoint.header) {
            out << fmt::format("checkpoint at lsn {}, {} bytes\n", checkpoint.header->point.lsn.value(),
                               checkpoint.header->bytes);
            continue;
        }
        out << "damaged checkpoint: the next start does without it\n";
        result = std::max(result, FsckResult::kTorn);
    }
    if (!found->mark && !found->segments.empty()) {
        out << "no valid mark: damage to the last group or missing first segments would not be seen\n";
    }
    out << fmt::format("{} records in {} segments, {} spares, last lsn {}, {}: {}\n", inspection->records,
                       inspection->segments.size(), found->spares.size(), inspection->last.value(),
                       inspection->clean ? "stopped cleanly" : "not stopped cleanly", verdict_text(result));
    if (!out) return fail(Code::kIo, "cannot write the findings");
    return result;
}

}  // namespace telpher::log
