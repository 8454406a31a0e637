// Queue options between the wire, the log and the queue: checked on the way in. Pure functions.
#pragma once

#include "broker/log/records.pb.h"
#include "broker/queue/queue.h"
#include "proto/telpher.pb.h"
#include "telpher/error.h"

namespace telpher::broker {

/// `base` with what `given` says; kBadOption if a value is out of its range.
Result<queue::Options> apply_options(queue::Options base, const v1::QueueOptions& given);
/// The options as the wire says them.
void encode_options(const queue::Options& options, v1::QueueOptions& out);
/// The options as the log says them.
void encode_options(const queue::Options& options, log::v1::QueueOptions& out);
/// Out of the log; kFormat if it holds what this program does not know.
Result<queue::Options> decode_options(const log::v1::QueueOptions& stored);

}  // namespace telpher::broker
