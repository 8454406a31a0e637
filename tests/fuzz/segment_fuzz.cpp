// The input is what lies in a segment behind its header. The first byte says whether record headers get magic, salt,
// lsn and checksums that hold, since no mutation gets past those. The scanner stays within the file and hands out
// nothing whose checksum does not hold.
#include <xxhash.h>

#include "broker/log/scanner.h"
#include "proto/base/check.h"
#include "tests/fuzz/choices.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/faulty_file_system.h"

namespace telpher::fuzz {
namespace {

using log::kRecordHeaderBytes;

constexpr std::uint64_t kSalt = 0x5a17;
constexpr std::uint64_t kFirstLsn = 5;
constexpr std::uint8_t kMendHeaders = 1;
constexpr std::uint8_t kMendBodies = 2;
constexpr std::uint8_t kMendLsns = 4;

/// Makes whole records of what stands where records would be. Lengths stay as they are.
void mend(std::vector<std::byte>& bytes, std::uint8_t how) {
    std::uint64_t lsn = kFirstLsn;
    for (std::uint64_t at = 0; at + kRecordHeaderBytes <= bytes.size();) {
        std::byte* header = bytes.data() + at;
        const std::uint64_t meta = load_le<std::uint32_t>(header + 8);
        const std::uint64_t body = load_le<std::uint32_t>(header + 12);
        store_le(header, log::kRecordMagic);
        store_le(header + 4, log::kRecordVersion);
        if ((how & kMendLsns) != 0) store_le(header + 16, lsn++);
        store_le(header + 32, kSalt);
        const std::uint64_t left = bytes.size() - at - kRecordHeaderBytes;
        if ((how & kMendBodies) != 0 && meta + body <= left) {
            const Bytes payload = Bytes(bytes).subspan(at + kRecordHeaderBytes);
            store_le(header + 56, log::payload_checksum(payload.first(meta), payload.subspan(meta, body)));
        }
        store_le(header + 64, std::uint64_t{XXH3_64bits(header, 64)});
        at += log::record_bytes(meta, body);
    }
}

void check_record(const log::Scanned& found, const log::SegmentScanner& scanner, std::uint64_t end) {
    TELPHER_CHECK(found.header.salt == kSalt && found.header.version == log::kRecordVersion);
    TELPHER_CHECK(found.meta.size() == found.header.meta_bytes && found.body.size() == found.header.body_bytes);
    TELPHER_CHECK(log::payload_checksum(found.meta, found.body) == found.header.payload_checksum);
    TELPHER_CHECK(scanner.at() == found.at + log::record_bytes(found.header) && scanner.at() <= end);
    TELPHER_CHECK(scanner.proven() >= found.header.durable_upto);
}

void scan(const log::File& file, std::uint64_t capacity) {
    log::SegmentHeader segment;
    segment.salt = kSalt;
    segment.first_lsn = Lsn(kFirstLsn);
    segment.capacity = capacity;
    log::SegmentScanner scanner(file, segment);
    Lsn expected(kFirstLsn);
    for (;;) {
        const auto found = scanner.next(expected);
        TELPHER_CHECK(found.has_value());
        if (!found->damage) {
            check_record(*found, scanner, capacity);
            expected += 1;
            continue;
        }
        const auto remains = scanner.remains(expected);
        TELPHER_CHECK(remains && remains->end >= scanner.at() && remains->end <= std::max(capacity, scanner.at()));
        if (!remains->next || remains->next->at <= scanner.at()) return;
        TELPHER_CHECK(remains->next->lsn > expected);
        scanner.seek(remains->next->at);
        expected = remains->next->lsn;
    }
}

std::string record(std::uint64_t lsn, const std::string& meta, const std::string& body) {
    log::RecordHeader header;
    header.meta_bytes = static_cast<std::uint32_t>(meta.size());
    header.body_bytes = static_cast<std::uint32_t>(body.size());
    header.lsn = Lsn(lsn);
    header.salt = kSalt;
    header.payload_checksum = log::payload_checksum(as_bytes(meta), as_bytes(body));
    std::string bytes(kRecordHeaderBytes, '\0');
    log::encode_record_header(header, reinterpret_cast<std::byte*>(bytes.data()));
    bytes += meta + body;
    bytes.resize(log::record_bytes(header), '\0');
    return bytes;
}

}  // namespace

std::vector<std::string> seeds() {
    const std::string two = record(5, "meta", "body") + record(6, "", "");
    return {'\0' + two, '\7' + two, '\1' + two + std::string(80, '\0') + record(9, "m", ""), '\3' + two.substr(0, 100)};
}

}  // namespace telpher::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace telpher;
    fuzz::Choices choices(data, size);
    const std::uint8_t how = choices.byte();
    const std::string rest = choices.rest();
    std::vector<std::byte> bytes(as_bytes(rest).begin(), as_bytes(rest).end());
    if ((how & fuzz::kMendHeaders) != 0) fuzz::mend(bytes, how);
    test::FaultyFileSystem files;
    const auto file = files.create("log/segment");
    const Bytes part(bytes);
    TELPHER_CHECK(file && (*file)->write_at(log::kSegmentHeaderBytes, std::span(&part, 1)));
    // A file that is shorter than it should be, or has room behind its records.
    const std::uint64_t capacity = log::kSegmentHeaderBytes + bytes.size() + 8 * (how >> 4U);
    fuzz::scan(**file, capacity);
    return 0;
}
