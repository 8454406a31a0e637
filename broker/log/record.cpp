#include "broker/log/record.h"

#define XXH_STATIC_LINKING_ONLY  // for the state of a checksum over two parts
#include <xxhash.h>

#include <string_view>

#include "proto/base/mutant.h"

namespace telpher::log {
namespace {

constexpr std::size_t kMagicAt = 0;
constexpr std::size_t kVersionAt = 4;
constexpr std::size_t kKindAt = 5;
constexpr std::size_t kFlagsAt = 6;
constexpr std::size_t kMetaBytesAt = 8;
constexpr std::size_t kBodyBytesAt = 12;
constexpr std::size_t kLsnAt = 16;
constexpr std::size_t kDurableUptoAt = 24;
constexpr std::size_t kSaltAt = 32;
constexpr std::size_t kQueueAt = 40;
constexpr std::size_t kEpochAt = 48;
constexpr std::size_t kReservedAt = 52;
constexpr std::size_t kPayloadChecksumAt = 56;
constexpr std::size_t kHeaderChecksumAt = 64;
static_assert(kHeaderChecksumAt + sizeof(std::uint64_t) == kRecordHeaderBytes);

}  // namespace

void encode_record_header(const RecordHeader& header, std::byte* at) {
    store_le(at + kMagicAt, kRecordMagic);
    store_le(at + kVersionAt, header.version);
    store_le(at + kKindAt, static_cast<std::uint8_t>(header.kind));
    store_le(at + kFlagsAt, header.flags);
    store_le(at + kMetaBytesAt, header.meta_bytes);
    store_le(at + kBodyBytesAt, header.body_bytes);
    store_le(at + kLsnAt, header.lsn.value());
    store_le(at + kDurableUptoAt, header.durable_upto.value());
    store_le(at + kSaltAt, header.salt);
    store_le(at + kQueueAt, header.queue.value());
    store_le(at + kEpochAt, header.epoch.value());
    store_le(at + kReservedAt, std::uint32_t{0});
    store_le(at + kPayloadChecksumAt, header.payload_checksum);
    store_le(at + kHeaderChecksumAt, std::uint64_t{XXH3_64bits(at, kHeaderChecksumAt)});
}

std::optional<RecordHeader> decode_record_header(Bytes bytes) {
    if (bytes.size() < kRecordHeaderBytes) return std::nullopt;
    const std::byte* at = bytes.data();
    if (load_le<std::uint32_t>(at + kMagicAt) != kRecordMagic) return std::nullopt;
    const bool sound = load_le<std::uint64_t>(at + kHeaderChecksumAt) == XXH3_64bits(at, kHeaderChecksumAt);
    if (!sound && !TELPHER_MUTANT("header-checksum-not-checked")) return std::nullopt;
    RecordHeader header;
    header.version = load_le<std::uint8_t>(at + kVersionAt);
    header.kind = static_cast<Kind>(load_le<std::uint8_t>(at + kKindAt));
    header.flags = load_le<std::uint16_t>(at + kFlagsAt);
    header.meta_bytes = load_le<std::uint32_t>(at + kMetaBytesAt);
    header.body_bytes = load_le<std::uint32_t>(at + kBodyBytesAt);
    header.lsn = Lsn(load_le<std::uint64_t>(at + kLsnAt));
    header.durable_upto = Lsn(load_le<std::uint64_t>(at + kDurableUptoAt));
    header.salt = load_le<std::uint64_t>(at + kSaltAt);
    header.queue = QueueId(load_le<std::uint64_t>(at + kQueueAt));
    header.epoch = Epoch(load_le<std::uint32_t>(at + kEpochAt));
    header.payload_checksum = load_le<std::uint64_t>(at + kPayloadChecksumAt);
    return header;
}

HeaderTrace trace_header(const std::byte* at) {
    return {load_le<std::uint64_t>(at + kSaltAt),
            record_bytes(load_le<std::uint32_t>(at + kMetaBytesAt), load_le<std::uint32_t>(at + kBodyBytesAt))};
}

std::uint64_t payload_checksum(Bytes meta, Bytes body) {
    if (body.empty()) return XXH3_64bits(meta.data(), meta.size());
    if (meta.empty()) return XXH3_64bits(body.data(), body.size());
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    XXH3_64bits_update(&state, meta.data(), meta.size());
    XXH3_64bits_update(&state, body.data(), body.size());
    return XXH3_64bits_digest(&state);
}

std::string_view kind_name(Kind kind) {
    switch (kind) {
        case Kind::kBatch:
            return "batch";
        case Kind::kSettle:
            return "settle";
        case Kind::kReturn:
            return "return";
        case Kind::kQueue:
            return "queue";
        case Kind::kProducer:
            return "producer";
        case Kind::kSnapshot:
            return "snapshot";
        case Kind::kMark:
            return "mark";
        case Kind::kBoot:
            return "boot";
        case Kind::kEnd:
            return "end";
        case Kind::kDeath:
            return "death";
        case Kind::kMove:
            return "move";
        case Kind::kCheckpoint:
            return "checkpoint";
    }
    return "unknown";
}

}  // namespace telpher::log
