#include "broker/queue_options.h"

#include "proto/limits.h"

namespace telpher::broker {
namespace {

template <class Out>
void encode(const queue::Options& options, Out& out) {
    out.set_maxsize(options.maxsize);
    out.set_max_bytes(options.max_bytes);
    out.set_on_full(static_cast<std::uint32_t>(options.on_full));
    out.set_durability(static_cast<std::uint32_t>(options.durability));
    out.set_lease_ms(options.lease_ms);
    out.set_max_attempts(options.max_attempts);
    out.set_backoff_ms(options.backoff_ms);
    out.set_backoff_max_ms(options.backoff_max_ms);
}

bool in_range(const queue::Options& options) {
    constexpr auto kLeaseMaxMs = std::chrono::duration_cast<std::chrono::milliseconds>(limits::kNackDelayMax).count();
    return options.maxsize >= 1 && options.maxsize <= limits::kMaxsizeMax && options.on_full >= queue::OnFull::kBlock &&
           options.on_full <= queue::OnFull::kDropOldest && options.durability >= queue::Durability::kFsync &&
           options.durability <= queue::Durability::kMemory &&
           options.lease_ms <= static_cast<std::uint64_t>(kLeaseMaxMs) &&
           options.max_attempts <= limits::kAttemptsMax && options.backoff_ms <= options.backoff_max_ms &&
           options.backoff_max_ms <= static_cast<std::uint64_t>(kLeaseMaxMs);
}

}  // namespace

Result<queue::Options> apply_options(queue::Options base, const v1::QueueOptions& given) {
    if (given.on_full() > 3 || given.durability() > 3) return fail(Code::kBadOption, "unknown policy");
    if (given.has_maxsize()) base.maxsize = given.maxsize();
    if (given.has_max_bytes()) base.max_bytes = given.max_bytes();
    if (given.has_on_full()) base.on_full = static_cast<queue::OnFull>(given.on_full());
    if (given.has_durability()) base.durability = static_cast<queue::Durability>(given.durability());
    if (given.has_lease_ms()) base.lease_ms = given.lease_ms();
    if (given.has_max_attempts()) base.max_attempts = given.max_attempts();
    if (given.has_backoff_ms()) base.backoff_ms = given.backoff_ms();
    if (given.has_backoff_max_ms()) base.backoff_max_ms = given.backoff_max_ms();
    if (!in_range(base)) {
        return fail(Code::kBadOption,
                    "maxsize 1..1000000000, lease and backoff-max at most 7 days, backoff at most backoff-max, "
                    "max-attempts at most 1000, known policies");
    }
    return base;
}

void encode_options(const queue::Options& options, v1::QueueOptions& out) { encode(options, out); }
void encode_options(const queue::Options& options, log::v1::QueueOptions& out) { encode(options, out); }

Result<queue::Options> decode_options(const log::v1::QueueOptions& stored) {
    queue::Options options;
    options.maxsize = stored.maxsize();
    options.max_bytes = stored.max_bytes();
    options.on_full = static_cast<queue::OnFull>(stored.on_full() & 0xff);
    options.durability = static_cast<queue::Durability>(stored.durability() & 0xff);
    options.lease_ms = stored.lease_ms();
    options.max_attempts = stored.max_attempts();  // absent in old logs: no limit, retried at once
    options.backoff_ms = stored.backoff_ms();
    options.backoff_max_ms = stored.backoff_max_ms();
    if (stored.on_full() > 3 || stored.durability() > 3 || !in_range(options)) {
        return fail(Code::kFormat, "queue options this version does not know");
    }
    return options;
}

}  // namespace telpher::broker
