#include "broker/log/segment_reader.h"

#include <vector>

#include "broker/log/record.h"
#include "broker/log/scanner.h"
#include "broker/log/segment.h"
#include "proto/base/mutant.h"

namespace telpher::log {
namespace {

tl::unexpected<Error> corrupt(const Position& position, std::string_view what) {
    return fail(Code::kCorrupt, "segment " + std::to_string(position.segment.value()) + ", byte " +
                                    std::to_string(position.at) + ": " + std::string(what));
}

/// Fills `into`; kCorrupt if the file ends before.
Result<void> read_whole(const File& file, const Position& position, std::uint64_t at, MutableBytes into) {
    const auto got = file.read_at(at, into);
    if (!got) return fail(got.error());
    if (*got != into.size()) return corrupt(position, "the segment ends inside the record");
    return {};
}

}  // namespace

Result<std::shared_ptr<const SegmentReader::Entry>> SegmentReader::find(SegmentId segment) {
    auto entry = std::atomic_load(&slot(segment));
    if (entry != nullptr && entry->segment == segment) return entry;
    auto file = files_.open(join_path(dir_, file_name(segment, kSegmentSuffix)), false);
    if (!file) return fail(file.error());
    std::vector<std::byte> block(kSegmentHeaderBytes);
    if (auto done = read_whole(**file, {segment, 0}, 0, block); !done) return fail(done.error());
    const auto header = decode_segment_header(block);
    if (!header || header->number != segment) return corrupt({segment, 0}, "no valid segment header");
    entry = std::make_shared<const Entry>(Entry{segment, std::move(*file), *header});
    std::atomic_store(&slot(segment), entry);
    return entry;
}

Result<StoredRecord> SegmentReader::read(const Position& position) {
    const auto entry = find(position.segment);
    if (!entry) return fail(entry.error());
    std::vector<std::byte> start(kRecordHeaderBytes);
    const File& file = *(*entry)->file;
    if (auto done = read_whole(file, position, position.at, start); !done) return fail(done.error());
    const auto header = decode_record_header(start);
    if (!header || header->version != kRecordVersion || header->salt != (*entry)->header.salt) {
        return corrupt(position, "no valid record header");
    }
    const std::size_t size = std::size_t{header->meta_bytes} + header->body_bytes;
    auto bytes = std::make_shared_for_overwrite<std::byte[]>(size);
    if (auto done = read_whole(file, position, position.at + kRecordHeaderBytes, {bytes.get(), size}); !done) {
        return fail(done.error());
    }
    const Bytes whole(bytes.get(), size);
    const auto checksum = payload_checksum(whole.first(header->meta_bytes), whole.subspan(header->meta_bytes));
    if (checksum != header->payload_checksum && !TELPHER_MUTANT("cold-body-not-checked")) {
        return corrupt(position, "meta or body against its checksum");
    }
    return StoredRecord{position,
                        header->lsn,
                        header->kind,
                        header->queue,
                        std::string(as_text(whole.first(header->meta_bytes))),
                        Slice(bytes, whole.subspan(header->meta_bytes))};
}

template <class Take>
Result<void> SegmentReader::each(Walk& walk, std::uint64_t bytes_max, const Take& take) {
    const auto entry = find(walk.segment);
    if (!entry) return fail(entry.error());
    SegmentScanner scanner(*(*entry)->file, (*entry)->header);
    scanner.seek(walk.at);
    for (const std::uint64_t from = walk.at; !walk.done() && walk.at - from < bytes_max;) {
        const Position position{walk.segment, walk.at};
        const auto found = scanner.next(walk.next);
        if (!found) return fail(found.error());
        if (found->damage) return corrupt(position, damage_text(*found->damage));
        walk.at = scanner.at();
        walk.next += 1;
        take(position, *found);
    }
    return {};
}

Result<std::vector<StoredRecord>> SegmentReader::walk(Walk& walk, std::uint64_t bytes_max) {
    std::vector<StoredRecord> records;
    const auto done = each(walk, bytes_max, [&](const Position& position, const Scanned& found) {
        if (found.body.empty()) return;
        records.push_back({position, found.header.lsn, found.header.kind, found.header.queue,
                           std::string(as_text(found.meta)), Slice::copy(found.body)});
    });
    if (!done) return fail(done.error());
    return records;
}

Result<void> SegmentReader::verify(Walk& walk, std::uint64_t bytes_max) {
    if (walk.at == kSegmentHeaderBytes) {
        const auto dropped = files_.open(join_path(dir_, file_name(walk.segment, kSegmentSuffix)), true);
        if (!dropped) return fail(dropped.error());
    }
    return each(walk, bytes_max, [](const Position&, const Scanned&) {});
}

void SegmentReader::forget(SegmentId segment) {
    const auto entry = std::atomic_load(&slot(segment));
    if (entry != nullptr && entry->segment == segment)
        std::atomic_store(&slot(segment), std::shared_ptr<const Entry>());
}

}  // namespace telpher::log
