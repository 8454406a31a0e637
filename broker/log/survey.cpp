#include <algorithm>
#include <array>

#include "broker/log/checkpoint_file.h"
#include "broker/log/inspect.h"

namespace telpher::log {
namespace {

Result<FoundSegment> look_at(FileSystem& files, const std::string& path, SegmentId number) {
    FoundSegment found;
    found.number = number;
    const auto file = files.open(path, false);
    if (!file) return fail(file.error());
    const auto size = (*file)->size();
    if (!size) return fail(size.error());
    found.file_bytes = *size;
    std::array<std::byte, 512> start{};
    const auto got = (*file)->read_at(0, start);
    if (!got) return fail(got.error());
    found.header = decode_segment_header(Bytes(start).first(*got));
    if (found.header) found.salt = found.header->salt;
    return found;
}

Result<Leftover> leftover(FileSystem& files, const std::string& dir, const std::string& name) {
    const auto bytes = file_bytes(files, join_path(dir, name));
    if (!bytes) return fail(bytes.error());
    return Leftover{name, *bytes};
}

Result<FoundCheckpoint> checkpoint(FileSystem& files, const std::string& dir, const std::string& name) {
    const auto header = check_checkpoint(files, dir, name);
    if (!header) return fail(header.error());
    const auto bytes = file_bytes(files, join_path(dir, name));
    if (!bytes) return fail(bytes.error());
    return FoundCheckpoint{name, *bytes, *header};
}

}  // namespace

LogId Survey::log_id() const {
    if (mark) return mark->log_id;
    for (const FoundSegment& segment : segments) {
        if (segment.header) return segment.header->log_id;
    }
    for (const FoundCheckpoint& checkpoint : checkpoints) {  // all that is left of it
        if (checkpoint.header) return checkpoint.header->log_id;
    }
    return {};
}

const FoundCheckpoint* Survey::usable_checkpoint() const {
    for (auto found = checkpoints.rbegin(); found != checkpoints.rend(); ++found) {
        if (!found->header || found->header->log_id != log_id()) continue;
        const LogPoint& point = found->header->point;
        const auto fits = [&point](const FoundSegment& segment) {
            return segment.number == point.next.segment && segment.header &&
                   segment.header->version == kSegmentVersion && segment.header->first_lsn == point.segment_first &&
                   point.next.at <= segment.header->capacity;
        };
        if (std::any_of(segments.begin(), segments.end(), fits)) return &*found;
    }
    return nullptr;
}

Lsn Survey::checkpointed() const {
    Lsn highest;
    for (const FoundCheckpoint& found : checkpoints) {
        if (found.header && found.header->log_id == log_id()) highest = std::max(highest, found.header->point.lsn);
    }
    return highest;
}

SegmentId Survey::checkpointed_segment() const {
    SegmentId highest;
    for (const FoundCheckpoint& found : checkpoints) {
        if (found.header && found.header->log_id == log_id()) {
            highest = std::max(highest, found.header->point.next.segment);
        }
    }
    return highest;
}

Result<Survey> survey(FileSystem& files, const std::string& dir) {
    Survey result;
    auto mark = read_mark(files, dir);
    if (!mark) return fail(mark.error());
    result.mark = *mark;
    const auto names = files.list(dir);
    if (!names) return fail(names.error());
    const SegmentId first = result.mark ? result.mark->first_segment : SegmentId(0);
    for (const std::string& name : *names) {
        if (name == kMarkName) {
            result.mark_exists = true;
        } else if (const auto number = parse_file_name(name, kSegmentSuffix)) {
            if (*number < first) {
                auto dropped = leftover(files, dir, name);
                if (!dropped) return fail(dropped.error());
                result.leftovers.push_back(std::move(*dropped));
                continue;
            }
            auto segment = look_at(files, join_path(dir, name), *number);
            if (!segment) return fail(segment.error());
            result.segments.push_back(*segment);
        } else if (const auto spare = parse_file_name(name, kSpareSuffix)) {
            auto segment = look_at(files, join_path(dir, name), *spare);
            if (!segment) return fail(segment.error());
            result.spares.push_back(*segment);
        } else if (parse_file_name(name, kCheckpointSuffix)) {
            auto one = checkpoint(files, dir, name);
            if (!one) return fail(one.error());
            result.checkpoints.push_back(std::move(*one));
        } else if (name.ends_with(kTemporarySuffix)) {
            auto unfinished = leftover(files, dir, name);
            if (!unfinished) return fail(unfinished.error());
            result.leftovers.push_back(std::move(*unfinished));
        }
    }
    std::sort(result.segments.begin(), result.segments.end(),
              [](const FoundSegment& a, const FoundSegment& b) { return a.number < b.number; });
    std::sort(result.checkpoints.begin(), result.checkpoints.end(),
              [](const FoundCheckpoint& a, const FoundCheckpoint& b) { return a.name < b.name; });
    return result;
}

Result<Survey> survey_log(FileSystem& files, const std::string& dir) {
    auto found = survey(files, dir);
    if (found && found->empty()) return fail(Code::kNotFound, dir + " holds no log");
    return found;
}

}  // namespace telpher::log
