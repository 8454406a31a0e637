#include "broker/log/recovery.h"

#include <xxhash.h>

#include <algorithm>

#include "broker/log/repair.h"
#include "proto/base/mutant.h"
#include "proto/base/random.h"

namespace telpher::log {
namespace {

/// A seed for salts that no file of the folder has carried yet, even if the caller's seed is always the same.
std::uint64_t fresh_seed(const Survey& found, std::uint64_t seed, Lsn last) {
    std::vector<std::uint64_t> parts{seed == 0 ? system_entropy() : seed, last.value()};
    for (const FoundSegment& segment : found.segments) parts.push_back(segment.salt);
    for (const FoundSegment& spare : found.spares) parts.push_back(spare.salt);
    return XXH3_64bits(parts.data(), parts.size() * sizeof(std::uint64_t));
}

Result<void> refuse_stranger(const LogOptions& options, const Survey& found) {
    const bool marked = found.mark && found.mark->shard != options.shard;
    const bool named = !found.segments.empty() && found.segments.back().header &&
                       found.segments.back().header->version == kSegmentVersion &&
                       found.segments.back().header->shard != options.shard;
    if (!marked && !named) return {};
    return fail(Code::kCorrupt, options.dir + ": the log of another shard than " + std::to_string(options.shard));
}

/// Keeps the spares that fit and removes the others.
Result<std::deque<std::string>> take_spares(FileSystem& files, const LogOptions& options, const Survey& found) {
    std::deque<std::string> spares;
    std::vector<std::string> removed;
    for (const FoundSegment& spare : found.spares) {
        const std::string name = file_name(spare.number, kSpareSuffix);
        const bool kept = spare.file_bytes == options.segment_bytes && spares.size() < options.spare_segments_max;
        (kept ? static_cast<void>(spares.push_back(name)) : removed.push_back(name));
    }
    for (const std::string& name : removed) {
        if (auto done = files.remove(join_path(options.dir, name)); !done) return fail(done.error());
    }
    return spares;
}

/// The last segment that is used, open; no file if the log is empty.
Result<CommitStart> open_end(FileSystem& files, const LogOptions& options, const Inspection& inspection) {
    CommitStart start;
    start.segments = inspection.segments.size();
    if (inspection.segments.empty()) {
        if (inspection.discard) start.next_segment = *inspection.discard;
        return start;
    }
    const InspectedSegment& last = inspection.segments.back();
    auto file = files.open(join_path(options.dir, file_name(last.header.number, kSegmentSuffix)), true);
    if (!file) return fail(file.error());
    start.segment = OpenSegment{std::move(*file), last.header};
    start.end = TELPHER_MUTANT("append-behind-the-torn-tail") ? std::max(last.end, inspection.cut_end) : last.end;
    start.next_segment = last.header.number + 1;
    return start;
}

/// The mark as found or as a repair made it; a new log gets its first.
Result<MarkFile> open_mark(FileSystem& files, const LogOptions& options, const Survey& found,
                           const Inspection& inspection, std::uint64_t seed) {
    if (found.mark) return MarkFile::open(files, options.dir, *found.mark, true);
    if (!inspection.segments.empty()) return MarkFile::open(files, options.dir, mark_of(inspection), true);
    Random random(seed);
    Mark mark;
    mark.shard = options.shard;
    mark.log_id = {random.next(), random.next()};
    mark.first_segment = inspection.discard.value_or(SegmentId(1));
    return MarkFile::open(files, options.dir, mark, false);
}

Recovery summarise(const Inspection& inspection, const FoundCheckpoint* used, std::vector<Repaired> repairs) {
    Recovery summary;
    if (used != nullptr) summary.checkpoint = used->header->point.lsn;
    summary.clean = inspection.clean;
    summary.records = inspection.records;
    summary.last = inspection.last;
    summary.torn_bytes = inspection.discard_bytes;
    for (const Finding& finding : inspection.findings) {
        if (finding.action() == Action::kTruncate) summary.torn = finding.text();
    }
    if (inspection.cut_end > 0) summary.torn_bytes += inspection.cut_end - inspection.segments.back().end;
    summary.repairs = std::move(repairs);
    return summary;
}

Result<void> ask(const Acceptance& accept, const std::vector<InspectedSegment>& segments) {
    if (!accept) return {};
    if (segments.empty()) return accept(SegmentId(1), SegmentId(0));
    return accept(segments.front().header.number, segments.back().header.number);
}

}  // namespace

Result<void> refuse_damage(const std::string& dir, const Inspection& inspection) {
    for (const Finding& finding : inspection.findings) {
        if (finding.action() == Action::kStop) return fail(Code::kCorrupt, dir + ": " + finding.text());
        if (finding.action() == Action::kRefuse) return fail(Code::kFormat, dir + ": " + finding.text());
    }
    return {};
}

Result<Reading> read_as_start(FileSystem& files, const std::string& dir, const Survey& found, const RecordSink& sink,
                              const Acceptance& accept) {
    Reading reading{found.usable_checkpoint(), {}};
    HowToInspect how;
    if (reading.checkpoint != nullptr) {
        how.from = reading.checkpoint->header->point;
        if (auto done = read_checkpoint(files, dir, reading.checkpoint->name, sink); !done) return fail(done.error());
    }
    auto inspection = inspect(files, dir, found, how, sink);
    if (!inspection) return fail(inspection.error());
    if (auto sound = refuse_damage(dir, *inspection); !sound) return fail(sound.error());
    if (auto done = ask(accept, inspection->segments); !done) return fail(done.error());
    reading.inspection = std::move(*inspection);
    return reading;
}

Result<Recovered> recover(FileSystem& files, const LogOptions& options, const RecordSink& sink,
                          const Acceptance& accept) {
    if (auto done = files.make_dir(options.dir); !done) return fail(done.error());
    const bool sync = !TELPHER_MUTANT("found-not-synced");
    if (auto done = sync ? sync_found(files, options.dir) : Result<void>(); !done) return fail(done.error());
    const auto found = survey(files, options.dir);
    if (!found) return fail(found.error());
    if (auto fits = refuse_stranger(options, *found); !fits) return fail(fits.error());
    const auto reading = read_as_start(files, options.dir, *found, sink, accept);
    if (!reading) return fail(reading.error());
    const Inspection& inspection = reading->inspection;

    auto repairs = repair(files, options.dir, repairs_of(*found, inspection));
    if (!repairs) return fail(repairs.error());
    auto start = open_end(files, options, inspection);
    if (!start) return fail(start.error());
    auto spares = take_spares(files, options, *found);
    if (!spares) return fail(spares.error());
    const std::uint64_t seed = fresh_seed(*found, options.salt_seed, inspection.last);
    auto mark = open_mark(files, options, *found, inspection, seed);
    if (!mark) return fail(mark.error());
    // Names that a crash left in doubt, too: the last segment's own among them.
    if (auto done = files.sync_dir(options.dir); !done) return fail(done.error());
    PoolOptions pool{options.dir, options.shard, mark->mark().log_id, options.segment_bytes, options.spare_segments_max,
                     seed};
    return Recovered{summarise(inspection, reading->checkpoint, std::move(*repairs)),
                     inspection.segments,
                     std::move(*start),
                     std::move(pool),
                     std::move(*spares),
                     std::move(*mark)};
}

}  // namespace telpher::log
