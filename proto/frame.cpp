#include "proto/frame.h"

#include <algorithm>
#include <optional>

#include "proto/base/check.h"
#include "proto/limits.h"

namespace telpher::frame {
namespace {

/// The end of the run that starts `gap` after `previous_end`; nullopt if the run is empty or passes 2^64 - 1.
std::optional<std::uint64_t> end_of(std::uint64_t previous_end, std::uint64_t gap, std::uint64_t count) {
    std::uint64_t first = 0;
    std::uint64_t end = 0;
    if (count == 0 || __builtin_add_overflow(previous_end, gap, &first) || __builtin_add_overflow(first, count, &end)) {
        return std::nullopt;
    }
    return end;
}

/// Reads groups of `width` numbers: gap, count and, if there is a third, a value.
Result<std::vector<Run>> read_groups(const Numbers& numbers, std::size_t width, std::size_t groups_max) {
    const auto size = static_cast<std::size_t>(numbers.size());
    if (size % width != 0) return fail(Code::kProtocol, "list of numbers cut short");
    if (size / width > groups_max) return fail(Code::kProtocol, "too many runs");
    std::vector<Run> runs;
    runs.reserve(size / width);
    std::uint64_t previous_end = 0;
    for (const std::uint64_t* at = numbers.data(); runs.size() < size / width; at += width) {
        const auto end = end_of(previous_end, at[0], at[1]);
        if (!end) return fail(Code::kProtocol, "run out of range");
        runs.push_back({*end - at[1], at[1], width > 2 ? at[2] : 0});
        previous_end = *end;
    }
    return runs;
}

bool name_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '{' || c == '}' || c == '-' || c == '/';
}

}  // namespace

v1::Op op_of(Bytes header) {
    return header.empty() ? v1::OP_UNSPECIFIED : static_cast<v1::Op>(std::to_integer<int>(header.front()));
}

std::size_t header_bytes_max(v1::Op op) {
    switch (op) {
        case v1::OP_PING:
        case v1::OP_BYE:
        case v1::OP_CLOSE:
        case v1::OP_PUT:
        case v1::OP_CANCEL:
        case v1::OP_DETACH:
        case v1::OP_CREDIT:
        case v1::OP_LEAVE:
        case v1::OP_PONG:
        case v1::OP_OK:
        case v1::OP_LIMIT:
        case v1::OP_PARKED:
        case v1::OP_ROOM:
        case v1::OP_DELIVER:
        case v1::OP_END:
            return limits::kHotHeaderBytes;
        default:
            return limits::kControlHeaderBytes;
    }
}

std::size_t body_frames(v1::Op op) {
    switch (op) {
        case v1::OP_PUT:
            return 1;
        case v1::OP_DELIVER:
        case v1::OP_PEEKED:
            return 2;
        default:
            return 0;
    }
}

Result<void> parse(Bytes header, google::protobuf::MessageLite& message) {
    if (header.empty()) return fail(Code::kProtocol, "empty header frame");
    if (header.size() > header_bytes_max(op_of(header))) return fail(Code::kTooLarge, "header frame");
    const Bytes body = header.subspan(1);
    if (!message.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
        return fail(Code::kProtocol, "malformed header frame");
    }
    return {};
}

std::string encode(v1::Op op, const google::protobuf::MessageLite& message) {
    std::string header;
    header.reserve(1 + message.ByteSizeLong());
    header.push_back(static_cast<char>(op));
    message.AppendToString(&header);
    return header;
}

void add_run(Numbers& numbers, std::uint64_t& previous_end, const Run& run) {
    add_range(numbers, previous_end, run.first, run.count);
    numbers.Add(run.value);
}

Result<std::vector<Run>> read_runs(const Numbers& numbers, std::size_t runs_max) {
    return read_groups(numbers, 3, runs_max);
}

void add_range(Numbers& numbers, std::uint64_t& previous_end, std::uint64_t first, std::uint64_t count) {
    TELPHER_CHECK(first >= previous_end);
    const auto end = end_of(previous_end, first - previous_end, count);
    TELPHER_CHECK(end.has_value());
    numbers.Add(first - previous_end);
    numbers.Add(count);
    previous_end = *end;
}

Result<std::vector<Run>> read_ranges(const Numbers& numbers, std::size_t ranges_max) {
    return read_groups(numbers, 2, ranges_max);
}

bool legal_name(std::string_view name) {
    if (name.empty() || name.size() > limits::kNameBytesMax) return false;
    return name.front() != '.' && name.front() != '/' && std::ranges::all_of(name, name_byte);
}

}  // namespace telpher::frame
