// The input is a log whose records are whole but say anything: their meta is what a broker would have written, or not.
// The start of a broker replays them, or refuses the first that makes no sense. What comes of it is consistent, and a
// snapshot of it is replayed without a word.
#include "broker/replay.h"

#include "broker/snapshot.h"
#include "proto/base/check.h"
#include "proto/batch.h"
#include "tests/fuzz/choices.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/faulty_file_system.h"

namespace telpher::fuzz {
namespace {

using log::Kind;

constexpr std::size_t kRecordsMax = 200;
constexpr Instant kNow{1'000'000'000'000};
constexpr WallTime kWall{1'700'000'000'000};

/// A log with one segment, which live messages are counted in.
class EmptyLog {
public:
    EmptyLog() {
        log::LogOptions options;
        options.dir = "log";
        options.segment_bytes = 64 * limits::kKiB;
        options.salt_seed = 1;
        log_ = std::move(*log::Log::open(files_, options, [](const log::RecordView&) { return Result<void>(); }));
        log_->roll({{Kind::kSnapshot, QueueId(0), "state", Slice()}});
    }
    log::Log& operator*() { return *log_; }

private:
    test::FaultyFileSystem files_;
    std::unique_ptr<log::Log> log_;
};

/// What a start makes of records.
class Start {
public:
    Result<void> take(Kind kind, QueueId queue, const std::string& meta, const std::string& body) {
        lsn_ += 1;
        const log::Position position{SegmentId(1), 8192};
        return replay_.take({lsn_, kind, queue, Epoch(1), as_bytes(meta), as_bytes(body), position});
    }

    void finish() {
        static EmptyLog log;
        if (!replay_.check_whole(SegmentId(1), SegmentId(1))) return;  // a start would end here
        replay_.finish(*log, kNow + std::chrono::seconds(2), kNow + std::chrono::seconds(30));
        for (const auto& [name, queue] : catalog_.by_name()) {
            queue->queue.check_all();
            TELPHER_CHECK(catalog_.find(queue->id) == queue);
            std::size_t open = 0;
            for (const auto& [id, producer] : queue->producers) open += producer.open ? 1 : 0;
            TELPHER_CHECK(open == queue->open_producers);
        }
    }

    [[nodiscard]] std::vector<log::Record> snapshot() const { return broker::make_snapshot(catalog_, replay_.boot()); }
    [[nodiscard]] const broker::Catalog& catalog() const { return catalog_; }

private:
    broker::Catalog catalog_;
    broker::Replay replay_{catalog_, kNow, kWall};
    Lsn lsn_;
};

std::string batch_of(Choices& choices) {
    batch::Builder builder;
    const std::uint8_t count = 1 + choices.byte() % 16U;
    const std::string payload(choices.byte() % 64U, 'p');
    for (std::uint8_t i = 0; i < count; ++i) builder.append({as_bytes(payload), {}, nullptr}, SIZE_MAX);
    const ProducerId producer(choices.number());
    const Sequence first(choices.number());
    const Slice sealed = builder.seal(producer, first, WallTime{static_cast<std::int64_t>(choices.number())});
    return std::string(as_text(sealed.bytes()));
}

template <class Numbers>
void add_numbers(Choices& choices, Numbers& numbers, int count) {
    for (; count > 0; --count) numbers.Add(static_cast<typename Numbers::value_type>(choices.number()));
}

void fill(Choices& choices, log::v1::QueueOptions& options) {
    options.set_maxsize(1 + choices.number());
    options.set_on_full(1 + choices.below(3));
    options.set_durability(1 + choices.below(3));
    if (!choices.flag()) return;
    options.set_max_bytes(choices.number());
    options.set_lease_ms(choices.number());
    options.set_max_attempts(choices.number32());
    options.set_backoff_ms(choices.number());
    options.set_backoff_max_ms(choices.number());
}

std::string name_of(Choices& choices) {
    const std::uint8_t which = choices.byte();
    return which < 250 ? std::string(1, static_cast<char>('a' + which % 4)) : choices.text(8);
}

std::string queue_meta(Choices& choices) {
    log::v1::QueueMeta meta;
    meta.set_change(static_cast<log::v1::QueueMeta::Change>(choices.below(10)));
    meta.set_name(name_of(choices));
    fill(choices, *meta.mutable_options());
    meta.set_generation(choices.number32());
    meta.set_lost(choices.number());
    return meta.SerializeAsString();
}

std::string return_meta(Choices& choices) {
    log::v1::ReturnMeta meta;
    const int runs = choices.below(4);
    add_numbers(choices, *meta.mutable_ranges(), 2 * runs + (choices.byte() > 250 ? 1 : 0));
    add_numbers(choices, *meta.mutable_deliveries(), runs);
    add_numbers(choices, *meta.mutable_attempts(), runs);
    add_numbers(choices, *meta.mutable_due_ms(), runs);
    meta.set_nacked(choices.number());
    return meta.SerializeAsString();
}

std::string death_meta(Choices& choices) {
    log::v1::DeathMeta meta;
    const int runs = choices.below(4);
    add_numbers(choices, *meta.mutable_ranges(), 2 * runs);
    add_numbers(choices, *meta.mutable_deliveries(), runs);
    add_numbers(choices, *meta.mutable_attempts(), runs);
    meta.set_cause(choices.number32());
    meta.set_wall_ms(choices.number());
    meta.set_reason(choices.text(16));
    meta.set_nacked(choices.number());
    return meta.SerializeAsString();
}

std::string producer_meta(Choices& choices) {
    log::v1::ProducerMeta meta;
    meta.set_change(static_cast<log::v1::ProducerMeta::Change>(choices.below(5)));
    meta.set_producer(choices.number());
    meta.set_wall_ms(choices.number());
    if (choices.flag()) meta.set_name(name_of(choices));
    meta.set_first_sequence(choices.number());
    return meta.SerializeAsString();
}

std::string snapshot_meta(Choices& choices) {
    log::v1::SnapshotMeta meta;
    meta.set_boot(choices.number());
    meta.set_next_queue(choices.number());
    meta.set_last(choices.flag());
    for (std::uint8_t queues = choices.below(3); queues > 0; --queues) {
        auto* queue = meta.add_queues();
        queue->set_queue(choices.below(8));
        queue->set_name(name_of(choices));
        fill(choices, *queue->mutable_options());
        queue->set_sealed(choices.flag());
        queue->set_next_offset(choices.number());
        queue->set_delivered_mark(choices.number());
        queue->set_memory_unfinished(choices.number());
        if (!choices.flag()) continue;
        auto* producer = queue->add_producers();
        producer->set_producer(choices.number());
        producer->set_open(choices.flag());
        producer->set_next_sequence(choices.number());
        producer->set_last_put_wall_ms(choices.number());
        if (choices.flag()) producer->set_name(name_of(choices));
        producer->set_stored_below(choices.number());
        for (std::uint8_t ranges = choices.below(3); ranges > 0; --ranges) {
            auto* range = producer->add_accepted();
            range->set_first_sequence(choices.number());
            range->set_count(choices.number32());
            range->set_first_offset(choices.number());
        }
    }
    return meta.SerializeAsString();
}

std::string settle_meta(Choices& choices) {
    log::v1::SettleMeta meta;
    meta.set_reason(static_cast<log::v1::SettleMeta::Reason>(choices.below(5)));
    add_numbers(choices, *meta.mutable_ranges(), 2 * choices.below(4) + (choices.byte() > 250 ? 1 : 0));
    return meta.SerializeAsString();
}

std::string mark_meta(Choices& choices) {
    log::v1::MarkMeta meta;
    auto* mark = meta.add_marks();
    mark->set_queue(choices.below(8));
    mark->set_delivered(choices.number());
    mark->set_memory_unfinished(choices.number());
    return meta.SerializeAsString();
}

Result<void> take(Choices& choices, Start& start) {
    const std::uint8_t what = choices.below(12);
    const QueueId queue(what == 1 ? 0 : choices.below(8));
    switch (what) {
        case 0:
            return start.take(Kind::kSnapshot, QueueId(0), snapshot_meta(choices), {});
        case 1:
            return start.take(Kind::kMark, queue, mark_meta(choices), {});
        case 2:
        case 3:
            return start.take(Kind::kQueue, queue, queue_meta(choices), {});
        case 4:
        case 5: {
            log::v1::BatchMeta meta;
            meta.set_first_offset(choices.number());
            const std::string body = choices.byte() < 250 ? batch_of(choices) : choices.text();
            return start.take(Kind::kBatch, queue, meta.SerializeAsString(), body);
        }
        case 6:
            return start.take(Kind::kSettle, queue, settle_meta(choices), {});
        case 7:
            return start.take(Kind::kReturn, queue, return_meta(choices), {});
        case 8:
            return start.take(Kind::kDeath, queue, death_meta(choices), {});
        case 9:
            return start.take(Kind::kProducer, queue, producer_meta(choices), {});
        case 10: {
            log::v1::BootMeta meta;
            meta.set_boot(choices.number());
            return start.take(Kind::kBoot, queue, meta.SerializeAsString(), {});
        }
        default: {
            const auto kind = static_cast<Kind>(choices.byte());
            const std::string meta = choices.text();
            return start.take(kind, queue, meta, choices.text());
        }
    }
}

void check_snapshot(const Start& start) {
    Start again;
    for (const log::Record& record : start.snapshot()) {
        TELPHER_CHECK(again.take(record.kind, record.queue, record.meta, {}).has_value());
    }
    again.finish();
    TELPHER_CHECK(again.catalog().size() == start.catalog().size());
    auto other = again.catalog().by_name().begin();
    for (const auto& [name, queue] : start.catalog().by_name()) {
        const broker::HostedQueue& copy = *other++->second;
        TELPHER_CHECK(copy.name == name && copy.id == queue->id && copy.generation == queue->generation);
        TELPHER_CHECK(copy.queue.options() == queue->queue.options());
        TELPHER_CHECK(copy.queue.sealed() == queue->queue.sealed() && copy.queue.paused() == queue->queue.paused());
        TELPHER_CHECK(copy.producer_names == queue->producer_names);
    }
}

}  // namespace

std::vector<std::string> seeds() {
    using namespace std::string_literals;
    const std::string created = "\2\1\1\0\x09\0\0\0\0\0"s;
    const std::string batch = "\4\1\0\0\2\x10\7\0\1"s;
    const std::string batch_after = "\4\1\3\0\1\x08\7\3\1"s;
    const std::string opened = "\x09\1\1\7\1\0\0"s;
    const std::string settled = "\6\1\1\1\0\0\1"s;
    const std::string returned = "\7\1\1\0\1\1\1\1\0\0"s;
    const std::string died = "\x08\1\1\0\1\1\1\1\1\3why\0"s;
    const std::string snapshot = "\0\1\5\1\1\1\0\x09\0\0\0\0\4\2\0\1\7\1\3\0\0\0\1\0\3\0"s;
    return {created + opened + batch + settled + returned + died + batch_after, snapshot + batch_after + died,
            created + "\1\1\2\0"s + "\2\1\3\0\x09\0\0\0\0\0"s + "\x0a\0\3"s};
}

}  // namespace telpher::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace telpher;
    fuzz::Choices choices(data, size);
    fuzz::Start start;
    for (std::size_t records = 0; records < fuzz::kRecordsMax && !choices.empty(); ++records) {
        if (const auto taken = fuzz::take(choices, start); !taken) {
            TELPHER_CHECK(taken.error().code() == Code::kCorrupt || taken.error().code() == Code::kFormat);
            return 0;
        }
    }
    start.finish();
    fuzz::check_snapshot(start);
    return 0;
}
