#include "broker/log/segment.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <charconv>
#include <cstring>

namespace telpher::log {
namespace {

constexpr std::size_t kMagicAt = 0;
constexpr std::size_t kVersionAt = 4;
constexpr std::size_t kShardAt = 8;
constexpr std::size_t kNumberAt = 16;
constexpr std::size_t kSaltAt = 24;
constexpr std::size_t kLogIdAt = 32;
constexpr std::size_t kFirstLsnAt = 48;
constexpr std::size_t kCapacityAt = 56;
constexpr std::size_t kChecksumAt = 64;
constexpr std::size_t kFieldsBytes = kChecksumAt + sizeof(std::uint64_t);
static_assert(kFieldsBytes == 72 && kFieldsBytes <= 512, "the fields fit the smallest sector: they are never torn");
constexpr std::size_t kNumberDigits = 16;

}  // namespace

void encode_segment_header(const SegmentHeader& header, std::byte* at) {
    std::memset(at, 0, kSegmentHeaderBytes);
    store_le(at + kMagicAt, kSegmentMagic);
    store_le(at + kVersionAt, header.version);
    store_le(at + kShardAt, header.shard);
    store_le(at + kNumberAt, header.number.value());
    store_le(at + kSaltAt, header.salt);
    store_le(at + kLogIdAt, header.log_id.high);
    store_le(at + kLogIdAt + 8, header.log_id.low);
    store_le(at + kFirstLsnAt, header.first_lsn.value());
    store_le(at + kCapacityAt, header.capacity);
    store_le(at + kChecksumAt, std::uint64_t{XXH3_64bits(at, kChecksumAt)});
}

std::optional<SegmentHeader> decode_segment_header(Bytes bytes) {
    if (bytes.size() < kFieldsBytes) return std::nullopt;
    const std::byte* at = bytes.data();
    if (load_le<std::uint32_t>(at + kMagicAt) != kSegmentMagic) return std::nullopt;
    if (load_le<std::uint64_t>(at + kChecksumAt) != XXH3_64bits(at, kChecksumAt)) return std::nullopt;
    SegmentHeader header;
    header.version = load_le<std::uint32_t>(at + kVersionAt);
    header.shard = load_le<std::uint32_t>(at + kShardAt);
    header.number = SegmentId(load_le<std::uint64_t>(at + kNumberAt));
    header.salt = load_le<std::uint64_t>(at + kSaltAt);
    header.log_id = {load_le<std::uint64_t>(at + kLogIdAt), load_le<std::uint64_t>(at + kLogIdAt + 8)};
    header.first_lsn = Lsn(load_le<std::uint64_t>(at + kFirstLsnAt));
    header.capacity = load_le<std::uint64_t>(at + kCapacityAt);
    return header;
}

std::string file_name(SegmentId number, std::string_view suffix) {
    return fmt::format("{:016x}{}", number.value(), suffix);
}

std::optional<SegmentId> parse_file_name(std::string_view name, std::string_view suffix) {
    if (name.size() != kNumberDigits + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
    std::uint64_t number = 0;
    const char* end = name.data() + kNumberDigits;
    const auto [parsed, error] = std::from_chars(name.data(), end, number, 16);
    if (error != std::errc{} || parsed != end || file_name(SegmentId(number), suffix) != name) return std::nullopt;
    return SegmentId(number);
}

std::string join_path(std::string_view dir, std::string_view name) { return fmt::format("{}/{}", dir, name); }

Result<std::uint64_t> file_bytes(FileSystem& files, const std::string& path) {
    const auto file = files.open(path, false);
    return file ? (*file)->size() : fail(file.error());
}

}  // namespace telpher::log
