// Every limit of the wire and of the broker's memory, in one place, with the relations that must hold between them.
// Constants; docs/protocol/limits.md explains them to people who write a client.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace telpher::limits {

using namespace std::chrono_literals;

inline constexpr std::size_t kKiB = 1024;
inline constexpr std::size_t kMiB = 1024 * kKiB;

// Frames.
inline constexpr std::size_t kHotHeaderBytes = kKiB;  ///< A put, credit, ping and the like: op byte + protobuf.
inline constexpr std::size_t kControlHeaderBytes = 64 * kKiB;  ///< Every other op.
inline constexpr std::size_t kFramesMax = 4;                   ///< Frames of one message, without the routing id.
inline constexpr std::size_t kRoutingIdBytes = 5;              ///< What libzmq makes by itself; others are hostile.
inline constexpr std::size_t kWireSlackBytes = 4 * kKiB;       ///< Room over the largest body in ZMQ_MAXMSGSIZE.

// Batches and messages.
inline constexpr std::size_t kBatchBytesMax = kMiB;           ///< A batch with more than one message.
inline constexpr std::size_t kMessageBytesDefault = kMiB;     ///< limits.message_size, unless set.
inline constexpr std::size_t kMessageBytesMax = 16 * kMiB;    ///< limits.message_size at most.
inline constexpr std::uint32_t kBatchCountMax = 64 * 1024;    ///< Messages in a batch.
inline constexpr std::size_t kBatchTargetBytes = 256 * kKiB;  ///< What the client's batcher aims at.
inline constexpr std::size_t kHeadersMax = 64;                ///< Headers of one message.
inline constexpr std::size_t kKeyBytesMax = 4 * kKiB;
inline constexpr std::size_t kHeadersBytesMax = 64 * kKiB;
inline constexpr std::size_t kNameBytesMax = 255;  ///< Queue, client, consumer and producer names.

// Flow control, producer to broker (absolute byte limits raised by the broker).
inline constexpr std::uint64_t kSessionPutWindowBytes = 16 * kMiB;
inline constexpr std::uint64_t kHandlePutWindowBytes = 8 * kMiB;
inline constexpr std::size_t kParkedBytesMax = 64 * kMiB;  ///< Bodies of parked puts per shard.
inline constexpr std::size_t kPutsInFlightMax = 256;       ///< Unanswered PUT frames per (producer, queue).
inline constexpr std::size_t kProducerRangesMax = 4096;    ///< Remembered verdict ranges per (producer, queue).

// Flow control, broker to consumer (credit given by the consumer).
inline constexpr std::uint32_t kCreditMessagesMax = 64 * 1024;
inline constexpr std::uint64_t kCreditBytesMax = 64 * kMiB;
inline constexpr std::size_t kSettleRangesMax = 4096;  ///< Ranges in one SETTLE.
inline constexpr int kSendHwm = 16 * 1024;             ///< Messages queued to one peer before it is kicked.

// Sessions.
inline constexpr auto kHelloTimeout = 5s;
inline constexpr auto kHeartbeat = 5s;
inline constexpr auto kSessionLease = 30s;            ///< Silence after which a session is dead.
inline constexpr auto kResumeGrace = 2s;              ///< A closed connection's session waits this long.
inline constexpr auto kRestartHold = 2s;              ///< Delivered messages wait for re-attach after a restart.
inline constexpr auto kProducerIdle = 3600s;          ///< A producer's entry outlives its last put by this.
inline constexpr auto kNamedProducerIdle = 30 * 24h;  ///< The same of one that has a name.
inline constexpr std::size_t kConnectionsMax = 10'000;
inline constexpr std::size_t kDescriptorReserve = 1'024;  ///< Descriptors above the connection cap.
inline constexpr std::size_t kHandlesMax = 4'096;         ///< Open queues of one session.
inline constexpr std::size_t kQueuesMax = 10'000;         ///< Queues of one shard.
inline constexpr std::size_t kProducersMax = 100'000;     ///< Producer entries of one shard.
inline constexpr std::size_t kProducerNamesMax = 10'000;  ///< Producers of one queue that have a name.
inline constexpr std::size_t kJoinersMax = 10'000;        ///< Waiting joins of one queue.

// Queues.
inline constexpr std::uint64_t kMaxsizeDefault = 10'000;
inline constexpr std::uint64_t kMaxsizeMax = 1'000'000'000;
inline constexpr auto kNackDelayMax = 7 * 24h;
inline constexpr std::uint32_t kAttemptsMax = 1'000;
inline constexpr std::uint32_t kAttemptsDefault = 20;           ///< Failed attempts that make a dead letter.
inline constexpr std::uint64_t kBackoffDefaultMs = 1'000;       ///< Before the second attempt.
inline constexpr std::uint64_t kBackoffMaxDefaultMs = 600'000;  ///< Between attempts at most.
inline constexpr std::size_t kReasonBytesMax = 4 * kKiB;        ///< What a consumer says of a failure.
inline constexpr std::uint64_t kReasonsKeptBytes = 16 * kMiB;   ///< Reasons in memory per queue.

// The log.
inline constexpr std::size_t kSegmentBytes = 64 * kMiB;
inline constexpr std::size_t kCommitGroupBytesMax = 8 * kMiB;  ///< Written per fdatasync at most.

// One cycle of a shard, and of a client.
inline constexpr std::size_t kCycleFramesMax = 1'024;
inline constexpr std::size_t kCycleBytesMax = 8 * kMiB;
inline constexpr std::size_t kShardCycleBytesMax = kMiB / 2;  ///< What was committed meanwhile is told after each.

static_assert(kBatchTargetBytes <= kBatchBytesMax);
static_assert(kMessageBytesDefault <= kMessageBytesMax);
static_assert(kBatchBytesMax <= kMessageBytesMax, "one ZMQ_MAXMSGSIZE covers both");
static_assert(kMessageBytesMax + kMessageBytesMax / 2 < kSegmentBytes, "a record fits a segment beside its snapshot");
static_assert(kHandlePutWindowBytes <= kSessionPutWindowBytes);
static_assert(kBatchBytesMax <= kHandlePutWindowBytes, "a window holds at least one batch");
static_assert(kParkedBytesMax >= kMessageBytesMax, "any one body can be parked");
static_assert(kPutsInFlightMax <= kProducerRangesMax, "whatever a client may resend is remembered");
static_assert(kSessionLease >= 3 * kHeartbeat);
static_assert(kResumeGrace < kSessionLease);
static_assert(kBatchCountMax <= kCreditMessagesMax);
static_assert(kSettleRangesMax < static_cast<std::size_t>(kSendHwm));

}  // namespace telpher::limits
