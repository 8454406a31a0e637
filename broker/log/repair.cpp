#include "broker/log/repair.h"

#include <fmt/format.h>

#include <algorithm>

#include "broker/log/inspect.h"
#include "broker/log/quarantine.h"
#include "proto/limits.h"

namespace telpher::log {
namespace {

/// Overwrites the unconfirmed tail, so that no record of it can ever be read behind what is written next.
Result<void> overwrite(File& file, std::uint64_t from, std::uint64_t to) {
    const std::vector<std::byte> zeros(std::min<std::uint64_t>(to - from, limits::kMiB));
    while (from < to) {
        const Bytes part(zeros.data(), std::min<std::uint64_t>(zeros.size(), to - from));
        if (auto done = file.write_at(from, {&part, 1}); !done) return done;
        from += part.size();
    }
    return file.sync();
}

/// The end of its name in the quarantine.
std::string kept_name(const Repair& repair) {
    switch (repair.kind) {
        case Repair::Kind::kCutTail:
            return fmt::format("tail-of-{}-bytes-{}-to-{}-lsn-{}", repair.name, repair.at, repair.at + repair.bytes,
                               repair.lsn.value());
        case Repair::Kind::kRemoveUnfinished:
            return fmt::format("unfinished-lsn-{}-{}", repair.lsn.value(), repair.name);
        default:
            return "damaged-" + repair.name;
    }
}

/// What was written before a crash of the process is in the page cache only; a later crash of the machine must not take
/// back what recovery is about to build on. So what it reads first and trusts is synced before.
Result<std::unique_ptr<File>> open_synced(FileSystem& files, const std::string& path) {
    auto file = files.open(path, true);
    if (!file) return file;
    if (auto done = (*file)->sync(); !done) return fail(done.error());
    return file;
}

Repaired outcome(const Repair& repair, const Result<std::string>& kept) {
    return kept ? Repaired{repair, *kept, ""} : Repaired{repair, "", kept.error().detail()};
}

Result<Repaired> cut_tail(FileSystem& files, const std::string& dir, const Repair& repair) {
    const auto file = files.open(join_path(dir, repair.name), true);
    if (!file) return fail(file.error());
    const auto kept = Quarantine(files, dir).keep_copy(**file, repair.at, repair.bytes, kept_name(repair));
    if (auto done = overwrite(**file, repair.at, repair.at + repair.bytes); !done) return fail(done.error());
    return outcome(repair, kept);
}

Result<Repaired> repair_one(FileSystem& files, const std::string& dir, const Repair& repair) {
    if (repair.kind == Repair::Kind::kCutTail) return cut_tail(files, dir, repair);
    if (repair.kind == Repair::Kind::kMakeMark) {
        const auto made = MarkFile::open(files, dir, repair.mark, false);
        return made ? Result<Repaired>(Repaired{repair, "", ""}) : fail(made.error());
    }
    if (repair.kind == Repair::Kind::kFinishDrop || repair.kind == Repair::Kind::kRemoveTemporary) {
        const auto done = files.remove(join_path(dir, repair.name));
        return done ? Result<Repaired>(Repaired{repair, "", ""}) : fail(done.error());
    }
    const auto kept = Quarantine(files, dir).keep_file(repair.name, repair.bytes, kept_name(repair));
    // A last segment without its snapshot must go whatever happens. It may have gone, with its new name in doubt.
    if (!kept && repair.kind == Repair::Kind::kRemoveUnfinished) {
        const auto names = files.list(dir);
        if (!names) return fail(names.error());
        const bool there = std::find(names->begin(), names->end(), repair.name) != names->end();
        if (auto done = there ? files.remove(join_path(dir, repair.name)) : Result<void>(); !done) {
            return fail(done.error());
        }
    }
    return outcome(repair, kept);
}

}  // namespace

std::string Repair::text() const {
    switch (kind) {
        case Kind::kCutTail:
            return fmt::format("cut {}: {} bytes from byte {} on, lsn {}: never confirmed", name, bytes, at,
                               lsn.value());
        case Kind::kRemoveUnfinished:
            return fmt::format("remove {}: {} bytes, lsn {}: its snapshot has no end, never confirmed", name, bytes,
                               lsn.value());
        case Kind::kSetAside:
            return fmt::format("set aside {}: {} bytes: damaged, the log has all that is in it", name, bytes);
        case Kind::kFinishDrop:
            return fmt::format("remove {}: {} bytes: dropped before the crash, nothing in it lives", name, bytes);
        case Kind::kRemoveTemporary:
            return fmt::format("remove {}: {} bytes: was being made, or on its way out", name, bytes);
        case Kind::kMakeMark:
            return fmt::format(
                "make {}: none was valid, so that damage after lsn {} or missing first segments could not be seen",
                name, mark.committed.value());
    }
    return "";
}

std::string Repaired::text() const {
    if (!kept_as.empty()) return repair.text() + "; kept as " + kept_as;
    if (not_kept.empty()) return repair.text();
    const bool stays = repair.kind == Repair::Kind::kSetAside;
    return repair.text() + (stays ? "; it stays where it is: " : "; not kept in quarantine: ") + not_kept;
}

Result<void> sync_found(FileSystem& files, const std::string& dir) {
    const auto names = files.list(dir);
    if (!names) return fail(names.error());
    std::string last;
    for (const std::string& name : *names) {
        if (parse_file_name(name, kSegmentSuffix)) last = std::max(last, name);
    }
    if (std::find(names->begin(), names->end(), kMarkName) != names->end()) {
        if (auto done = open_synced(files, join_path(dir, kMarkName)); !done) return fail(done.error());
    }
    if (last.empty()) return {};
    const auto done = open_synced(files, join_path(dir, last));
    return done ? Result<void>() : fail(done.error());
}

Mark mark_of(const Inspection& inspection) {
    const InspectedSegment& last = inspection.segments.back();
    Mark mark;
    mark.shard = last.header.shard;
    mark.log_id = last.header.log_id;
    mark.first_segment = inspection.segments.front().header.number;
    mark.committed = inspection.last;
    mark.segment = last.header.number;
    mark.end = last.end;
    return mark;
}

std::vector<Repair> repairs_of(const Survey& found, const Inspection& inspection) {
    std::vector<Repair> repairs;
    for (const FoundSegment& segment : found.segments) {
        if (inspection.discard != segment.number) continue;
        const Lsn lsn = segment.header ? segment.header->first_lsn : Lsn();
        repairs.push_back({Repair::Kind::kRemoveUnfinished,
                           file_name(segment.number, kSegmentSuffix),
                           0,
                           segment.file_bytes,
                           lsn,
                           {}});
    }
    if (inspection.cut_end > 0) {
        const InspectedSegment& last = inspection.segments.back();
        repairs.push_back({Repair::Kind::kCutTail,
                           file_name(last.header.number, kSegmentSuffix),
                           last.end,
                           inspection.cut_end - last.end,
                           inspection.last + 1,
                           {}});
    }
    for (const FoundCheckpoint& checkpoint : found.checkpoints) {
        if (checkpoint.header) continue;
        repairs.push_back({Repair::Kind::kSetAside, checkpoint.name, 0, checkpoint.file_bytes, Lsn(), {}});
    }
    for (const Leftover& leftover : found.leftovers) {
        const bool dropped = parse_file_name(leftover.name, kSegmentSuffix).has_value();
        repairs.push_back({dropped ? Repair::Kind::kFinishDrop : Repair::Kind::kRemoveTemporary,
                           leftover.name,
                           0,
                           leftover.file_bytes,
                           Lsn(),
                           {}});
    }
    if (!found.mark && !inspection.segments.empty()) {  // last: what it says was found must be there
        repairs.push_back({Repair::Kind::kMakeMark, std::string(kMarkName), 0, 0, Lsn(), mark_of(inspection)});
    }
    return repairs;
}

Result<std::vector<Repaired>> repair(FileSystem& files, const std::string& dir, const std::vector<Repair>& repairs) {
    std::vector<Repaired> done;
    for (const Repair& repair : repairs) {
        auto one = repair_one(files, dir, repair);
        if (!one) return fail(one.error());
        done.push_back(std::move(*one));
    }
    return done;
}

}  // namespace telpher::log
