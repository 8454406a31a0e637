#include "broker/log/checkpoint_file.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "broker/log/record.h"
#include "broker/log/scanner.h"

namespace telpher::log {
namespace {

constexpr std::size_t kMagicAt = 0;
constexpr std::size_t kVersionAt = 4;
constexpr std::size_t kShardAt = 8;
constexpr std::size_t kLogIdAt = 16;
constexpr std::size_t kLsnAt = 32;
constexpr std::size_t kSegmentAt = 40;
constexpr std::size_t kPositionAt = 48;
constexpr std::size_t kFirstLsnAt = 56;
constexpr std::size_t kPartsAt = 64;
constexpr std::size_t kBytesAt = 72;
constexpr std::size_t kChecksumAt = 80;

/// One part as a record.
std::vector<std::byte> encode_part(const CheckpointHeader& header, Lsn number, const std::string& part) {
    std::vector<std::byte> bytes(record_bytes(part.size(), 0));
    RecordHeader record;
    record.kind = Kind::kCheckpoint;
    record.meta_bytes = static_cast<std::uint32_t>(part.size());
    record.lsn = number;
    record.salt = header.point.lsn.value();
    record.payload_checksum = payload_checksum(as_bytes(part), {});
    encode_record_header(record, bytes.data());
    std::memcpy(bytes.data() + kRecordHeaderBytes, part.data(), part.size());
    return bytes;
}

Result<void> write_parts(File& file, const CheckpointHeader& header, const std::vector<std::string>& parts) {
    std::vector<std::byte> block(kCheckpointHeaderBytes);
    encode_checkpoint_header(header, block.data());
    Bytes piece(block);
    std::uint64_t at = 0;
    if (auto done = file.write_at(at, {&piece, 1}); !done) return done;
    at += piece.size();
    Lsn number;
    for (const std::string& part : parts) {
        number += 1;
        const std::vector<std::byte> bytes = encode_part(header, number, part);
        piece = Bytes(bytes);
        if (auto done = file.write_at(at, {&piece, 1}); !done) return done;
        at += piece.size();
    }
    return file.sync();
}

/// The names of checkpoints in the folder, oldest first.
std::vector<std::string> checkpoints_in(const std::vector<std::string>& names) {
    std::vector<std::string> found;
    std::copy_if(names.begin(), names.end(), std::back_inserter(found),
                 [](const std::string& name) { return parse_file_name(name, kCheckpointSuffix).has_value(); });
    std::sort(found.begin(), found.end());
    return found;
}

/// `newest` was just written. What has a higher name was never this log's, and must not push its own ones out.
Result<void> remove_old(FileSystem& files, const std::string& dir, const std::string& newest) {
    const auto names = files.list(dir);
    if (!names) return fail(names.error());
    const std::vector<std::string> found = checkpoints_in(*names);
    const auto after = std::upper_bound(found.begin(), found.end(), newest);
    const auto first_kept = after - std::min(after - found.begin(), static_cast<std::ptrdiff_t>(kCheckpointsKept));
    if (found.size() == static_cast<std::size_t>(after - first_kept)) return {};
    for (auto name = found.begin(); name != found.end(); ++name) {
        if (name >= first_kept && name < after) continue;
        if (auto done = files.remove(join_path(dir, *name)); !done) return done;
    }
    return files.sync_dir(dir);
}

/// Goes through all of a sound file; `sink` may be empty. False: it is damaged.
Result<bool> each_part(const File& file, const CheckpointHeader& header, const RecordSink& sink) {
    const auto size = file.size();
    if (!size) return fail(size.error());
    if (*size != header.bytes) return false;
    SegmentHeader like_segment;
    like_segment.salt = header.point.lsn.value();
    like_segment.first_lsn = Lsn(1);
    like_segment.capacity = header.bytes;
    static_assert(kCheckpointHeaderBytes == kSegmentHeaderBytes, "parts begin where a segment's records do");
    SegmentScanner scanner(file, like_segment);
    for (Lsn number(1); number.value() <= header.parts; number += 1) {
        const auto part = scanner.next(number);
        if (!part) return fail(part.error());
        if (part->damage || part->header.kind != Kind::kCheckpoint) return false;
        if (!sink) continue;
        if (auto done = sink({header.point.lsn, Kind::kCheckpoint, QueueId(), Epoch(), part->meta, {}, {}}); !done) {
            return fail(done.error());
        }
    }
    return scanner.at() == header.bytes;
}

struct OpenCheckpoint {
    std::unique_ptr<File> file;
    std::optional<CheckpointHeader> header;
};

Result<OpenCheckpoint> open_checkpoint(FileSystem& files, const std::string& path) {
    auto file = files.open(path, false);
    if (!file) return fail(file.error());
    std::vector<std::byte> block(kCheckpointHeaderBytes);
    const auto got = (*file)->read_at(0, block);
    if (!got) return fail(got.error());
    const auto header = decode_checkpoint_header(Bytes(block).first(*got));
    if (header && header->version > kCheckpointVersion) {
        return fail(Code::kFormat, path + ": version " + std::to_string(header->version) + ", this program knows " +
                                       std::to_string(kCheckpointVersion));
    }
    return OpenCheckpoint{std::move(*file), header};
}

}  // namespace

void encode_checkpoint_header(const CheckpointHeader& header, std::byte* at) {
    std::memset(at, 0, kCheckpointHeaderBytes);
    store_le(at + kMagicAt, kCheckpointMagic);
    store_le(at + kVersionAt, header.version);
    store_le(at + kShardAt, header.shard);
    store_le(at + kLogIdAt, header.log_id.high);
    store_le(at + kLogIdAt + 8, header.log_id.low);
    store_le(at + kLsnAt, header.point.lsn.value());
    store_le(at + kSegmentAt, header.point.next.segment.value());
    store_le(at + kPositionAt, header.point.next.at);
    store_le(at + kFirstLsnAt, header.point.segment_first.value());
    store_le(at + kPartsAt, header.parts);
    store_le(at + kBytesAt, header.bytes);
    store_le(at + kChecksumAt, std::uint64_t{XXH3_64bits(at, kChecksumAt)});
}

std::optional<CheckpointHeader> decode_checkpoint_header(Bytes bytes) {
    if (bytes.size() < kCheckpointHeaderBytes) return std::nullopt;
    const std::byte* at = bytes.data();
    if (load_le<std::uint32_t>(at + kMagicAt) != kCheckpointMagic) return std::nullopt;
    if (load_le<std::uint64_t>(at + kChecksumAt) != XXH3_64bits(at, kChecksumAt)) return std::nullopt;
    CheckpointHeader header;
    header.version = load_le<std::uint32_t>(at + kVersionAt);
    header.shard = load_le<std::uint32_t>(at + kShardAt);
    header.log_id = {load_le<std::uint64_t>(at + kLogIdAt), load_le<std::uint64_t>(at + kLogIdAt + 8)};
    header.point.lsn = Lsn(load_le<std::uint64_t>(at + kLsnAt));
    header.point.next.segment = SegmentId(load_le<std::uint64_t>(at + kSegmentAt));
    header.point.next.at = load_le<std::uint64_t>(at + kPositionAt);
    header.point.segment_first = Lsn(load_le<std::uint64_t>(at + kFirstLsnAt));
    header.parts = load_le<std::uint64_t>(at + kPartsAt);
    header.bytes = load_le<std::uint64_t>(at + kBytesAt);
    return header;
}

std::string checkpoint_name(Lsn lsn) { return file_name(SegmentId(lsn.value()), kCheckpointSuffix); }

Result<std::uint64_t> write_checkpoint(FileSystem& files, const std::string& dir, CheckpointHeader header,
                                       const std::vector<std::string>& parts) {
    header.parts = parts.size();
    header.bytes = kCheckpointHeaderBytes;
    for (const std::string& part : parts) header.bytes += record_bytes(part.size(), 0);
    const std::string path = join_path(dir, checkpoint_name(header.point.lsn));
    const std::string temporary = path + std::string(kTemporarySuffix);
    {
        const auto file = files.create(temporary);
        if (!file) return fail(file.error());
        if (auto done = write_parts(**file, header, parts); !done) {
            static_cast<void>(files.remove(temporary));  // or it would take the room that may be missing
            return fail(done.error());
        }
    }
    if (auto done = files.rename(temporary, path); !done) return fail(done.error());
    if (auto done = files.sync_dir(dir); !done) return fail(done.error());
    if (auto done = remove_old(files, dir, checkpoint_name(header.point.lsn)); !done) return fail(done.error());
    return header.bytes;
}

Result<std::optional<CheckpointHeader>> check_checkpoint(FileSystem& files, const std::string& dir,
                                                         const std::string& name) {
    const auto open = open_checkpoint(files, join_path(dir, name));
    if (!open) return fail(open.error());
    if (!open->header || checkpoint_name(open->header->point.lsn) != name) return std::optional<CheckpointHeader>();
    const auto sound = each_part(*open->file, *open->header, {});
    if (!sound) return fail(sound.error());
    return *sound ? open->header : std::nullopt;
}

Result<void> read_checkpoint(FileSystem& files, const std::string& dir, const std::string& name,
                             const RecordSink& sink) {
    const auto open = open_checkpoint(files, join_path(dir, name));
    if (!open) return fail(open.error());
    const auto sound = open->header ? each_part(*open->file, *open->header, sink) : Result<bool>(false);
    if (!sound) return fail(sound.error());
    if (!*sound) return fail(Code::kCorrupt, join_path(dir, name) + ": changed while it was read");
    return {};
}

}  // namespace telpher::log
