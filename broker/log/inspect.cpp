#include "broker/log/inspect.h"

#include <fmt/format.h>

#include <algorithm>

#include "broker/log/scanner.h"
#include "proto/base/mutant.h"

namespace telpher::log {
namespace {

class Inspector {
public:
    Inspector(FileSystem& files, const std::string& dir, const Survey& found, const HowToInspect& how,
              const RecordSink& sink)
        : files_(files), dir_(dir), found_(found), how_(how), sink_(sink) {
        if (how_.from) result_.last = how_.from->lsn;
    }

    Result<Inspection> run() {
        check_files();
        for (std::size_t i = 0; i < found_.segments.size() && !stopped(); ++i) {
            if (auto done = check_segment(i); !done) return fail(done.error());
        }
        return std::move(result_);
    }

private:
    /// True once recovery is impossible and nobody asked for the rest.
    [[nodiscard]] bool stopped() const { return forbidden_ && !how_.go_on; }

    Action add(const Finding& finding) {
        result_.findings.push_back(finding);
        if (finding.action() != Action::kTruncate) forbidden_ = true;
        return finding.action();
    }

    /// Known to have been durable, whatever the segments say.
    [[nodiscard]] Lsn marked() const {
        return std::max(found_.mark ? found_.mark->committed : Lsn(0), found_.checkpointed());
    }
    /// Where the reading of that segment begins, if not at its beginning.
    [[nodiscard]] const LogPoint* begins_in(SegmentId segment) const {
        return how_.from && how_.from->next.segment == segment ? &*how_.from : nullptr;
    }
    [[nodiscard]] bool skipped(SegmentId segment) const { return how_.from && segment < how_.from->next.segment; }
    [[nodiscard]] bool is_last(std::size_t index) const { return index + 1 == found_.segments.size(); }

    /// Names alone: is every segment there, and is each header sound and of this log?
    void check_files() {
        const auto& segments = found_.segments;
        if (found_.mark) {
            const Mark& mark = *found_.mark;
            if (segments.empty() ? mark.segment.value() != 0 : segments.front().number > mark.first_segment) {
                add({Damage::kMissingSegment, Place::kEarlier, mark.first_segment, 0, 0, Lsn(0)});
            }
            if (!segments.empty() && segments.back().number < mark.segment) {
                add({Damage::kMissingSegment, Place::kLastProven, mark.segment, 0, 0, mark.committed});
            }
        }
        const SegmentId checkpointed = found_.checkpointed_segment();
        const SegmentId last = segments.empty() ? SegmentId() : segments.back().number;
        if (last < checkpointed && (!found_.mark || last >= found_.mark->segment)) {
            add({Damage::kMissingSegment, Place::kLastProven, checkpointed, 0, 0, found_.checkpointed()});
        }
        for (std::size_t i = 0; i < segments.size(); ++i) {
            if (i > 0 && segments[i].number != segments[i - 1].number + 1) {
                add({Damage::kMissingSegment, Place::kEarlier, segments[i - 1].number + 1, 0, 0, Lsn(0)});
            }
            if (const auto damage = header_damage(segments[i])) {
                const bool proven =
                    (found_.mark && found_.mark->segment >= segments[i].number) || checkpointed >= segments[i].number;
                const Place at_end = proven ? Place::kLastProven : Place::kLastUnproven;
                add({*damage, is_last(i) ? at_end : Place::kEarlier, segments[i].number, 0, kSegmentHeaderBytes,
                     Lsn(0)});
            }
        }
    }

    [[nodiscard]] std::optional<Damage> header_damage(const FoundSegment& segment) const {
        if (!segment.header) return Damage::kBadSegmentHeader;
        const SegmentHeader& header = *segment.header;
        if (header.version > kSegmentVersion) return Damage::kNewerVersion;
        const bool ours = header.version == kSegmentVersion && header.number == segment.number &&
                          header.log_id == found_.log_id() && header.first_lsn.value() > 0 &&
                          header.capacity > kSegmentHeaderBytes;
        return ours ? std::nullopt : std::optional(Damage::kBadSegmentHeader);
    }

    /// The header if it can be worked with.
    [[nodiscard]] const SegmentHeader* usable(std::size_t index) const {
        const FoundSegment& segment = found_.segments[index];
        return header_damage(segment) ? nullptr : &*segment.header;
    }

    Result<void> check_segment(std::size_t index) {
        const SegmentHeader* header = usable(index);
        if (header == nullptr) return {};
        if (skipped(header->number)) {
            result_.segments.push_back({*header, header->first_lsn, header->capacity});
            return {};
        }
        const auto file = files_.open(join_path(dir_, file_name(header->number, kSegmentSuffix)), false);
        if (!file) return fail(file.error());
        const LogPoint* from = begins_in(header->number);
        if (is_last(index) && from == nullptr) {
            const auto whole = has_snapshot(**file, *header);
            if (!whole) return fail(whole.error());
            if (!*whole) return {};
        }
        InspectedSegment segment{*header, Lsn(0), kSegmentHeaderBytes};
        if (from != nullptr) segment = {*header, header->first_lsn, from->next.at};
        if (auto done = read_records(index, **file, segment); !done) return fail(done.error());
        result_.segments.push_back(segment);
        return {};
    }

    /// Looks at the last segment's opening snapshot before anything of it reaches the sink. False: the segment is not
    /// used.
    Result<bool> has_snapshot(const File& file, const SegmentHeader& header) {
        SegmentScanner scanner(file, header);
        for (Lsn lsn = header.first_lsn;; lsn += 1) {
            const auto step = scanner.next(lsn);
            if (!step) return fail(step.error());
            if (!step->damage && step->header.kind == Kind::kSnapshot) {
                if ((step->header.flags & kFlagSnapshotEnd) != 0) return true;
                continue;
            }
            const auto rest = scanner.remains(lsn);
            if (!rest) return fail(rest.error());
            const Place place = place_of(lsn, std::max(scanner.proven(), rest->durable_upto), true);
            Finding finding{Damage::kIncompleteSnapshot, place, header.number, step->at, rest->end - step->at, lsn};
            // What is never a torn write keeps its own name.
            if (step->damage && decide(*step->damage, place) != Action::kTruncate) finding.damage = *step->damage;
            if (add(finding) == Action::kTruncate) {
                result_.discard = header.number;
                result_.discard_bytes = rest->end - kSegmentHeaderBytes;
            }
            return false;
        }
    }

    [[nodiscard]] Place place_of(Lsn missed, Lsn proven, bool last) const {
        if (TELPHER_MUTANT("damage-taken-for-a-torn-tail")) return Place::kLastUnproven;
        if (!last) return Place::kEarlier;
        return missed <= std::max(proven, marked()) ? Place::kLastProven : Place::kLastUnproven;
    }

    /// The records of one segment, up to the first of the next segment or to the end of the log.
    Result<void> read_records(std::size_t index, const File& file, InspectedSegment& segment) {
        SegmentScanner scanner(file, segment.header);
        const SegmentHeader* following = is_last(index) ? nullptr : usable(index + 1);
        Lsn next = segment.header.first_lsn;
        if (const LogPoint* from = begins_in(segment.header.number)) {
            scanner.seek(from->next.at);
            next = from->lsn + 1;
        }
        if (joined_ && next != result_.last + 1) {
            add({Damage::kLsnGap, Place::kEarlier, segment.header.number, kSegmentHeaderBytes, 0, result_.last + 1});
        }
        joined_ = following != nullptr;
        while (!stopped() && (following == nullptr || next < following->first_lsn)) {
            auto step = scanner.next(next);
            if (!step) return fail(step.error());
            if (!step->damage && segment.snapshot_end.value() == 0) note_snapshot(*step, segment);
            if (!step->damage) {
                if (auto taken = take(*step, segment.header.number); !taken) return taken;
                segment.end = scanner.at();
                next += 1;
                continue;
            }
            joined_ = false;
            const auto resumed = pass_damage(index, scanner, *step->damage, next);
            if (!resumed) return fail(resumed.error());
            if (!*resumed) break;
            next = **resumed;
        }
        if (joined_ && segment.snapshot_end.value() == 0 && !stopped()) {
            add({Damage::kIncompleteSnapshot, Place::kEarlier, segment.header.number, segment.end, 0, next});
        }
        return {};
    }

    /// Every segment but a discarded last one begins with a whole snapshot.
    void note_snapshot(const Scanned& record, InspectedSegment& segment) {
        if (record.header.kind != Kind::kSnapshot) {
            if (!joined_) return;  // damage in it was found already
            joined_ = false;
            add({Damage::kIncompleteSnapshot, Place::kEarlier, segment.header.number, record.at, 0, record.header.lsn});
        } else if ((record.header.flags & kFlagSnapshotEnd) != 0) {
            segment.snapshot_end = record.header.lsn;
        }
    }

    Result<void> take(const Scanned& record, SegmentId segment) {
        result_.records += 1;
        result_.last = record.header.lsn;
        result_.clean = record.header.kind == Kind::kEnd;
        return sink_({record.header.lsn, record.header.kind, record.header.queue, record.header.epoch, record.meta,
                      record.body, Position{segment, record.at}});
    }

    /// Judges damage where `missed` should be. The lsn to go on with, if the reading may pass it by.
    Result<std::optional<Lsn>> pass_damage(std::size_t index, SegmentScanner& scanner, Damage damage, Lsn missed) {
        const bool last = is_last(index);
        if (!last && usable(index + 1) == nullptr) return std::optional<Lsn>();  // where it ends is not known
        const auto rest = scanner.remains(missed);
        if (!rest) return fail(rest.error());
        const std::uint64_t at = scanner.at();
        const Place place = place_of(missed, std::max(scanner.proven(), rest->durable_upto), last);
        Finding finding{damage, place, found_.segments[index].number, at, rest->end - at, missed};
        if (finding.action() == Action::kTruncate) {
            // Nothing of this segment follows: the ordinary end of a log, whatever an earlier life of the file left
            // there.
            if (rest->end == at) return std::optional<Lsn>();
            result_.cut_end = rest->end;
            add(finding);
            return std::optional<Lsn>();
        }
        if (rest->next) finding.bytes = rest->next->at - at;
        add(finding);
        if (!rest->next) return std::optional<Lsn>();
        scanner.seek(rest->next->at);
        return std::optional<Lsn>(rest->next->lsn);
    }

    FileSystem& files_;
    const std::string& dir_;
    const Survey& found_;
    const HowToInspect& how_;
    const RecordSink& sink_;
    bool forbidden_ = false;
    bool joined_ = false;  // the segment was sound up to the first lsn of the next
    Inspection result_;
};

}  // namespace

std::string Finding::text() const {
    std::string where = fmt::format("segment {}", segment.value());
    if (at > 0) where += fmt::format(", byte {}", at);
    if (bytes > 0 || (at > 0 && action() == Action::kTruncate)) where += fmt::format(" ({} bytes)", bytes);
    if (lsn.value() > 0) where += fmt::format(", lsn {}", lsn.value());
    return fmt::format("{}: {} ({})", where, damage_text(damage), place_text(place));
}

Result<Inspection> inspect(FileSystem& files, const std::string& dir, const Survey& found, const HowToInspect& how,
                           const RecordSink& sink) {
    return Inspector(files, dir, found, how, sink).run();
}

}  // namespace telpher::log
