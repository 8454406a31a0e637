// Writing records and packing them into batches (proto/batch.h).
#include <algorithm>
#include <array>
#include <memory>
#include <numeric>

#include "proto/base/check.h"
#include "proto/batch.h"
#include "proto/batch_layout.h"
#include "proto/limits.h"
#include "proto/record_layout.h"

namespace telpher::batch {
namespace {

std::size_t varint_bytes(std::size_t value) {
    std::size_t bytes = 1;
    for (; value >= 0x80; value >>= 7) ++bytes;
    return bytes;
}

std::size_t field_bytes(std::size_t size) { return varint_bytes(size) + size; }

bool has_headers(const RecordIn& record) { return record.headers != nullptr && !record.headers->empty(); }

std::byte* write_varint(std::byte* at, std::size_t value) {
    for (; value >= 0x80; value >>= 7) *at++ = static_cast<std::byte>(value | 0x80);
    *at++ = static_cast<std::byte>(value);
    return at;
}

std::byte* write_bytes(std::byte* at, Bytes bytes) {
    if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
    return at + bytes.size();
}

std::byte* write_field(std::byte* at, std::string_view field) {
    return write_bytes(write_varint(at, field.size()), as_bytes(field));
}

/// Writes record_bytes(record) bytes at `at`.
void write_record(std::byte* at, const RecordIn& record) {
    std::uint8_t flags = 0;
    if (record.key) flags |= record::kHasKey;
    if (has_headers(record)) flags |= record::kHasHeaders;
    *at++ = static_cast<std::byte>(flags);
    if (record.key) at = write_field(at, *record.key);
    if (has_headers(record)) {
        at = write_varint(at, record.headers->size());
        for (const auto& [name, value] : *record.headers) at = write_field(write_field(at, name), value);
    }
    write_bytes(at, record.payload);
}

}  // namespace

std::size_t record_bytes(const RecordIn& record) {
    std::size_t bytes = 1 + record.payload.size();
    if (record.key) bytes += field_bytes(record.key->size());
    if (has_headers(record)) {
        bytes += varint_bytes(record.headers->size());
        for (const auto& [name, value] : *record.headers) bytes += field_bytes(name.size()) + field_bytes(value.size());
    }
    return bytes;
}

Result<void> check_record(const RecordIn& record, std::size_t message_bytes_max) {
    if (record.key && record.key->size() > limits::kKeyBytesMax) return fail(Code::kTooLarge, "key");
    if (has_headers(record)) {
        if (record.headers->size() > limits::kHeadersMax) return fail(Code::kTooLarge, "headers");
        std::size_t bytes = 0;
        for (const auto& [name, value] : *record.headers) bytes += name.size() + value.size();
        if (bytes > limits::kHeadersBytesMax) return fail(Code::kTooLarge, "header bytes");
    }
    if (const std::size_t bytes = record_bytes(record); bytes > message_bytes_max)
        return layout::message_too_large(bytes, message_bytes_max);
    return {};
}

bool Builder::append(const RecordIn& record, std::size_t bytes_max) {
    const std::size_t size = record_bytes(record);
    TELPHER_CHECK_MSG(size <= limits::kMessageBytesMax, "check_record() first");
    if (!empty()) {
        const std::size_t room = std::min(bytes_max, limits::kBatchBytesMax);
        if (bytes() + layout::kLengthBytes + size > room || count() == limits::kBatchCountMax) return false;
    }
    const std::size_t from = records_.size();
    records_.resize(from + size);
    write_record(records_.data() + from, record);
    lengths_.push_back(static_cast<std::uint32_t>(size));
    return true;
}

std::size_t Builder::bytes() const { return kHeaderBytes + layout::kLengthBytes * lengths_.size() + records_.size(); }

Builder Builder::split(std::uint32_t index) {
    TELPHER_CHECK(index <= count());
    const auto length = lengths_.begin() + index;
    const auto record = records_.begin() + std::accumulate(lengths_.begin(), length, std::ptrdiff_t{0});
    Builder rest;
    rest.lengths_.assign(length, lengths_.end());
    rest.records_.assign(record, records_.end());
    lengths_.erase(length, lengths_.end());
    records_.erase(record, records_.end());
    return rest;
}

Slice Builder::seal(ProducerId producer, Sequence first, WallTime put_time) {
    TELPHER_CHECK(!empty());
    const std::size_t size = bytes();
    auto owner = std::make_shared_for_overwrite<std::byte[]>(size);
    std::byte* at = write_bytes(owner.get() + kHeaderBytes, std::as_bytes(std::span(lengths_)));
    write_bytes(at, records_);
    Header header;
    header.count = count();
    header.producer = producer;
    header.first = first;
    header.put_time = put_time;
    layout::finish({owner.get(), size}, header);
    lengths_.clear();
    records_.clear();
    const Bytes bytes(owner.get(), size);
    return {std::move(owner), bytes};
}

}  // namespace telpher::batch
