#include "broker/log/segment_reader.h"

#include <vector>

#include "broker/log/segment.h"

namespace telpher::log {

Result<Slice> SegmentReader::read(const Position& position) {
    auto entry = std::atomic_load(&slot(position.segment));
    if (entry == nullptr || entry->segment != position.segment) {
        auto file = files_.open(join_path(dir_, file_name(position.segment, kSegmentSuffix)), false);
        if (!file) return fail(file.error());
        entry = std::make_shared<const Entry>(Entry{position.segment, std::move(*file)});
        std::atomic_store(&slot(position.segment), entry);
    }
    std::vector<std::byte> bytes(position.bytes);
    const auto got = entry->file->read_at(position.at, bytes);
    if (!got) return fail(got.error());
    if (*got != bytes.size()) {
        return fail(Code::kCorrupt, "segment " + std::to_string(position.segment.value()) + " ends before byte " +
                                        std::to_string(position.at + position.bytes));
    }
    return Slice::own(std::move(bytes));
}

void SegmentReader::forget(SegmentId segment) {
    const auto entry = std::atomic_load(&slot(segment));
    if (entry != nullptr && entry->segment == segment)
        std::atomic_store(&slot(segment), std::shared_ptr<const Entry>());
}

}  // namespace telpher::log
