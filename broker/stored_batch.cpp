#include "broker/stored_batch.h"

#include "broker/log/records.pb.h"

namespace telpher::broker {
namespace {

tl::unexpected<Error> corrupt(const log::StoredRecord& record, const std::string& what) {
    return fail(Code::kCorrupt, "record " + std::to_string(record.lsn.value()) + ": " + what);
}

/// The id of message `index` of the batch in `record`.
std::optional<Offset> offset_of(const log::StoredRecord& record, std::uint32_t index) {
    if (record.kind != log::Kind::kBatch) return std::nullopt;
    log::v1::BatchMeta meta;
    if (!meta.ParseFromString(record.meta)) return std::nullopt;
    return Offset(meta.first_offset()) + index;
}

}  // namespace

Result<batch::View> open_stored(const log::StoredRecord& record, QueueId queue, Offset offset, std::uint32_t index) {
    if (record.queue != queue || offset_of(record, index) != offset) {
        return corrupt(record, "stands in the place of the one with message " + std::to_string(offset.value()) +
                                   " of queue number " + std::to_string(queue.value()));
    }
    auto view = batch::View::reopen(record.body, false);
    if (!view) return corrupt(record, view.error().message());
    if (index >= view->count()) return corrupt(record, "has too few messages");
    return view;
}

}  // namespace telpher::broker
