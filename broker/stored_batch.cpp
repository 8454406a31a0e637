#include "broker/stored_batch.h"

#include "broker/log/records.pb.h"

namespace telpher::broker {
namespace {

tl::unexpected<Error> corrupt(const log::StoredRecord& record, const std::string& what) {
    return fail(Code::kCorrupt, "record " + std::to_string(record.lsn.value()) + ": " + what);
}

/// The id of message `index`.
std::optional<Offset> offset_of(const std::vector<queue::Range>& ranges, std::uint64_t index) {
    for (const queue::Range& range : ranges) {
        if (index < range.count) return range.first + index;
        index -= range.count;
    }
    return std::nullopt;
}

}  // namespace

std::vector<queue::Range> ranges_of(const google::protobuf::RepeatedField<std::uint64_t>& numbers) {
    std::vector<queue::Range> ranges;
    Offset end;
    for (int i = 0; i + 1 < numbers.size(); i += 2) {
        ranges.push_back({end + numbers.Get(i), numbers.Get(i + 1)});
        end = ranges.back().end();
    }
    return ranges;
}

Result<std::vector<queue::Range>> messages_of(const log::StoredRecord& record, std::uint32_t count) {
    log::v1::BatchMeta batch;
    log::v1::MoveMeta move;
    std::vector<queue::Range> ranges;
    if (record.kind == log::Kind::kBatch && batch.ParseFromString(record.meta)) {
        ranges.push_back({Offset(batch.first_offset()), count});
    } else if (record.kind == log::Kind::kMove && move.ParseFromString(record.meta)) {
        ranges = ranges_of(move.ranges());
    } else {
        return corrupt(record, "holds no messages");
    }
    return ranges;
}

std::vector<queue::Range> present_in(const batch::View& batch, std::uint32_t index, const queue::Range& span) {
    const Slice lengths = batch.lengths(index, static_cast<std::uint32_t>(span.count));
    std::vector<queue::Range> present;
    for (std::uint64_t i = 0; i < span.count; ++i) {
        if (load_le<std::uint32_t>(lengths.data() + i * sizeof(std::uint32_t)) == 0) continue;
        const Offset at = span.first + i;
        if (present.empty() || present.back().end() != at) present.push_back({at, 0});
        ++present.back().count;
    }
    return present;
}

Result<batch::View> open_stored(const log::StoredRecord& record, QueueId queue, Offset offset, std::uint32_t index) {
    auto view = batch::View::reopen(record.body, false);
    if (!view) return corrupt(record, view.error().message());
    const auto ranges = messages_of(record, view->count());
    if (!ranges) return fail(ranges.error());
    if (record.queue != queue || index >= view->count() || offset_of(*ranges, index) != offset) {
        return corrupt(record, "stands in the place of the one with message " + std::to_string(offset.value()) +
                                   " of queue number " + std::to_string(queue.value()));
    }
    return view;
}

}  // namespace telpher::broker
