// Reads the records of one segment in order and says why it stopped. For recovery, dump and fsck: one thread,
// short-lived, reads only. Holds one window of the file, as large as its largest record needs.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "broker/log/file.h"
#include "broker/log/record.h"
#include "broker/log/recovery_table.h"
#include "broker/log/segment.h"

namespace telpher::log {

/// What stands at a position: a record, or the damage that stands in its place.
struct Scanned {
    std::optional<Damage> damage;
    std::uint64_t at = 0;  ///< Where the record begins, or should.
    RecordHeader header;   ///< Without damage. Views below are valid until the next call.
    Bytes meta;
    Bytes body;
};

/// What lies after damage: records of this life of the segment that stand on their own, and traces of others.
struct Remains {
    /// End of the last one, also of one of whose header only the salt is left; the position of the damage if there are
    /// none.
    std::uint64_t end = 0;
    Lsn durable_upto;  ///< The highest that one of them vouches for.
    struct Next {
        std::uint64_t at;
        Lsn lsn;
    };
    std::optional<Next> next;  ///< The first one above the lsn that was missed.
};

class SegmentScanner {
public:
    SegmentScanner(const File& file, const SegmentHeader& header)
        : file_(file), header_(header), at_(kSegmentHeaderBytes), proven_(header.first_lsn.value() - 1) {}

    /// The record at the position, which must have the lsn `expected`; moves on if it is sound. Errors are I/O errors.
    Result<Scanned> next(Lsn expected);
    /// Searches everything from the position on for headers with this segment's salt.
    Result<Remains> remains(Lsn missed);
    void seek(std::uint64_t at) { at_ = at; }

    [[nodiscard]] std::uint64_t at() const { return at_; }
    /// The highest lsn that what was read so far proves durable: the records say so, and so does the segment's own
    /// name.
    [[nodiscard]] Lsn proven() const { return proven_; }

private:
    /// The bytes [at, at + count), fewer at the end of the file.
    Result<Bytes> fetch(std::uint64_t at, std::uint64_t count);
    [[nodiscard]] Damage judge_broken(Bytes bytes) const;

    const File& file_;
    const SegmentHeader header_;
    std::uint64_t at_;
    Lsn proven_;
    std::vector<std::byte> window_;
    std::uint64_t window_at_ = 0;
    std::size_t window_bytes_ = 0;
};

}  // namespace telpher::log
