#include <algorithm>
#include <array>

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

}  // namespace

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
                result.leftovers.push_back(name);
                continue;
            }
            auto segment = look_at(files, join_path(dir, name), *number);
            if (!segment) return fail(segment.error());
            result.segments.push_back(*segment);
        } else if (const auto spare = parse_file_name(name, kSpareSuffix)) {
            auto segment = look_at(files, join_path(dir, name), *spare);
            if (!segment) return fail(segment.error());
            result.spares.push_back(*segment);
        } else if (name.ends_with(kTemporarySuffix)) {
            result.leftovers.push_back(name);
        }
    }
    std::sort(result.segments.begin(), result.segments.end(),
              [](const FoundSegment& a, const FoundSegment& b) { return a.number < b.number; });
    return result;
}

}  // namespace telpher::log
