#include "broker/log/mark.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace telpher::log {
namespace {

constexpr std::size_t kMagicAt = 0;
constexpr std::size_t kVersionAt = 4;
constexpr std::size_t kShardAt = 8;
constexpr std::size_t kLogIdAt = 16;
constexpr std::size_t kSequenceAt = 32;
constexpr std::size_t kFirstSegmentAt = 40;
constexpr std::size_t kCommittedAt = 48;
constexpr std::size_t kSegmentAt = 56;
constexpr std::size_t kEndAt = 64;
constexpr std::size_t kChecksumAt = 72;
static_assert(kChecksumAt + sizeof(std::uint64_t) <= kMarkSlotBytes, "a slot lies in one sector");
static_assert(2 * kMarkSlotBytes <= kMarkFileBytes);

}  // namespace

void encode_mark(const Mark& mark, std::byte* at) {
    std::memset(at, 0, kMarkSlotBytes);
    store_le(at + kMagicAt, kMarkMagic);
    store_le(at + kVersionAt, mark.version);
    store_le(at + kShardAt, mark.shard);
    store_le(at + kLogIdAt, mark.log_id.high);
    store_le(at + kLogIdAt + 8, mark.log_id.low);
    store_le(at + kSequenceAt, mark.sequence);
    store_le(at + kFirstSegmentAt, mark.first_segment.value());
    store_le(at + kCommittedAt, mark.committed.value());
    store_le(at + kSegmentAt, mark.segment.value());
    store_le(at + kEndAt, mark.end);
    store_le(at + kChecksumAt, std::uint64_t{XXH3_64bits(at, kChecksumAt)});
}

std::optional<Mark> decode_mark(Bytes slot) {
    if (slot.size() < kMarkSlotBytes) return std::nullopt;
    const std::byte* at = slot.data();
    if (load_le<std::uint32_t>(at + kMagicAt) != kMarkMagic) return std::nullopt;
    if (load_le<std::uint64_t>(at + kChecksumAt) != XXH3_64bits(at, kChecksumAt)) return std::nullopt;
    Mark mark;
    mark.version = load_le<std::uint32_t>(at + kVersionAt);
    mark.shard = load_le<std::uint32_t>(at + kShardAt);
    mark.log_id = {load_le<std::uint64_t>(at + kLogIdAt), load_le<std::uint64_t>(at + kLogIdAt + 8)};
    mark.sequence = load_le<std::uint64_t>(at + kSequenceAt);
    mark.first_segment = SegmentId(load_le<std::uint64_t>(at + kFirstSegmentAt));
    mark.committed = Lsn(load_le<std::uint64_t>(at + kCommittedAt));
    mark.segment = SegmentId(load_le<std::uint64_t>(at + kSegmentAt));
    mark.end = load_le<std::uint64_t>(at + kEndAt);
    return mark;
}

Result<std::optional<Mark>> read_mark(FileSystem& files, const std::string& dir) {
    const auto names = files.list(dir);
    if (!names) return fail(names.error());
    if (std::find(names->begin(), names->end(), kMarkName) == names->end()) return std::optional<Mark>();
    const auto file = files.open(join_path(dir, kMarkName), false);
    if (!file) return fail(file.error());
    std::array<std::byte, 2 * kMarkSlotBytes> slots{};
    if (const auto got = (*file)->read_at(0, slots); !got) return fail(got.error());
    std::optional<Mark> newest;
    for (std::size_t slot = 0; slot < 2; ++slot) {
        const auto mark = decode_mark(Bytes(slots).subspan(slot * kMarkSlotBytes, kMarkSlotBytes));
        if (!mark) continue;
        if (mark->version > kMarkVersion) {
            return fail(Code::kFormat, join_path(dir, kMarkName) + ": version " + std::to_string(mark->version) +
                                           ", this program knows " + std::to_string(kMarkVersion));
        }
        if (!newest || mark->sequence > newest->sequence) newest = mark;
    }
    return newest;
}

Result<MarkFile> MarkFile::open(FileSystem& files, const std::string& dir, const Mark& mark, bool exists) {
    const std::string path = join_path(dir, kMarkName);
    if (exists) {
        auto file = files.open(path, true);
        if (!file) return fail(file.error());
        return MarkFile(std::move(*file), mark);
    }
    const std::string temporary = path + std::string(kTemporarySuffix);
    auto file = files.create(temporary);
    if (!file) return fail(file.error());
    std::vector<std::byte> image(kMarkFileBytes);
    encode_mark(mark, image.data() + (mark.sequence % 2) * kMarkSlotBytes);
    const Bytes part(image);
    if (auto done = (*file)->write_at(0, {&part, 1}); !done) return fail(done.error());
    if (auto done = (*file)->sync(); !done) return fail(done.error());
    if (auto done = files.rename(temporary, path); !done) return fail(done.error());
    if (auto done = files.sync_dir(dir); !done) return fail(done.error());
    return MarkFile(std::move(*file), mark);
}

Result<void> MarkFile::write(Mark mark) {
    mark.sequence = mark_.sequence + 1;
    std::array<std::byte, kMarkSlotBytes> slot{};
    encode_mark(mark, slot.data());
    mark_ = mark;
    const Bytes part(slot);
    return file_->write_at((mark.sequence % 2) * kMarkSlotBytes, {&part, 1});
}

Result<void> MarkFile::write_durably(const Mark& mark) {
    if (auto done = write(mark); !done) return done;
    if (auto done = write(mark); !done) return done;
    return file_->sync();
}

}  // namespace telpher::log
