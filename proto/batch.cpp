#include "proto/batch.h"

#include <algorithm>
#include <bit>
#include <memory>

#include "proto/base/check.h"
#include "proto/base/running_hash.h"
#include "proto/batch_layout.h"
#include "proto/limits.h"

namespace telpher::batch {
namespace {

using namespace layout;

constexpr std::uint32_t kColumns = 8;
constexpr std::uint32_t kColumnsDefined = (1U << kColumns) - 1;

std::uint32_t length_at(const std::byte* lengths, std::size_t index) {
    return load_le<std::uint32_t>(lengths + index * kLengthBytes);
}

std::uint64_t sum_of_lengths(const std::byte* lengths, std::size_t count) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < count; ++i) sum += length_at(lengths, i);
    return sum;
}

/// Bytes of one message's values in the columns of `present`.
std::size_t row_bytes(std::uint32_t present) {
    std::size_t bytes = 0;
    for (; present != 0; present &= present - 1) {
        bytes += column_bytes(static_cast<Column>(std::countr_zero(present)));
    }
    return bytes;
}

Header read_header(const std::byte* at) {
    Header header;
    header.count = load_le<std::uint32_t>(at + kCountAt);
    header.body_bytes = load_le<std::uint32_t>(at + kBodyBytesAt);
    header.producer = ProducerId(load_le<std::uint64_t>(at + kProducerAt));
    header.first = Sequence(load_le<std::uint64_t>(at + kFirstAt));
    header.put_time = WallTime{load_le<std::int64_t>(at + kPutMsAt)};
    header.attribute_bytes = load_le<std::uint32_t>(at + kAttributeBytesAt);
    header.checksum = load_le<std::uint64_t>(at + kChecksumAt);
    return header;
}

/// The header on its own and against the size of the frame.
Result<Header> check_header(Bytes batch) {
    if (batch.size() < kHeaderBytes) return fail(Code::kProtocol, "batch shorter than its header");
    const std::byte* at = batch.data();
    if (load_le<std::uint32_t>(at + kMagicAt) != kMagic) return fail(Code::kProtocol, "batch magic");
    if (load_le<std::uint8_t>(at + kVersionAt) != kVersion) return fail(Code::kUnsupported, "batch version");
    if ((load_le<std::uint8_t>(at + kAttributesAt) & ~kHasTable) != 0)
        return fail(Code::kUnsupported, "batch attribute bit");
    if (load_le<std::uint16_t>(at + kHeaderBytesAt) != kHeaderBytes) return fail(Code::kProtocol, "batch header bytes");
    if (load_le<std::uint32_t>(at + kReservedAt) != 0) return fail(Code::kProtocol, "batch reserved field");
    const Header header = read_header(at);
    if (header.count == 0) return fail(Code::kProtocol, "batch without a message");
    if (header.count > limits::kBatchCountMax) return fail(Code::kTooLarge, "batch count");
    if (header.body_bytes != batch.size() - kHeaderBytes) return fail(Code::kProtocol, "batch body bytes");
    if (header.count > 1 && batch.size() > limits::kBatchBytesMax) return fail(Code::kTooLarge, "batch bytes");
    if (header.first.value() > UINT64_MAX - header.count) return fail(Code::kProtocol, "batch sequence");
    return header;
}

/// The attribute table, whose length says how many bytes it has. The lengths before it are known to be inside.
Result<void> check_table(Bytes batch, const Header& header, std::uint32_t columns_known) {
    const bool has_table = load_le<std::uint8_t>(batch.data() + kAttributesAt) != 0;
    if (!has_table) {
        if (header.attribute_bytes != 0) return fail(Code::kProtocol, "batch attribute bytes without a table");
        return {};
    }
    if (header.attribute_bytes < kPresenceBytes) return fail(Code::kProtocol, "batch attribute table too short");
    const auto present = load_le<std::uint32_t>(batch.data() + kHeaderBytes + kLengthBytes * header.count);
    if (present == 0) return fail(Code::kProtocol, "batch attribute table without a column");
    if ((present & ~(columns_known & kColumnsDefined)) != 0) return fail(Code::kUnsupported, "batch attribute column");
    if (header.attribute_bytes != kPresenceBytes + row_bytes(present) * header.count) {
        return fail(Code::kProtocol, "batch attribute bytes");
    }
    return {};
}

/// May a record be left out, its length 0?
enum class LeftOut { kRefused, kTaken };

/// The one pass over the lengths: each in bounds, and together exactly the bytes that are left.
Result<void> check_lengths(Bytes batch, const Header& header, std::size_t message_bytes_max, LeftOut left_out) {
    const std::byte* lengths = batch.data() + kHeaderBytes;
    std::uint64_t sum = 0;
    std::uint32_t least = UINT32_MAX;
    std::uint32_t most = 0;
    for (std::size_t i = 0; i < header.count; ++i) {
        const std::uint32_t length = length_at(lengths, i);
        sum += length;
        least = std::min(least, length);
        most = std::max(most, length);
    }
    if (least == 0 && left_out == LeftOut::kRefused) return fail(Code::kProtocol, "batch with an empty record");
    const std::uint64_t before = kHeaderBytes + kLengthBytes * header.count + header.attribute_bytes;
    if (sum != batch.size() - before) return fail(Code::kProtocol, "batch lengths do not add up");
    if (most > message_bytes_max) return layout::message_too_large(most, message_bytes_max);
    return {};
}

/// Everything but the checksum.
Result<Header> check_shape(Bytes batch, std::size_t message_bytes_max, std::uint32_t columns_known, LeftOut left_out) {
    const auto header = check_header(batch);
    if (!header) return header;
    const std::uint64_t before = kHeaderBytes + kLengthBytes * header->count + std::uint64_t{header->attribute_bytes};
    if (before > batch.size()) return fail(Code::kProtocol, "batch shorter than its tables");
    if (auto table = check_table(batch, *header, columns_known); !table) return fail(std::move(table.error()));
    if (auto lengths = check_lengths(batch, *header, message_bytes_max, left_out); !lengths)
        return fail(std::move(lengths.error()));
    return header;
}

}  // namespace

namespace layout {

std::uint64_t checksum(Bytes batch) {
    thread_local RunningHash hash;  // its state lives on the heap: once per thread
    hash.reset();
    hash.add(batch.first(kChecksumAt));
    hash.add(batch.subspan(kHeaderBytes));
    return hash.value();
}

tl::unexpected<Error> message_too_large(std::uint64_t bytes, std::uint64_t most) {
    return fail(Code::kTooLarge, "message of " + std::to_string(bytes) + " bytes; the broker takes " +
                                     std::to_string(most) + " (limits.message_size)");
}

void finish(MutableBytes batch, const Header& header) {
    std::byte* at = batch.data();
    store_le(at + kMagicAt, kMagic);
    store_le(at + kVersionAt, kVersion);
    store_le(at + kAttributesAt, static_cast<std::uint8_t>(header.attribute_bytes != 0 ? kHasTable : 0));
    store_le(at + kHeaderBytesAt, static_cast<std::uint16_t>(kHeaderBytes));
    store_le(at + kCountAt, header.count);
    store_le(at + kBodyBytesAt, static_cast<std::uint32_t>(batch.size() - kHeaderBytes));
    store_le(at + kProducerAt, header.producer.value());
    store_le(at + kFirstAt, header.first.value());
    store_le(at + kPutMsAt, header.put_time.ms);
    store_le(at + kAttributeBytesAt, header.attribute_bytes);
    store_le(at + kReservedAt, std::uint32_t{0});
    store_le(at + kChecksumAt, checksum(batch));
}

}  // namespace layout

std::size_t column_bytes(Column column) {
    switch (column) {
        case Column::kPriority:
            return 1;
        case Column::kDedupHash:
            return 16;
        case Column::kDueMs:
        case Column::kExpiresMs:
        case Column::kKeyHash:
        case Column::kCompletion:
        case Column::kUnderLease:
        case Column::kDeadlineMs:
            return 8;
    }
    TELPHER_CHECK_MSG(false, "column");
    return 0;
}

Result<View> View::parse(Slice bytes, std::size_t message_bytes_max, std::uint32_t columns_known) {
    auto header = check_shape(bytes.bytes(), message_bytes_max, columns_known, LeftOut::kRefused);
    if (!header) return fail(std::move(header.error()));
    if (checksum(bytes.bytes()) != header->checksum) return fail(Code::kChecksum, "batch");
    return View(std::move(bytes), *header);
}

Result<View> View::reopen(Slice bytes, bool verify) {
    auto header = check_shape(bytes.bytes(), limits::kMessageBytesMax, kColumnsDefined, LeftOut::kTaken);
    if (!header) {
        const bool newer = header.error().code() == Code::kUnsupported;
        return fail(newer ? Code::kFormat : Code::kCorrupt, header.error().detail());
    }
    if (verify && checksum(bytes.bytes()) != header->checksum) return fail(Code::kCorrupt, "batch checksum");
    return View(std::move(bytes), *header);
}

std::uint64_t View::records_bytes() const {
    return header_.body_bytes - kLengthBytes * header_.count - header_.attribute_bytes;
}

std::uint64_t View::bytes_before(std::uint32_t index) const {
    const std::byte* lengths = bytes_.data() + kHeaderBytes;
    if (index >= cursor_index_) {
        cursor_bytes_ += sum_of_lengths(lengths + kLengthBytes * cursor_index_, index - cursor_index_);
    } else {
        cursor_bytes_ = sum_of_lengths(lengths, index);
    }
    cursor_index_ = index;
    return cursor_bytes_;
}

Slice View::lengths(std::uint32_t index, std::uint32_t count) const {
    return bytes_.part(kHeaderBytes + kLengthBytes * index, kLengthBytes * count);
}

Slice View::records(std::uint32_t index, std::uint32_t count) const {
    const std::uint64_t from = bytes_before(index);
    const std::uint64_t to = bytes_before(index + count);
    return bytes_.part(bytes_.size() - records_bytes() + from, to - from);
}

Slice View::cut(std::uint32_t index, std::uint32_t count) const {
    const Run run{index, count};
    return pick({&run, 1}, {&run, 1});
}

std::uint32_t View::count_of(std::span<const Run> runs) const {
    std::uint32_t end = 0;
    std::uint32_t count = 0;
    for (const Run& run : runs) {
        TELPHER_CHECK(run.count > 0 && run.index >= end && run.index <= header_.count &&
                      run.count <= header_.count - run.index);
        end = run.index + run.count;
        count += run.count;
    }
    return count;
}

/// Lengths of `runs`, 0 for what is not in `kept`.
std::byte* View::pick_lengths(std::span<const Run> runs, std::span<const Run> kept, std::byte* at) const {
    for (const Run& run : runs) {
        std::uint32_t index = run.index;
        for (; !kept.empty() && kept.front().index < run.index + run.count; kept = kept.subspan(1)) {
            const Run& keep = kept.front();
            TELPHER_CHECK(keep.index >= index && keep.index + keep.count <= run.index + run.count);
            at = std::fill_n(at, kLengthBytes * (keep.index - index), std::byte{0});
            at = std::ranges::copy(lengths(keep.index, keep.count).bytes(), at).out;
            index = keep.index + keep.count;
        }
        at = std::fill_n(at, kLengthBytes * (run.index + run.count - index), std::byte{0});
    }
    TELPHER_CHECK(kept.empty());
    return at;
}

Slice View::pick(std::span<const Run> runs, std::span<const Run> kept) const {
    TELPHER_CHECK(!kept.empty());
    Header header = header_;
    header.count = count_of(runs);
    if (count_of(kept) == header_.count) return bytes_;
    std::size_t record_bytes = 0;
    for (const Run& run : kept) record_bytes += records(run.index, run.count).size();
    header.first += runs.front().index;
    const std::byte* table = bytes_.data() + kHeaderBytes + kLengthBytes * header_.count;
    const std::uint32_t present = header_.attribute_bytes != 0 ? load_le<std::uint32_t>(table) : 0;
    if (present != 0)
        header.attribute_bytes = static_cast<std::uint32_t>(kPresenceBytes + row_bytes(present) * header.count);
    const std::size_t size = kHeaderBytes + kLengthBytes * header.count + header.attribute_bytes + record_bytes;
    auto owner = std::make_shared_for_overwrite<std::byte[]>(size);
    std::byte* at = owner.get() + kHeaderBytes;
    at = pick_lengths(runs, kept, at);
    if (present != 0) at = pick_attributes(table, present, runs, at);
    for (const Run& run : kept) at = std::ranges::copy(records(run.index, run.count).bytes(), at).out;
    layout::finish({owner.get(), size}, header);
    const Bytes bytes(owner.get(), size);
    return {std::move(owner), bytes};
}

std::byte* View::pick_attributes(const std::byte* table, std::uint32_t present, std::span<const Run> runs,
                                 std::byte* at) const {
    at = std::copy_n(table, kPresenceBytes, at);
    const std::byte* column = table + kPresenceBytes;
    for (std::uint32_t left = present; left != 0; left &= left - 1) {
        const std::size_t width = column_bytes(static_cast<Column>(std::countr_zero(left)));
        for (const Run& run : runs) at = std::copy_n(column + width * run.index, width * run.count, at);
        column += width * header_.count;
    }
    return at;
}

}  // namespace telpher::batch
