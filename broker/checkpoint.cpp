#include "broker/checkpoint.h"

#include <unordered_map>

#include "broker/snapshot.h"
#include "proto/base/mutant.h"

namespace telpher::broker {
namespace {

using State = queue::Queue::Peeked::State;

/// A part is closed once it is about this large: well below the bound of a record's meta.
constexpr std::size_t kPartBytes = 512 << 10;
constexpr std::size_t kBatchBytes = 32;  // at most, about
constexpr std::size_t kRunBytes = 48;

class Writer final : public queue::Queue::Saver {
public:
    explicit Writer(const std::function<std::uint64_t(Instant)>& wall_ms) : wall_ms_(wall_ms) {}

    void add(const HostedQueue& queue) {
        queue_ = queue.id;
        live_ = nullptr;
        queue.queue.save(*this);
    }

    void add_snapshot(const std::string& snapshot) {
        log::v1::CheckpointMeta meta;
        meta.mutable_snapshot()->ParseFromString(snapshot);
        parts_.push_back(meta.SerializeAsString());
    }

    std::vector<std::string> take() {
        close();
        return std::move(parts_);
    }

    void present(std::uint64_t part, std::string bytes) override {
        log::v1::LiveState& live = room_for(bytes.size());
        live.add_present_part(part);
        live.add_present(std::move(bytes));
    }

    void batch(const queue::LiveBatch& batch) override {
        log::v1::LiveState& live = room_for(kBatchBytes);
        const queue::StoredBatch& stored = batch.batch;
        live.add_batch_first(stored.range.first - batch_end_);
        batch_end_ = stored.range.end();
        live.add_batch_count(static_cast<std::uint32_t>(stored.range.count));
        live.add_batch_live(static_cast<std::uint32_t>(batch.messages));
        live.add_batch_bytes(static_cast<std::uint32_t>(stored.bytes));
        live.add_batch_live_bytes(static_cast<std::uint32_t>(batch.bytes));
        live.add_batch_index(TELPHER_MUTANT("checkpoint-without-places") ? 0 : stored.index);
        live.add_batch_place(static_cast<std::int64_t>(stored.ref.value() - place_));
        place_ = stored.ref.value();
        live.add_batch_of_count(static_cast<std::uint32_t>(batch.of_count));
        live.add_batch_at(static_cast<std::uint32_t>(batch.at));
        live.add_batch_put_seconds(stored.put.ms / 1000 - put_seconds_);
        put_seconds_ = stored.put.ms / 1000;
    }

    void run(const queue::Queue::LiveRun& run) override {
        if (TELPHER_MUTANT("checkpoint-without-delayed") && run.state == State::kDelayed) return;
        log::v1::LiveState& live = room_for(kRunBytes + (run.note ? run.note->reason.size() : 0));
        live.add_run_state(static_cast<std::uint32_t>(run.state));
        live.add_run_first(static_cast<std::int64_t>(run.span.first - run_end_));
        run_end_ = run.span.end();
        live.add_run_span(run.span.count);
        live.add_run_deliveries(TELPHER_MUTANT("checkpoint-without-deliveries") ? 0 : run.tries.deliveries);
        live.add_run_attempts(run.tries.attempts);
        live.add_run_due_ms(run.state == State::kDelayed ? wall_ms_(run.due) : 0);
        live.add_run_note(run.note ? note(live, run.note) : 0);
    }

private:
    /// The queue's piece in the part that is being written, begun anew if this one is full.
    log::v1::LiveState& room_for(std::size_t bytes) {
        if (bytes_ + bytes > kPartBytes) close();
        bytes_ += bytes;
        if (live_ == nullptr) {
            live_ = meta_.add_queues();
            live_->set_queue(queue_.value());
            batch_end_ = run_end_ = Offset();
            place_ = 0;
            put_seconds_ = 0;
            notes_.clear();
        }
        return *live_;
    }

    std::uint32_t note(log::v1::LiveState& live, const queue::DeathNote& death) {
        const auto [known, fresh] = notes_.emplace(death.get(), live.notes_size() + 1);
        if (fresh) {
            log::v1::LiveState::Note* out = live.add_notes();
            out->set_cause(static_cast<std::uint32_t>(death->cause));
            out->set_wall_ms(static_cast<std::uint64_t>(death->at.ms));
            out->set_reason(death->reason);
        }
        return static_cast<std::uint32_t>(known->second);
    }

    void close() {
        if (meta_.queues_size() > 0) parts_.push_back(meta_.SerializeAsString());
        meta_.Clear();
        live_ = nullptr;
        bytes_ = 0;
    }

    const std::function<std::uint64_t(Instant)>& wall_ms_;
    std::vector<std::string> parts_;
    log::v1::CheckpointMeta meta_;
    log::v1::LiveState* live_ = nullptr;  // in meta_
    std::size_t bytes_ = 0;
    QueueId queue_;
    Offset batch_end_;
    Offset run_end_;
    std::uint64_t place_ = 0;
    std::int64_t put_seconds_ = 0;
    std::unordered_map<const queue::Death*, int> notes_;  // of live_
};

/// True if the lists of batches, and those of runs, are as long as they must be.
bool in_parallel(const log::v1::LiveState& state) {
    const int batches = state.batch_first_size();
    const int runs = state.run_state_size();
    return state.present_size() == state.present_part_size() && state.batch_count_size() == batches &&
           state.batch_live_size() == batches && state.batch_bytes_size() == batches &&
           state.batch_live_bytes_size() == batches && state.batch_index_size() == batches &&
           state.batch_of_count_size() == batches && state.batch_at_size() == batches &&
           state.batch_place_size() == batches && state.batch_put_seconds_size() == batches &&
           state.run_first_size() == runs && state.run_span_size() == runs && state.run_deliveries_size() == runs &&
           state.run_attempts_size() == runs && state.run_due_ms_size() == runs && state.run_note_size() == runs;
}

bool restore_batches(HostedQueue& queue, const log::v1::LiveState& state,
                     const std::function<void(const queue::LiveBatch&)>& batch) {
    Offset end;
    std::uint64_t place = 0;
    std::int64_t put_seconds = 0;
    for (int i = 0; i < state.batch_first_size(); ++i) {
        place += static_cast<std::uint64_t>(state.batch_place(i));
        put_seconds += state.batch_put_seconds(i);
        const queue::LiveBatch live{{queue::BatchRef(place),
                                     {end + state.batch_first(i), state.batch_count(i)},
                                     state.batch_bytes(i),
                                     state.batch_index(i),
                                     WallTime{put_seconds * 1000}},
                                    state.batch_live(i),
                                    state.batch_live_bytes(i),
                                    state.batch_of_count(i),
                                    state.batch_at(i)};
        end = live.batch.range.end();
        if (!queue.queue.restore_live(live)) return false;
        batch(live);
    }
    return true;
}

bool restore_runs(HostedQueue& queue, const log::v1::LiveState& state,
                  const std::function<Instant(std::uint64_t)>& instant_of) {
    std::vector<queue::DeathNote> notes;
    for (const log::v1::LiveState::Note& note : state.notes()) {
        notes.push_back(queue.note({static_cast<queue::Cause>(note.cause()),
                                    WallTime{static_cast<std::int64_t>(note.wall_ms())}, note.reason()}));
    }
    Offset end;
    for (int i = 0; i < state.run_state_size(); ++i) {
        queue::Queue::LiveRun run;
        run.state = static_cast<State>(state.run_state(i));
        if (run.state != State::kReady && run.state != State::kDelayed && run.state != State::kDead) return false;
        run.span = {end + static_cast<std::uint64_t>(state.run_first(i)), state.run_span(i)};
        end = run.span.end();
        run.tries = {state.run_deliveries(i), state.run_attempts(i)};
        if (run.state == State::kDelayed) run.due = instant_of(state.run_due_ms(i));
        if (state.run_note(i) > notes.size()) return false;
        if ((run.state == State::kDead) != (state.run_note(i) > 0)) return false;
        if (state.run_note(i) > 0) run.note = notes[state.run_note(i) - 1];
        if (!queue.queue.restore_run(run)) return false;
    }
    return true;
}

}  // namespace

std::vector<std::string> make_checkpoint(const Catalog& catalog, std::uint64_t boot,
                                         const std::function<std::uint64_t(Instant)>& wall_ms) {
    Writer writer(wall_ms);
    for (const log::Record& record : make_snapshot(catalog, boot)) writer.add_snapshot(record.meta);
    for (const auto& [name, queue] : catalog.by_name()) {
        if (queue->durable()) writer.add(*queue);
    }
    return writer.take();
}

Result<void> restore_live(HostedQueue& queue, const log::v1::LiveState& state,
                          const std::function<Instant(std::uint64_t)>& instant_of,
                          const std::function<void(const queue::LiveBatch&)>& batch) {
    bool sound = in_parallel(state);
    for (int i = 0; sound && i < state.present_size(); ++i) {
        sound = queue.queue.restore_present(state.present_part(i), state.present(i));
    }
    sound = sound && restore_batches(queue, state, batch);
    if (sound) sound = restore_runs(queue, state, instant_of);
    return sound ? Result<void>() : fail(Code::kCorrupt, "a checkpoint of queue " + queue.name + " makes no sense");
}

}  // namespace telpher::broker
