// A batch as it was read back from the log: is it the one that was asked for? Pure; any thread.
#pragma once

#include "broker/log/log.h"
#include "proto/batch.h"

namespace telpher::broker {

/// The batch in `record`, whose checksum the log has proven. kCorrupt if its message `index` is not message `offset` of
/// `queue`: a whole record, but in the place of another.
Result<batch::View> open_stored(const log::StoredRecord& record, QueueId queue, Offset offset, std::uint32_t index);

}  // namespace telpher::broker
