// The first byte chooses a header of the log: a slot of the mark, a segment, a record; the rest is one. It is decoded
// as it is, and once more with magic and checksum that hold, since no mutation gets past those. What is decoded is
// encoded again, and decodes the same.
#include <xxhash.h>

#include <array>

#include "broker/log/mark.h"
#include "broker/log/record.h"
#include "broker/log/segment.h"
#include "proto/base/check.h"
#include "tests/fuzz/choices.h"
#include "tests/fuzz/fuzz.h"

namespace telpher::fuzz {
namespace {

/// What a header looks like on disk: its size, its magic, and where the checksum of all before it lies.
struct Shape {
    std::size_t bytes;
    std::uint32_t magic;
    std::size_t checksum_at;
};
constexpr std::array kShapes{Shape{log::kMarkSlotBytes, log::kMarkMagic, 72},
                             Shape{log::kSegmentHeaderBytes, log::kSegmentMagic, 64},
                             Shape{log::kRecordHeaderBytes, log::kRecordMagic, 64}};

using Block = std::array<std::byte, log::kSegmentHeaderBytes>;

/// Encoded, decoded and encoded again: the same bytes.
template <class Header>
void check_same_again(const Header& header, void (*encode)(const Header&, std::byte*),
                      std::optional<Header> (*decode)(Bytes)) {
    Block once{};
    Block twice{};
    encode(header, once.data());
    const auto again = decode(once);
    TELPHER_CHECK(again.has_value());
    encode(*again, twice.data());
    TELPHER_CHECK(once == twice);
}

bool decode(std::size_t shape, Bytes bytes) {
    if (shape == 0) {
        const auto mark = log::decode_mark(bytes);
        if (mark) check_same_again(*mark, log::encode_mark, log::decode_mark);
        return mark.has_value();
    }
    if (shape == 1) {
        const auto segment = log::decode_segment_header(bytes);
        if (segment) check_same_again(*segment, log::encode_segment_header, log::decode_segment_header);
        return segment.has_value();
    }
    const auto record = log::decode_record_header(bytes);
    if (!record) return false;
    check_same_again(*record, log::encode_record_header, log::decode_record_header);
    TELPHER_CHECK(log::record_bytes(*record) >= log::kRecordHeaderBytes + std::uint64_t{record->meta_bytes});
    TELPHER_CHECK(!log::kind_name(record->kind).empty());
    return true;
}

template <class Header>
std::string sample(std::uint8_t shape, const Header& header, void (*encode)(const Header&, std::byte*)) {
    Block block{};
    encode(header, block.data());
    return static_cast<char>(shape) + std::string(as_text(Bytes(block).first(kShapes.at(shape).checksum_at + 8)));
}

}  // namespace

std::vector<std::string> seeds() {
    const log::SegmentHeader segment{.number = SegmentId(3), .salt = 7, .log_id = {1, 2}, .first_lsn = Lsn(9)};
    log::RecordHeader record;
    record.meta_bytes = 4;
    record.lsn = Lsn(17);
    return {sample(0, log::Mark{}, log::encode_mark), sample(1, segment, log::encode_segment_header),
            sample(2, record, log::encode_record_header)};
}

}  // namespace telpher::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace telpher;
    fuzz::Choices choices(data, size);
    const std::size_t which = choices.below(3);
    const fuzz::Shape shape = fuzz::kShapes.at(which);
    const std::string bytes = choices.rest();
    fuzz::decode(which, as_bytes(bytes));
    fuzz::Block block{};
    std::copy_n(as_bytes(bytes).begin(), std::min(bytes.size(), shape.bytes), block.begin());
    store_le(block.data(), shape.magic);
    store_le(block.data() + shape.checksum_at, std::uint64_t{XXH3_64bits(block.data(), shape.checksum_at)});
    TELPHER_CHECK(fuzz::decode(which, Bytes(block).first(shape.bytes)));
    return 0;
}
