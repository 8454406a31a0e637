// Header frames: one op byte and the protobuf message of that op; and the packed number lists they carry. Pure codec:
// any thread, no state but what is passed in.
#pragma once

#include <google/protobuf/message_lite.h>
#include <google/protobuf/repeated_field.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/bytes.h"
#include "proto/telpher.pb.h"
#include "telpher/error.h"

namespace telpher::frame {

/// The op of a header frame; OP_UNSPECIFIED if the frame is empty. Unknown numbers come back as they are.
v1::Op op_of(Bytes header);
/// The largest header frame allowed for `op` (kHotHeaderBytes or kControlHeaderBytes), checked before parsing.
std::size_t header_bytes_max(v1::Op op);
/// How many body frames follow the header of `op`.
std::size_t body_frames(v1::Op op);

/// Parses the protobuf after the op byte into `message` (which is reused). kProtocol if malformed, kTooLarge if over
/// the limit.
Result<void> parse(Bytes header, google::protobuf::MessageLite& message);
/// Op byte + serialised message.
std::string encode(v1::Op op, const google::protobuf::MessageLite& message);

/// A run of numbers with one value beside it (a delivery, an offset, a code).
struct Run {
    std::uint64_t first = 0;
    std::uint64_t count = 0;
    std::uint64_t value = 0;
    bool operator==(const Run&) const = default;
};
using Numbers = google::protobuf::RepeatedField<std::uint64_t>;

/// Appends a triple (gap from the end of the previous run, count, value) and moves `previous_end`, which starts at 0.
/// Runs must rise, hold at least one number and not overlap: that is the caller's invariant, and checked.
void add_run(Numbers& numbers, std::uint64_t& previous_end, const Run& run);
/// Reads triples; kProtocol if the list is not of triples, a count is 0, a run passes 2^64 - 1, or there are more than
/// `runs_max`.
Result<std::vector<Run>> read_runs(const Numbers& numbers, std::size_t runs_max);
/// The same with pairs (gap, count); the runs read have value 0.
void add_range(Numbers& numbers, std::uint64_t& previous_end, std::uint64_t first, std::uint64_t count);
Result<std::vector<Run>> read_ranges(const Numbers& numbers, std::size_t ranges_max);

/// True if `name` is a legal queue name: 1..255 bytes of [A-Za-z0-9._{}-] and '/', not starting with '.' or '/'.
bool legal_name(std::string_view name);

}  // namespace telpher::frame
