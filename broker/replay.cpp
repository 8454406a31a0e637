#include "broker/replay.h"

#include <algorithm>

#include "broker/checkpoint.h"
#include "broker/queue/mean_bytes.h"
#include "broker/queue_options.h"
#include "broker/stored_batch.h"
#include "proto/base/check.h"
#include "proto/base/mutant.h"

namespace telpher::broker {
namespace {

/// A message said to be older than this is taken for one of this age, and so with one that is due later: ten years.
constexpr std::int64_t kAgeMaxMs = 10LL * 365 * 24 * 3600 * 1000;

template <class Meta>
Result<Meta> parse(const log::RecordView& record) {
    Meta meta;
    if (!meta.ParseFromArray(record.meta.data(), static_cast<int>(record.meta.size()))) {
        return fail(Code::kCorrupt, "record " + std::to_string(record.lsn.value()) + ": meta does not parse");
    }
    return meta;
}

/// The producer takes [first, first + count) as stored, if that lies above all it has.
Result<void> restore_stored(Producer& producer, Sequence first, std::uint32_t count, Offset offset) {
    const bool fits = count > 0 && first >= producer.window.next() && count <= UINT64_MAX - first.value();
    if (!fits) return fail(Code::kCorrupt, "sequences of a producer that are stored already");
    producer.window.restore(first, count, offset);
    return {};
}

/// The name is the producer's from now on, if neither has another.
Result<void> check_name(const HostedQueue& queue, const Producer& producer, const std::string& name) {
    const auto owner = queue.producer_names.find(name);
    const bool taken = owner != queue.producer_names.end() && owner->second != producer.id;
    if (!taken && (producer.name.empty() || producer.name == name)) return {};
    return fail(Code::kCorrupt, "the name of a producer, " + name + ", is given twice");
}

tl::unexpected<Error> made_twice(const std::string& queue) {
    return fail(Code::kCorrupt, "queue " + queue + " is made twice");
}

}  // namespace

Result<void> Replay::take(const log::RecordView& record) {
    using log::Kind;
    if (record.kind == Kind::kCheckpoint) {
        const auto meta = parse<log::v1::CheckpointMeta>(record);
        return meta ? checkpoint(*meta) : fail(meta.error());
    }
    if (auto done = end_checkpoint(); !done) return done;
    records_seen_ = true;
    if (record.kind == Kind::kSnapshot) {
        const auto meta = parse<log::v1::SnapshotMeta>(record);
        if (!meta) return fail(meta.error());
        if (!snapshot_done_) return snapshot(*meta);
        later_snapshot(*meta);
        return {};
    }
    snapshot_done_ = true;
    if (record.kind == Kind::kEnd) return {};
    if (record.kind == Kind::kBoot) {
        const auto meta = parse<log::v1::BootMeta>(record);
        if (!meta) return fail(meta.error());
        boot_ = TELPHER_MUTANT("replay-without-boots") ? 0 : std::max(boot_, meta->boot());
        return {};
    }
    if (record.kind == Kind::kMark) {
        const auto meta = parse<log::v1::MarkMeta>(record);
        if (!meta) return fail(meta.error());
        marks(*meta);
        return {};
    }
    if (record.kind == Kind::kQueue) {
        const auto meta = parse<log::v1::QueueMeta>(record);
        return meta ? change(record.queue, *meta) : fail(meta.error());
    }
    HostedQueue* queue = catalog_.find(record.queue);
    if (queue == nullptr) return {};  // removed later: the snapshot does not have it any more
    if (record.kind == Kind::kBatch) {
        const auto meta = parse<log::v1::BatchMeta>(record);
        return meta ? batch(*queue, *meta, record) : fail(meta.error());
    }
    if (record.kind == Kind::kMove) {
        const auto meta = parse<log::v1::MoveMeta>(record);
        return meta ? moved(*queue, *meta, record) : fail(meta.error());
    }
    if (record.kind == Kind::kSettle) {
        const auto meta = parse<log::v1::SettleMeta>(record);
        if (!meta) return fail(meta.error());
        settle(*queue, *meta);
        return {};
    }
    if (record.kind == Kind::kReturn) {
        const auto meta = parse<log::v1::ReturnMeta>(record);
        return meta ? returned(*queue, *meta) : fail(meta.error());
    }
    if (record.kind == Kind::kDeath) {
        const auto meta = parse<log::v1::DeathMeta>(record);
        return meta ? died(*queue, *meta) : fail(meta.error());
    }
    if (record.kind == Kind::kProducer) {
        const auto meta = parse<log::v1::ProducerMeta>(record);
        return meta ? producer(*queue, *meta) : fail(meta.error());
    }
    return fail(Code::kFormat, "a record of kind " + std::to_string(static_cast<int>(record.kind)));
}

Result<void> Replay::end_checkpoint() {
    if (!std::exchange(checkpoint_open_, false)) return {};
    for (const auto& [name, queue] : catalog_.by_name()) {
        if (!queue->queue.restored_whole())
            return fail(Code::kCorrupt, "a checkpoint tells too little of queue " + name);
    }
    return {};
}

Result<void> Replay::checkpoint(const log::v1::CheckpointMeta& meta) {
    if (records_seen_) return fail(Code::kCorrupt, "a checkpoint behind other records");
    checkpoint_open_ = true;
    if (meta.has_snapshot()) {
        if (auto done = snapshot(meta.snapshot()); !done) return done;
    }
    const auto when = [this](std::uint64_t wall_ms) { return instant_of(wall_ms); };
    const auto count = [this](const queue::LiveBatch& batch) {
        const auto position = position_of(batch.batch.ref);
        if (!position) return;
        log::Live& live = live_[position->segment];
        live.messages += batch.messages;
        live.bytes += batch.bytes;
        messages_ += batch.messages;
    };
    for (const log::v1::LiveState& state : meta.queues()) {
        HostedQueue* queue = catalog_.find(QueueId(state.queue()));
        if (queue == nullptr || !queue->durable()) {
            return fail(Code::kCorrupt, "a checkpoint with messages of a queue that has none");
        }
        if (auto done = restore_live(*queue, state, when, count); !done) return done;
    }
    return {};
}

Result<void> Replay::snapshot(const log::v1::SnapshotMeta& meta) {
    boot_ = std::max(boot_, meta.boot());
    catalog_.restore_next_id(QueueId(meta.next_queue()));
    for (const log::v1::QueueState& state : meta.queues()) {
        if (auto done = snapshot_queue(state); !done) return done;
    }
    snapshot_done_ = meta.last();
    return {};
}

/// What a snapshot says is known already from the records before it, except for refusals, which no record tells. A
/// later start that begins with this snapshot will know them, so this one must too.
void Replay::later_snapshot(const log::v1::SnapshotMeta& meta) {
    for (const log::v1::QueueState& state : meta.queues()) {
        HostedQueue* queue = catalog_.find(QueueId(state.queue()));
        if (queue == nullptr) continue;
        for (const log::v1::ProducerState& row : state.producers()) {
            const auto producer = queue->producers.find(ProducerId(row.producer()));
            if (producer != queue->producers.end()) producer->second.window.skip_to(Sequence(row.next_sequence()));
        }
    }
}

Result<void> Replay::snapshot_queue(const log::v1::QueueState& state) {
    const QueueId id(state.queue());
    HostedQueue* queue = catalog_.find(id);
    if (queue == nullptr) {
        const auto options = decode_options(state.options());
        if (!options) return fail(options.error());
        if (catalog_.find(state.name()) != nullptr) return made_twice(state.name());
        queue = &catalog_.restore(id, state.name(), *options);
        queue->generation = state.generation();
        catalog_.give(*queue, state.owner());
        queue->lost = state.counters().lost();
        queue->lost_generation = state.lost_generation();
        queue->lost_lately = state.lost_lately();
        queue::Counters counters;
        counters.put = state.counters().put();
        counters.acked = state.counters().acked();
        counters.nacked = state.counters().nacked();
        counters.redelivered = state.counters().redelivered();
        counters.dropped = state.counters().dropped();
        counters.rejected = state.counters().rejected();
        counters.high_water = state.counters().high_water();
        counters.died = state.counters().died();
        queue->queue.restore(state.next_offset(), state.sealed(), state.paused(), counters);
        marks_[id] = Offset(state.delivered_mark());
        again_[id] = Offset(state.again());
        memory_unfinished_[id] = state.memory_unfinished();
    }
    for (const log::v1::ProducerState& row : state.producers()) {
        if (auto done = snapshot_producer(*queue, row); !done) return done;
    }
    return {};
}

Result<void> Replay::snapshot_producer(HostedQueue& queue, const log::v1::ProducerState& row) {
    Producer& producer = queue.producers[ProducerId(row.producer())];
    producer.id = ProducerId(row.producer());
    queue.set_open(producer, row.open());
    producer.known = true;
    producer.last_put = past(row.last_put_wall_ms());
    producer.user = row.user();
    for (const log::v1::AcceptedRange& range : row.accepted()) {
        auto stored =
            restore_stored(producer, Sequence(range.first_sequence()), range.count(), Offset(range.first_offset()));
        if (!stored) return stored;
    }
    producer.window.skip_to(Sequence(row.next_sequence()));
    if (row.name().empty()) return {};
    if (auto free = check_name(queue, producer, row.name()); !free) return free;
    producer.name = row.name();
    producer.stored_below = Sequence(row.stored_below());
    producer.window.known_below(
        Sequence(row.accepted().empty() ? row.stored_below() : row.accepted(0).first_sequence()));
    queue.producer_names[row.name()] = producer.id;
    return {};
}

Result<void> Replay::batch(HostedQueue& queue, const log::v1::BatchMeta& meta, const log::RecordView& record) {
    const auto view = batch::View::reopen(Slice(nullptr, record.body), false);
    if (!view)
        return fail(Code::kCorrupt, "record " + std::to_string(record.lsn.value()) + ": " + view.error().message());
    const queue::Range range{Offset(meta.first_offset()), view->count()};
    if (!queue.durable() || range.first < queue.queue.next_offset() || range.end() < range.first)
        return fail(Code::kCorrupt, "record " + std::to_string(record.lsn.value()) + ": messages out of place");
    // The producer said when: it may be any number.
    const WallTime put_time = past(static_cast<std::uint64_t>(view->header().put_time.ms));
    const std::uint64_t bytes = view->records_bytes();
    queue.queue.restore_batch({.ref = ref_of(record.position), .range = range, .bytes = bytes, .put = put_time});
    log::Live& live = live_[record.position.segment];
    live.messages += range.count;
    live.bytes += bytes;
    messages_ += range.count;
    Producer& producer = queue.producers[view->header().producer];
    producer.id = view->header().producer;
    producer.known = true;
    producer.last_put = std::max(producer.last_put, put_time);
    producer.stored_below = view->header().first + view->count();
    if (TELPHER_MUTANT("replay-without-accepted")) return {};
    return restore_stored(producer, view->header().first, view->count(), range.first);
}

Result<void> Replay::moved(HostedQueue& queue, const log::v1::MoveMeta& meta, const log::RecordView& record) {
    const auto corrupt = [&record](const std::string& what) {
        return fail(Code::kCorrupt, "record " + std::to_string(record.lsn.value()) + ": " + what);
    };
    const auto view = batch::View::reopen(Slice(nullptr, record.body), false);
    if (!view) return corrupt(view.error().message());
    const auto ranges = ranges_of(meta.ranges());
    const auto count = static_cast<int>(ranges.size());
    if (meta.deliveries_size() != count || meta.attempts_size() != count || meta.due_ms_size() != count ||
        meta.bytes_size() != count || meta.dead_size() != count || meta.dead_ms_size() != count) {
        return corrupt("a move record whose lists differ in length");
    }
    std::uint32_t index = 0;
    for (int i = 0; i < count; ++i) {
        const queue::Range& range = ranges[static_cast<std::size_t>(i)];
        if (range.count == 0 || range.count > view->count() - index || meta.bytes(i) > UINT32_MAX) {
            return corrupt("a move record of other messages");
        }
        if (!queue.durable() || range.end() < range.first) return corrupt("messages out of place");
        // Older records do not say of what batch it is a part: of one of its own.
        const std::uint64_t of_count = meta.of_count_size() == count ? meta.of_count(i) : range.count;
        const std::uint64_t at = meta.at_size() == count ? meta.at(i) : 0;
        if (range.count > of_count || at > of_count - range.count) return corrupt("a move record of other messages");
        const auto present = present_in(*view, index, range);
        if (present.empty() || present.front().first != range.first || present.back().end() != range.end())
            return corrupt("a move record whose messages are not there");
        const WallTime put_time = past(static_cast<std::uint64_t>(view->header().put_time.ms));
        queue::LiveBatch batch{{ref_of(record.position), range, meta.bytes(i), index, put_time}, 0, 0, of_count, at};
        const queue::MeanBytes mean(of_count, meta.bytes(i));
        for (const queue::Range& run : present) {
            batch.messages += run.count;
            batch.bytes += mean.of(at + (run.first - range.first), run.count);
        }
        queue::Queue::LiveRun standing;
        standing.span = range;
        standing.tries = {meta.deliveries(i), meta.attempts(i)};
        if (meta.due_ms(i) > 0) {
            standing.state = queue::Queue::Peeked::kDelayed;
            standing.due = instant_of(meta.due_ms(i));
        }
        if (meta.dead(i) > 0) {
            standing.state = queue::Queue::Peeked::kDead;
            standing.note = queue.note(
                {static_cast<queue::Cause>(meta.dead(i)), WallTime{static_cast<std::int64_t>(meta.dead_ms(i))}, {}});
        }
        if (!TELPHER_MUTANT("replay-without-moves")) queue.queue.restore_moved(batch, present, standing);
        index += static_cast<std::uint32_t>(range.count);
        log::Live& live = live_[record.position.segment];
        live.messages += batch.messages;
        live.bytes += batch.bytes;
        messages_ += batch.messages;
    }
    free(queue);
    return {};
}

void Replay::settle(HostedQueue& queue, const log::v1::SettleMeta& meta) {
    const bool dropped = meta.reason() == log::v1::SettleMeta::REASON_DROPPED;
    if (TELPHER_MUTANT("replay-without-settles") && !dropped) return;
    std::optional<std::uint64_t> messages;
    if (meta.has_messages()) messages = meta.messages();
    for (const queue::Range& range : ranges_of(meta.ranges())) {
        queue.queue.restore_done(range, dropped, messages);
        if (messages) messages = 0;
    }
    free(queue);
}

Result<void> Replay::returned(HostedQueue& queue, const log::v1::ReturnMeta& meta) {
    const auto ranges = ranges_of(meta.ranges());
    const auto count = static_cast<int>(ranges.size());
    if (meta.deliveries_size() != count || meta.attempts_size() != count || meta.due_ms_size() != count) {
        return fail(Code::kCorrupt, "a return record whose lists differ in length");
    }
    for (int i = 0; i < count; ++i) {
        const queue::Tries tries{meta.deliveries(i), meta.attempts(i)};
        if (TELPHER_MUTANT("replay-without-returns")) continue;
        queue.queue.restore_returned(ranges[static_cast<std::size_t>(i)], tries, instant_of(meta.due_ms(i)));
    }
    queue.queue.restore_nacked(meta.nacked());
    return {};
}

Result<void> Replay::died(HostedQueue& queue, const log::v1::DeathMeta& meta) {
    const auto ranges = ranges_of(meta.ranges());
    const auto count = static_cast<int>(ranges.size());
    if (meta.deliveries_size() != count || meta.attempts_size() != count) {
        return fail(Code::kCorrupt, "a death record whose lists differ in length");
    }
    const queue::Death death{static_cast<queue::Cause>(meta.cause()),
                             WallTime{static_cast<std::int64_t>(meta.wall_ms())}, meta.reason()};
    const queue::DeathNote note = queue.note(death);
    for (int i = 0; i < count; ++i) {
        const queue::Range& range = ranges[static_cast<std::size_t>(i)];
        const queue::Tries tries{meta.deliveries(i), meta.attempts(i)};
        if (TELPHER_MUTANT("replay-without-deaths")) continue;
        meta.moved() ? queue.queue.restore_moved_dead(range, tries, note)
                     : queue.queue.restore_died(range, tries, note);
    }
    queue.queue.restore_nacked(meta.nacked());
    return {};
}

Result<void> Replay::change(QueueId id, const log::v1::QueueMeta& meta) {
    using Meta = log::v1::QueueMeta;
    HostedQueue* queue = catalog_.find(id);
    if (meta.change() == Meta::CHANGE_CREATED) {
        if (queue != nullptr || catalog_.find(meta.name()) != nullptr) return made_twice(meta.name());
        const auto options = decode_options(meta.options());
        if (!options) return fail(options.error());
        HostedQueue& made = catalog_.restore(id, meta.name(), *options);
        made.generation = meta.generation();
        catalog_.give(made, meta.owner());
        return {};
    }
    if (queue == nullptr) return {};
    switch (meta.change()) {
        case Meta::CHANGE_SET: {
            const auto options = decode_options(meta.options());
            if (!options) return fail(options.error());
            if (options->durability != queue->queue.options().durability)
                return fail(Code::kCorrupt, "queue " + queue->name + " changes its durability");
            queue->queue.set_options(*options);
            return {};
        }
        case Meta::CHANGE_SEALED:
            queue->queue.restore_sealed(!TELPHER_MUTANT("replay-without-seals"));
            return {};
        case Meta::CHANGE_REOPENED:
            queue->queue.restore_sealed(false);
            queue->generation = meta.generation();
            queue->lost_lately = 0;
            return {};
        case Meta::CHANGE_PAUSED:
            queue->queue.pause(true);
            return {};
        case Meta::CHANGE_RESUMED:
            queue->queue.pause(false);
            return {};
        case Meta::CHANGE_REMOVED:
            queue->queue.purge();
            free(*queue);
            marks_.erase(id);
            again_.erase(id);
            memory_unfinished_.erase(id);
            catalog_.remove(id);
            return {};
        case Meta::CHANGE_RESTARTED:
            queue->queue.restore_sealed(false);
            queue->lost_generation = queue->generation;
            queue->generation = meta.generation();
            queue->lost += meta.lost();
            queue->lost_lately += meta.lost();
            memory_unfinished_[id] = 0;
            return {};
        default:
            return fail(Code::kFormat, "a queue change this version does not know");
    }
}

Result<void> Replay::producer(HostedQueue& queue, const log::v1::ProducerMeta& meta) {
    if (meta.change() == log::v1::ProducerMeta::CHANGE_EXPIRED) {
        queue.forget(ProducerId(meta.producer()));
        return {};
    }
    if (!meta.name().empty()) {
        if (const auto had = queue.producer_names.find(meta.name()); had != queue.producer_names.end()) {
            queue.forget(ProducerId(had->second));
        }
        Producer& named = queue.producers[ProducerId(meta.producer())];
        if (auto free = check_name(queue, named, meta.name()); !free) return free;
        queue.producer_names[meta.name()] = ProducerId(meta.producer());
        named.begin_named(meta.name(), Sequence(meta.first_sequence()));
    }
    Producer& producer = queue.producers[ProducerId(meta.producer())];
    producer.id = ProducerId(meta.producer());
    producer.known = true;
    if (meta.change() == log::v1::ProducerMeta::CHANGE_OPENED) producer.user = meta.user();
    queue.set_open(producer, meta.change() == log::v1::ProducerMeta::CHANGE_OPENED);
    producer.last_put = std::max(producer.last_put, past(meta.wall_ms()));
    return {};
}

void Replay::marks(const log::v1::MarkMeta& meta) {
    for (const log::v1::MarkMeta::Mark& mark : meta.marks()) {
        const QueueId id(mark.queue());
        if (catalog_.find(id) == nullptr) continue;
        if (!TELPHER_MUTANT("replay-without-marks")) marks_[id] = std::max(marks_[id], Offset(mark.delivered()));
        if (TELPHER_MUTANT("replay-without-second-marks")) continue;
        again_[id] = std::max(again_[id], Offset(mark.again()));
        memory_unfinished_[id] = mark.memory_unfinished();
    }
}

void Replay::free(HostedQueue& queue) {
    for (const queue::Freed& freed : queue.queue.take_freed()) {
        log::Live& live = live_[position_of(freed.batch)->segment];
        live.messages -= freed.messages;
        live.bytes -= freed.bytes;
        messages_ -= freed.messages;
    }
}

Instant Replay::instant_of(std::uint64_t wall_ms) const {
    if (wall_ms == 0 || TELPHER_MUTANT("replay-without-delays")) return now_;
    const auto due = static_cast<std::int64_t>(std::min<std::uint64_t>(wall_ms, INT64_MAX));
    return now_ + std::chrono::milliseconds(std::clamp(due - wall_.ms, -kAgeMaxMs, kAgeMaxMs));
}

WallTime Replay::past(std::uint64_t wall_ms) const {
    return {static_cast<std::int64_t>(std::min(wall_ms, static_cast<std::uint64_t>(wall_.ms)))};
}

Result<void> Replay::check_whole(SegmentId first, SegmentId last) {
    if (auto done = end_checkpoint(); !done) return done;
    for (const auto& [segment, live] : live_) {
        if (live.messages == 0 || (segment >= first && segment <= last)) continue;
        return fail(Code::kCorrupt, "segment " + std::to_string(segment.value()) + " is missing, with " +
                                        std::to_string(live.messages) + " messages in it");
    }
    return {};
}

void Replay::finish(log::Log& log, Instant hold_until, Instant orphans_until) {
    for (const auto& [segment, live] : live_) {
        if (TELPHER_MUTANT("replayed-messages-pin-nothing")) continue;
        if (live.messages > 0) log.add_live(segment, live);
    }
    finish(hold_until, orphans_until);
}

void Replay::finish(Instant hold_until, Instant orphans_until) {
    for (const auto& [name, queue] : catalog_.by_name()) {
        if (queue->durable()) {
            const Instant hold = TELPHER_MUTANT("hold-not-kept") ? now_ : hold_until;
            queue->again_logged = again_[queue->id];
            queue->queue.restore_finish(marks_[queue->id], queue->again_logged, hold, now_);
            queue->queue.make_visible(queue->queue.next_offset());
        } else {
            // Message ids of a memory queue are not in the log: each start begins far above all earlier ones.
            queue->memory_lost = memory_unfinished_[queue->id];
            queue->queue.restore_empty(std::max(Offset((boot_ + 1) << 32), queue->queue.next_offset()));
            // What was stored under a name is gone with the rest: it counts from 0 again.
            while (!queue->producer_names.empty()) queue->forget(queue->producer_names.begin()->second);
        }
        queue->seal_asked = queue->queue.sealed();
        queue->mark_logged = queue->mark_base = queue->queue.delivered_mark();
        if (queue->durable()) queue->queue.allow(queue->mark_logged);
        for (auto& [id, producer] : queue->producers) {
            producer.committed_below = producer.window.decided_below();
            producer.confirm_from = producer.committed_below;
            producer.broken = !producer.name.empty() && producer.window.next() > producer.stored_below;
            if (producer.open) producer.orphan_until = orphans_until;
        }
    }
}

}  // namespace telpher::broker
