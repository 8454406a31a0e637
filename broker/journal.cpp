#include "broker/journal.h"

#include <algorithm>

#include "broker/hosted_queue.h"
#include "proto/base/check.h"
#include "proto/version.h"

namespace telpher::broker {
namespace {

/// Reasons of dead letters that are written again with one batch: a step of the log has room for so many.
constexpr std::size_t kReasonsMovedBytes = 256 * limits::kKiB;

log::v1::ProducerMeta change_of(ProducerId producer, log::v1::ProducerMeta::Change change, WallTime now) {
    log::v1::ProducerMeta meta;
    meta.set_change(change);
    meta.set_producer(producer.value());
    meta.set_wall_ms(static_cast<std::uint64_t>(now.ms));
    return meta;
}

}  // namespace

void Journal::reserve(std::size_t body_bytes) {
    if (!log_.needs_roll(step_meta_bytes_, body_bytes)) return;
    reclaim();  // before the roll: what goes now may be the room that it needs
    log_.roll(make_snapshot_(), step_meta_bytes_, body_bytes);
    dirty_ = true;
}

void Journal::append(log::Kind kind, QueueId queue, const google::protobuf::MessageLite& meta) {
    log::Record record;
    record.kind = kind;
    record.queue = queue;
    record.meta = meta.SerializeAsString();
    log_.append(std::move(record));
    dirty_ = true;
}

log::Appended Journal::batch(QueueId queue, Offset first, std::uint32_t count, std::uint32_t generation, Slice body) {
    log::v1::BatchMeta meta;
    meta.set_first_offset(first.value());
    meta.set_generation(generation);
    log::Record record;
    record.kind = log::Kind::kBatch;
    record.queue = queue;
    record.meta = meta.SerializeAsString();
    record.body = std::move(body);
    record.messages = count;
    dirty_ = true;
    return log_.append(std::move(record));
}

void Journal::settled(QueueId queue, std::span<const queue::Range> ranges, log::v1::SettleMeta::Reason reason,
                      std::optional<std::uint64_t> messages) {
    std::uint64_t all = 0;
    for (const queue::Range& range : ranges) all += range.count;
    std::uint64_t left = messages.value_or(all);
    const bool partly = left != all;
    while (!ranges.empty()) {
        const auto part = ranges.first(std::min(ranges.size(), kRangesPerRecord));
        ranges = ranges.subspan(part.size());
        ranges_ += part.size();
        log::v1::SettleMeta meta;
        meta.set_reason(reason);
        if (partly) meta.set_messages(std::exchange(left, 0));  // the first record counts for all
        std::uint64_t end = 0;
        for (const queue::Range& range : part) {
            // Gaps wrap around on purpose: ranges are in the order they happened, not always rising.
            meta.add_ranges(range.first.value() - end);
            meta.add_ranges(range.count);
            end = range.end().value();
        }
        append(log::Kind::kSettle, queue, meta);
    }
}

namespace {

/// Adds runs with their tries to `meta`, which begins as `empty`, and gives it to `done` whenever it is full.
template <class Meta, class Run>
void in_records(const Meta& empty, std::span<const Run> runs, const std::function<void(Meta&, const Run&)>& add,
                const std::function<void(const Meta&)>& done) {
    while (!runs.empty()) {
        const auto part = runs.first(std::min(runs.size(), Journal::kRangesPerRecord));
        runs = runs.subspan(part.size());
        Meta meta = empty;
        std::uint64_t end = 0;
        for (const Run& run : part) {
            meta.add_ranges(run.range.first.value() - end);
            meta.add_ranges(run.range.count);
            end = run.range.end().value();
            meta.add_deliveries(run.tries.deliveries);
            meta.add_attempts(run.tries.attempts);
            add(meta, run);
        }
        done(meta);
    }
}

}  // namespace

void Journal::returned(QueueId queue, const Returned& returned, bool nacked) {
    ranges_ += returned.size();
    std::vector<queue::Delayed> now;
    now.reserve(returned.size());
    for (const auto& [range, tries] : returned) now.push_back({range, tries, {}});
    const auto add = [nacked](log::v1::ReturnMeta& meta, const queue::Delayed& run) {
        meta.add_due_ms(0);
        if (nacked) meta.set_nacked(meta.nacked() + run.range.count);
    };
    in_records<log::v1::ReturnMeta, queue::Delayed>({}, now, add,
                                                    [&](const auto& meta) { append(log::Kind::kReturn, queue, meta); });
}

void Journal::delayed(QueueId queue, std::span<const queue::Delayed> delayed,
                      const std::function<std::uint64_t(Instant)>& wall_ms) {
    ranges_ += delayed.size();
    const auto add = [&](log::v1::ReturnMeta& meta, const queue::Delayed& run) {
        meta.add_due_ms(wall_ms(run.due));
        meta.set_nacked(meta.nacked() + run.range.count);
    };
    in_records<log::v1::ReturnMeta, queue::Delayed>({}, delayed, add,
                                                    [&](const auto& meta) { append(log::Kind::kReturn, queue, meta); });
}

void Journal::died(QueueId queue, std::span<const queue::Died> died, const queue::Death& death, bool nacked) {
    ranges_ += died.size();
    log::v1::DeathMeta empty;
    empty.set_cause(static_cast<std::uint32_t>(death.cause));
    empty.set_wall_ms(static_cast<std::uint64_t>(death.at.ms));
    empty.set_reason(death.reason);
    const auto add = [nacked](log::v1::DeathMeta& meta, const queue::Died& run) {
        if (nacked) meta.set_nacked(meta.nacked() + run.range.count);
    };
    in_records<log::v1::DeathMeta, queue::Died>(empty, died, add,
                                                [&](const auto& meta) { append(log::Kind::kDeath, queue, meta); });
}

log::Appended Journal::moved(QueueId queue, std::span<const queue::Queue::Stretch> stretches, Slice body,
                             const std::function<std::uint64_t(Instant)>& wall_ms) {
    TELPHER_CHECK(stretches.size() <= kRangesPerRecord);
    log::v1::MoveMeta meta;
    std::uint64_t end = 0;
    log::Record record;
    for (const queue::Queue::Stretch& stretch : stretches) {
        const queue::Range& range = stretch.stored.batch.range;
        meta.add_ranges(range.first.value() - end);
        meta.add_ranges(range.count);
        end = range.end().value();
        meta.add_deliveries(stretch.standing.tries.deliveries);
        meta.add_attempts(stretch.standing.tries.attempts);
        const bool delayed = stretch.standing.state == queue::Queue::Peeked::kDelayed;
        meta.add_due_ms(delayed ? wall_ms(stretch.standing.due) : 0);
        meta.add_bytes(stretch.stored.batch.bytes);
        meta.add_of_count(static_cast<std::uint32_t>(stretch.stored.of_count));
        meta.add_at(static_cast<std::uint32_t>(stretch.stored.at));
        const queue::DeathNote& note = stretch.standing.note;
        meta.add_dead(note ? static_cast<std::uint32_t>(note->cause) : 0);
        meta.add_dead_ms(note ? static_cast<std::uint64_t>(note->at.ms) : 0);
    }
    record.kind = log::Kind::kMove;
    record.queue = queue;
    record.meta = meta.SerializeAsString();
    record.body = std::move(body);
    dirty_ = true;
    const log::Appended appended = log_.append(std::move(record));
    moved_reasons(queue, stretches);
    return appended;
}

void Journal::moved_reasons(QueueId queue, std::span<const queue::Queue::Stretch> stretches) {
    std::size_t reasons = 0;
    for (const queue::Queue::Stretch& stretch : stretches) {
        const queue::DeathNote& note = stretch.standing.note;
        if (!note || note->reason.empty()) continue;
        reasons += note->reason.size();
        if (reasons > kReasonsMovedBytes) return;
        log::v1::DeathMeta meta;
        meta.set_moved(true);
        meta.set_cause(static_cast<std::uint32_t>(note->cause));
        meta.set_wall_ms(static_cast<std::uint64_t>(note->at.ms));
        meta.set_reason(note->reason);
        meta.add_ranges(stretch.standing.span.first.value());
        meta.add_ranges(stretch.standing.span.count);
        meta.add_deliveries(stretch.standing.tries.deliveries);
        meta.add_attempts(stretch.standing.tries.attempts);
        append(log::Kind::kDeath, queue, meta);
    }
}

void Journal::queue_changed(QueueId queue, const log::v1::QueueMeta& change) {
    append(log::Kind::kQueue, queue, change);
}

void Journal::producer_opened(QueueId queue, const Producer& producer, WallTime now) {
    log::v1::ProducerMeta meta = change_of(producer.id, log::v1::ProducerMeta::CHANGE_OPENED, now);
    meta.set_user(producer.user);
    append(log::Kind::kProducer, queue, meta);
}

void Journal::producer_named(QueueId queue, const Producer& producer, WallTime now) {
    log::v1::ProducerMeta meta = change_of(producer.id, log::v1::ProducerMeta::CHANGE_OPENED, now);
    meta.set_user(producer.user);
    meta.set_name(producer.name);
    meta.set_first_sequence(producer.stored_below.value());
    append(log::Kind::kProducer, queue, meta);
}

void Journal::producer_over(QueueId queue, ProducerId producer, log::v1::ProducerMeta::Change change, WallTime now) {
    append(log::Kind::kProducer, queue, change_of(producer, change, now));
}

void Journal::marks(const log::v1::MarkMeta& marks) { append(log::Kind::kMark, QueueId(), marks); }

void Journal::boot(std::uint64_t boot, WallTime now) {
    log::v1::BootMeta meta;
    meta.set_boot(boot);
    meta.set_wall_ms(static_cast<std::uint64_t>(now.ms));
    meta.set_version(std::string(kVersion));
    append(log::Kind::kBoot, QueueId(), meta);
}

void Journal::end() {
    log::Record record;
    record.kind = log::Kind::kEnd;
    log_.append(std::move(record));
    dirty_ = true;
}

void Journal::reclaim() {
    if (log_.reclaim() > 0) dirty_ = true;
}

void Journal::flush() {
    if (dirty_ && log_.flush()) dirty_ = false;
}

}  // namespace telpher::broker
