// The fixed formats: record header, segment header, mark, file names. The hex pins the layout that FORMAT.md describes.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "broker/log/mark.h"
#include "broker/log/record.h"
#include "broker/log/segment.h"

namespace telpher::log {
namespace {

std::string hex(Bytes bytes) {
    std::string text;
    for (const std::byte byte : bytes) {
        std::array<char, 3> digits{};
        std::snprintf(digits.data(), digits.size(), "%02x", std::to_integer<unsigned>(byte));
        text += digits.data();
    }
    return text;
}

RecordHeader sample() {
    RecordHeader header;
    header.kind = Kind::kSettle;
    header.flags = kFlagSnapshotEnd;
    header.meta_bytes = 0x01020304;
    header.body_bytes = 0x05060708;
    header.lsn = Lsn(0x1112131415161718);
    header.durable_upto = Lsn(0x2122232425262728);
    header.salt = 0x3132333435363738;
    header.queue = QueueId(0x4142434445464748);
    header.epoch = Epoch(0x51525354);
    header.payload_checksum = 0x6162636465666768;
    return header;
}

std::array<std::byte, kRecordHeaderBytes> encoded(const RecordHeader& header) {
    std::array<std::byte, kRecordHeaderBytes> bytes{};
    encode_record_header(header, bytes.data());
    return bytes;
}

TEST(RecordTest, LayoutIsAsDocumented) {
    EXPECT_EQ(hex(Bytes(encoded(sample())).first(64)),
              "544c523101020100"  // magic "TLR1", version, kind, flags
              "0403020108070605"  // meta bytes, body bytes
              "1817161514131211"  // lsn
              "2827262524232221"  // durable_upto
              "3837363534333231"  // salt
              "4847464544434241"  // queue
              "5453525100000000"  // epoch, reserved
              "6867666564636261");
}

TEST(RecordTest, HeaderComesBack) {
    const auto header = decode_record_header(encoded(sample()));
    ASSERT_TRUE(header);
    EXPECT_EQ(header->version, kRecordVersion);
    EXPECT_EQ(header->kind, Kind::kSettle);
    EXPECT_EQ(header->flags, kFlagSnapshotEnd);
    EXPECT_EQ(header->meta_bytes, 0x01020304U);
    EXPECT_EQ(header->body_bytes, 0x05060708U);
    EXPECT_EQ(header->lsn, sample().lsn);
    EXPECT_EQ(header->durable_upto, sample().durable_upto);
    EXPECT_EQ(header->salt, sample().salt);
    EXPECT_EQ(header->queue, sample().queue);
    EXPECT_EQ(header->epoch, sample().epoch);
    EXPECT_EQ(header->payload_checksum, sample().payload_checksum);
}

TEST(RecordTest, AnyFlippedBitIsSeen) {
    const auto good = encoded(sample());
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
        auto bad = good;
        bad[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
        EXPECT_FALSE(decode_record_header(bad)) << bit;
    }
}

TEST(RecordTest, TooFewBytesAreNoHeader) {
    const auto good = encoded(sample());
    for (std::size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(decode_record_header(Bytes(good).first(size)));
}

TEST(RecordTest, RecordsArePaddedToEight) {
    EXPECT_EQ(record_bytes(0, 0), 72U);
    EXPECT_EQ(record_bytes(1, 0), 80U);
    EXPECT_EQ(record_bytes(3, 5), 80U);
    EXPECT_EQ(record_bytes(3, 6), 88U);
}

TEST(RecordTest, PayloadChecksumIsOfMetaThenBody) {
    const auto whole = payload_checksum(as_bytes("metabody"), {});
    EXPECT_EQ(payload_checksum(as_bytes("meta"), as_bytes("body")), whole);
    EXPECT_EQ(payload_checksum({}, as_bytes("metabody")), whole);
    EXPECT_NE(payload_checksum(as_bytes("meta"), as_bytes("bodz")), whole);
}

TEST(SegmentTest, HeaderComesBackAndItsLayoutIsAsDocumented) {
    SegmentHeader header;
    header.shard = 3;
    header.number = SegmentId(0x0102);
    header.salt = 0x1112131415161718;
    header.log_id = {0x21, 0x31};
    header.first_lsn = Lsn(0x41);
    header.capacity = 0x5000;
    std::vector<std::byte> block(kSegmentHeaderBytes, std::byte{0xff});
    encode_segment_header(header, block.data());
    EXPECT_EQ(hex(Bytes(block).first(64)),
              "544c5331010000000300000000000000"
              "02010000000000001817161514131211"
              "21000000000000003100000000000000"
              "41000000000000000050000000000000");
    const auto back = decode_segment_header(block);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->version, kSegmentVersion);
    EXPECT_EQ(back->shard, 3U);
    EXPECT_EQ(back->number, header.number);
    EXPECT_EQ(back->salt, header.salt);
    EXPECT_EQ(back->log_id, header.log_id);
    EXPECT_EQ(back->first_lsn, header.first_lsn);
    EXPECT_EQ(back->capacity, header.capacity);
    for (std::size_t bit = 0; bit < 72 * 8; ++bit) {
        auto bad = block;
        bad[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
        EXPECT_FALSE(decode_segment_header(bad)) << bit;
    }
}

TEST(SegmentTest, OnlyOurNamesAreParsed) {
    EXPECT_EQ(file_name(SegmentId(0xab), kSegmentSuffix), "00000000000000ab.seg");
    EXPECT_EQ(parse_file_name("00000000000000ab.seg", kSegmentSuffix), SegmentId(0xab));
    for (const char* name : {"", ".seg", "ab.seg", "00000000000000AB.seg", "00000000000000ab.spare",
                             "-0000000000000ab.seg", "00000000000000ag.seg", "x00000000000000ab.seg", "mark", "lock"}) {
        EXPECT_FALSE(parse_file_name(name, kSegmentSuffix)) << name;
    }
}

TEST(MarkTest, MarkComesBackAndItsLayoutIsAsDocumented) {
    Mark mark;
    mark.shard = 2;
    mark.log_id = {0x11, 0x12};
    mark.sequence = 0x13;
    mark.first_segment = SegmentId(0x14);
    mark.committed = Lsn(0x15);
    mark.segment = SegmentId(0x16);
    mark.end = 0x17;
    std::vector<std::byte> slot(kMarkSlotBytes);
    encode_mark(mark, slot.data());
    EXPECT_EQ(hex(Bytes(slot).first(72)),
              "544c4d31010000000200000000000000"
              "11000000000000001200000000000000"
              "13000000000000001400000000000000"
              "15000000000000001600000000000000"
              "1700000000000000");
    const auto back = decode_mark(slot);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->shard, 2U);
    EXPECT_EQ(back->log_id, mark.log_id);
    EXPECT_EQ(back->sequence, 0x13U);
    EXPECT_EQ(back->first_segment, SegmentId(0x14));
    EXPECT_EQ(back->committed, Lsn(0x15));
    EXPECT_EQ(back->segment, SegmentId(0x16));
    EXPECT_EQ(back->end, 0x17U);
    slot[40] ^= std::byte{1};
    EXPECT_FALSE(decode_mark(slot));
}

}  // namespace
}  // namespace telpher::log
