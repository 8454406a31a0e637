// The batch: up to 1 MiB of messages, packed once by the producer, byte-identical on the wire, in the log and on the
// wire again. Pure codec: no thread, no state but what is passed in. Every reader is bounds-checked and allocates
// nothing from a count that the bytes do not cover. Numbers are little-endian.
//
//   0   4  magic "TLB1"
//   4   1  version (1)
//   5   1  attributes: bit 0 = an attribute table follows the lengths
//   6   2  header bytes (56)
//   8   4  count              messages, 1..kBatchCountMax
//  12   4  body bytes         everything after this header
//  16   8  producer id
//  24   8  first sequence     the messages are first, first + 1, ...
//  32   8  put_ms             wall clock of the producer
//  40   4  attribute bytes    0 unless bit 0
//  44   4  reserved (0)
//  48   8  XXH3-64 of bytes [0, 48) and [56, end)
//  56      count u32          length of each record; in a log 0 for one that was gone when the batch was written again
//          attribute table    (columns, see attributes below)
//          records            one after the other
//
// A record: flags u8 (bit 0 key, bit 1 headers; others must be 0), [varint length, key], [varint count
// (1..kHeadersMax), then per header varint length, name, varint length, value], payload to the end of the record.
// Varints are LEB128 of 32 bit, shortest form.
//
// The attribute table: u32 presence bits (bit = column, see Column), then per present column count values of its fixed
// width, columns in rising order, little-endian, packed. At least one column. A broker that does not know a column
// refuses the batch with kUnsupported.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/base/clock.h"
#include "proto/base/ids.h"
#include "proto/base/slice.h"
#include "telpher/error.h"

namespace telpher::batch {

inline constexpr std::uint32_t kMagic = 0x31424c54;  // "TLB1"
inline constexpr std::uint8_t kVersion = 1;
inline constexpr std::size_t kHeaderBytes = 56;

/// Columns of the attribute table: bit number and width in bytes.
enum class Column : std::uint8_t {
    kPriority = 0,    // u8
    kDueMs = 1,       // u64, wall clock
    kExpiresMs = 2,   // u64, wall clock
    kKeyHash = 3,     // u64
    kDedupHash = 4,   // 16 bytes
    kCompletion = 5,  // u64
    kUnderLease = 6,  // u64
    kDeadlineMs = 7,  // u64
};
/// Width of one value of `column` in bytes.
std::size_t column_bytes(Column column);

/// The fixed header, decoded.
struct Header {
    std::uint32_t count = 0;
    std::uint32_t body_bytes = 0;
    ProducerId producer;
    Sequence first;
    WallTime put_time;
    std::uint32_t attribute_bytes = 0;
    std::uint64_t checksum = 0;
};

/// A batch that was checked: sizes, sum of the lengths, limits and checksum all hold. Slices share the batch's bytes.
class View {
public:
    /// Messages [index, index + count).
    struct Run {
        std::uint32_t index = 0;
        std::uint32_t count = 0;
    };

    /// Checks `bytes` whole, in one pass and without an allocation. Errors: kProtocol (malformed), kTooLarge (a limit),
    /// kChecksum, kUnsupported (version, attribute bit or column not in `columns_known`). `message_bytes_max` bounds
    /// one record.
    static Result<View> parse(Slice bytes, std::size_t message_bytes_max, std::uint32_t columns_known);
    /// A batch out of our own log, which was checked when it came in: bounds only, and the checksum if `verify`.
    /// Records may be left out of it (length 0). Errors: kFormat (version or column of a newer program), kCorrupt
    /// (anything else).
    static Result<View> reopen(Slice bytes, bool verify);

    [[nodiscard]] const Header& header() const { return header_; }
    [[nodiscard]] std::uint32_t count() const { return header_.count; }
    [[nodiscard]] const Slice& bytes() const { return bytes_; }
    [[nodiscard]] std::uint64_t records_bytes() const;  ///< Of all records.
    /// Lengths of messages [index, index + count) as stored (u32 each). The caller has checked the bounds.
    [[nodiscard]] Slice lengths(std::uint32_t index, std::uint32_t count) const;
    /// Records of messages [index, index + count); costs what bytes_before() costs. The caller has checked the bounds.
    [[nodiscard]] Slice records(std::uint32_t index, std::uint32_t count) const;
    /// Messages [index, index + count) as a batch of their own: lengths, attributes and records cut, a new header
    /// (sequences go on).
    [[nodiscard]] Slice cut(std::uint32_t index, std::uint32_t count) const;
    /// The same for several runs of messages, in rising order; the sequence is that of the first. Of messages that are
    /// not in `kept`, runs inside the others in the same order, only a length of 0 stays.
    [[nodiscard]] Slice pick(std::span<const Run> runs, std::span<const Run> kept) const;
    /// Bytes of the records before `index` (0..count). Cheap when asked in rising order: a cursor remembers the last
    /// answer, which is why one View is used by one thread; copies are independent.
    [[nodiscard]] std::uint64_t bytes_before(std::uint32_t index) const;

private:
    View(Slice bytes, const Header& header) : bytes_(std::move(bytes)), header_(header) {}
    [[nodiscard]] std::uint32_t count_of(std::span<const Run> runs) const;
    std::byte* pick_lengths(std::span<const Run> runs, std::span<const Run> kept, std::byte* at) const;
    std::byte* pick_attributes(const std::byte* table, std::uint32_t present, std::span<const Run> runs,
                               std::byte* at) const;

    Slice bytes_;
    Header header_;
    mutable std::uint32_t cursor_index_ = 0;  ///< The cursor stands before this record ...
    mutable std::uint64_t cursor_bytes_ = 0;  ///< ... with so many bytes of records before it.
};

/// One message's key and headers as views, and its payload.
struct RecordView {
    Bytes key;
    bool has_key = false;
    std::vector<std::pair<std::string_view, Bytes>> headers;
    Bytes payload;
};
/// Decodes one record; the views share its bytes. Allocates only if there are headers. kProtocol if malformed,
/// kTooLarge if key or headers are over their limit, kUnsupported if a flag is set that this program does not know.
Result<RecordView> decode_record(Bytes record);

/// What goes into a record.
struct RecordIn {
    Bytes payload;
    std::optional<std::string_view> key;
    const std::vector<std::pair<std::string, std::string>>* headers = nullptr;
};
/// Bytes the record will take.
std::size_t record_bytes(const RecordIn& record);
/// Refuses with kTooLarge what no broker or consumer would take: key, headers or the whole record over their limit. To
/// be asked before append(), which takes what it is given.
Result<void> check_record(const RecordIn& record, std::size_t message_bytes_max);

/// Packs messages into a batch: append as they come, seal once. Reused for the next batch; not thread-safe.
class Builder {
public:
    /// Appends a record; false if the batch would pass `bytes_max` or kBatchBytesMax (and is not empty), or
    /// kBatchCountMax.
    bool append(const RecordIn& record, std::size_t bytes_max);
    [[nodiscard]] std::uint32_t count() const { return static_cast<std::uint32_t>(lengths_.size()); }
    [[nodiscard]] bool empty() const { return lengths_.empty(); }
    /// Bytes of the batch if sealed now: 56 + per message 4 + its record.
    [[nodiscard]] std::size_t bytes() const;
    /// Moves messages [index, count()) out, into a builder of their own. The caller has checked index <= count().
    [[nodiscard]] Builder split(std::uint32_t index);
    /// The finished batch; the builder is empty again and keeps its memory. It must not be empty.
    Slice seal(ProducerId producer, Sequence first, WallTime put_time);

private:
    std::vector<std::uint32_t> lengths_;
    std::vector<std::byte> records_;
};

}  // namespace telpher::batch
