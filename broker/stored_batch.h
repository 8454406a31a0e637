// A batch as it was read back from the log: is it the one that was asked for? Pure; any thread.
#pragma once

#include <google/protobuf/repeated_field.h>

#include <cstdint>
#include <vector>

#include "broker/log/log.h"
#include "broker/queue/queue.h"
#include "proto/batch.h"

namespace telpher::broker {

/// Ranges as the journal writes them: pairs (gap from the end of the one before, wrapping, and count).
std::vector<queue::Range> ranges_of(const google::protobuf::RepeatedField<std::uint64_t>& numbers);

/// The messages of a kBatch or kMove record, in the order of its body. kCorrupt if its meta makes no sense.
Result<std::vector<queue::Range>> messages_of(const log::StoredRecord& record, std::uint32_t count);

/// What there is of `span`, whose first message is number `index` of a batch that was written again.
std::vector<queue::Range> present_in(const batch::View& batch, std::uint32_t index, const queue::Range& span);

/// The batch in `record`, whose checksum the log has proven. kCorrupt if its message `index` is not message `offset` of
/// `queue`: a whole record, but in the place of another.
Result<batch::View> open_stored(const log::StoredRecord& record, QueueId queue, Offset offset, std::uint32_t index);

}  // namespace telpher::broker
