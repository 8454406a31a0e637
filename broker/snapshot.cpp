#include "broker/snapshot.h"

#include <algorithm>

#include "broker/log/records.pb.h"
#include "broker/queue_options.h"
#include "proto/base/mutant.h"

namespace telpher::broker {
namespace {

/// A record is closed once it is this large: well below the log's bound for a snapshot's meta.
constexpr std::size_t kRecordBytes = 256 << 10;
constexpr std::size_t kRangeBytes = 24;     // an accepted range, about
constexpr std::size_t kProducerBytes = 48;  // a producer without its ranges, about

void write_counters(const queue::Counters& counters, std::uint64_t lost, log::v1::Counters& out) {
    out.set_put(counters.put);
    out.set_acked(counters.acked);
    out.set_nacked(counters.nacked);
    out.set_redelivered(counters.redelivered);
    out.set_dropped(counters.dropped);
    out.set_rejected(counters.rejected);
    out.set_high_water(counters.high_water);
    out.set_lost(lost);
    out.set_died(counters.died);
}

std::size_t write_producer(const HostedQueue& queue, const Producer& producer, log::v1::ProducerState& out) {
    out.set_producer(producer.id.value());
    out.set_open(producer.open);
    out.set_last_put_wall_ms(static_cast<std::uint64_t>(producer.last_put.ms));
    out.set_user(producer.user);
    // What a memory queue had stored is lost with the start that reads this: sent again, it is new.
    if (!queue.durable()) return kProducerBytes + producer.user.size();
    out.set_next_sequence(producer.window.decided_below().value());
    if (!producer.name.empty()) {
        out.set_name(producer.name);
        out.set_stored_below(producer.stored_below.value());
    }
    const auto stored = producer.window.stored();
    for (const queue::SequenceVerdict& run : stored) {
        if (TELPHER_MUTANT("snapshot-without-accepted")) break;
        log::v1::AcceptedRange* range = out.add_accepted();
        range->set_first_sequence(run.first.value());
        range->set_count(run.count);
        range->set_first_offset(run.offset.value());
    }
    return kProducerBytes + producer.user.size() + producer.name.size() + stored.size() * kRangeBytes;
}

class Writer {
public:
    void add(const HostedQueue& queue) {
        log::v1::QueueState* state = meta_.add_queues();
        state->set_queue(queue.id.value());
        state->set_name(queue.name);
        encode_options(queue.queue.options(), *state->mutable_options());
        state->set_generation(queue.generation);
        state->set_owner(queue.owner);
        state->set_sealed(queue.queue.sealed() && !TELPHER_MUTANT("snapshot-without-seal"));
        state->set_paused(queue.queue.paused());
        const bool forgets = TELPHER_MUTANT("snapshot-forgets-offsets");
        state->set_next_offset((forgets ? queue.queue.floor() : queue.queue.next_offset()).value());
        state->set_floor(queue.queue.floor().value());
        const bool marked = !TELPHER_MUTANT("snapshot-without-mark");
        state->set_delivered_mark(marked ? std::max(queue.mark_logged, queue.queue.delivered_mark()).value() : 0);
        state->set_again(queue.again_logged.value());
        write_counters(queue.queue.counters(), queue.lost, *state->mutable_counters());
        state->set_lost_generation(queue.lost_generation);
        state->set_lost_lately(queue.lost_lately);
        if (!queue.durable()) {
            state->set_memory_unfinished(queue.unfinished());
        }
        bytes_ += 128 + queue.name.size() + queue.owner.size();
        for (const auto& [id, producer] : queue.producers) {
            if (!producer.known || producer.fenced) continue;  // forgotten once, it must stay so
            bytes_ += write_producer(queue, producer, *state->add_producers());
            if (bytes_ < kRecordBytes) continue;
            state->set_more(true);
            close(false);
            state = meta_.add_queues();
            state->set_queue(queue.id.value());
        }
        if (bytes_ >= kRecordBytes) close(false);
    }

    void close(bool last) {
        meta_.set_last(last);
        log::Record record;
        record.kind = log::Kind::kSnapshot;
        record.meta = meta_.SerializeAsString();
        records_.push_back(std::move(record));
        meta_.Clear();
        bytes_ = 0;
    }

    std::vector<log::Record> take() { return std::move(records_); }
    log::v1::SnapshotMeta& meta() { return meta_; }

private:
    log::v1::SnapshotMeta meta_;
    std::size_t bytes_ = 0;
    std::vector<log::Record> records_;
};

}  // namespace

std::vector<log::Record> make_snapshot(const Catalog& catalog, std::uint64_t boot) {
    Writer writer;
    writer.meta().set_boot(boot);
    writer.meta().set_next_queue(catalog.next_id().value());
    for (const auto& [name, queue] : catalog.by_name()) writer.add(*queue);
    writer.close(true);
    return writer.take();
}

}  // namespace telpher::broker
