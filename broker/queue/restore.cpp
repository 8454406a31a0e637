// Queue: replay of the log, in its order, before anything else happens.
#include <algorithm>

#include "broker/queue/state.h"
#include "proto/base/check.h"
#include "proto/base/mutant.h"

namespace telpher::queue {

namespace {

/// As the log has it: without a lease.
Queue::LiveRun logged(Range span, const Standing& standing) {
    Queue::LiveRun live{Queue::Peeked::kReady, span, standing.tries, {}, standing.note};
    if (standing.where == Where::kLeased && !TELPHER_MUTANT("lease-saved-as-ready")) --live.tries.deliveries;
    if (standing.where == Where::kDelayed) {
        live.state = Queue::Peeked::kDelayed;
        live.due = standing.at;
    }
    if (standing.where == Where::kDead) live.state = Queue::Peeked::kDead;
    return live;
}

Standing standing_of(const Queue::LiveRun& run) {
    if (run.state == Queue::Peeked::kDelayed) return Standing::delayed(run.tries, run.due);
    if (run.state == Queue::Peeked::kDead) return Standing::dead(run.tries, run.note);
    return Standing::ready(run.tries);
}

Queue::Stretch stretch_of(const BatchIndex::Place& place, Queue::LiveRun standing) {
    const StoredBatch batch{place.batch, place.range, place.mean.bytes(), place.index, place.put};
    const LiveBatch stored{batch, place.range.count, place.bytes(), place.mean.count(), place.at};
    return {stored, std::move(standing), {place.range}};
}

/// Adds `next`, of the same piece, to the end of a stretch; false if it stands otherwise or is too far away.
bool join(Queue::Stretch& stretch, const Queue::Stretch& next, std::uint64_t gone_max) {
    LiveBatch& stored = stretch.stored;
    Range& span = stored.batch.range;
    const Range& more = next.stored.batch.range;
    if (more.first - span.end() > gone_max || !next.standing.stands_as(stretch.standing)) return false;
    span.count = more.end() - span.first;
    stored.messages += next.stored.messages;
    stored.bytes += next.stored.bytes;
    stretch.standing.span = span;
    stretch.present.push_back(more);
    return true;
}

}  // namespace

bool Queue::LiveRun::stands_as(const LiveRun& other) const {
    const bool noted = note != nullptr && other.note != nullptr;
    return state == other.state && tries == other.tries && due == other.due &&
           (noted ? *note == *other.note : note == other.note);
}

void Queue::restore(std::uint64_t next_offset, bool sealed, bool paused, const Counters& counters) {
    State& state = *state_;
    state.ledger.restore_next(Offset(next_offset));
    if (sealed) state.line.restore_sealed();
    state.paused = paused;
    state.counters = counters;
}

std::vector<Queue::Stretch> Queue::stored_in(BatchRef batch, Range range, std::uint64_t gone_max) const {
    std::vector<Stretch> stretches;
    const Ledger& ledger = state_->ledger;
    std::optional<Offset> piece;  // Where the last stretch is from: what else is there of it stands between.
    ledger.visit(range, [&](const Segment& segment) {
        if (segment.standing.where == Where::kGone) return;
        for (Range rest = segment.range; rest.count > 0;) {
            const BatchIndex::Place place = ledger.place(rest);
            if (place.batch == batch) {
                Stretch stretch = stretch_of(place, logged(place.range, segment.standing));
                const bool joined = piece == place.piece && join(stretches.back(), stretch, gone_max);
                if (!joined) stretches.push_back(std::move(stretch));
                piece = place.piece;
            }
            rest = {place.range.end(), rest.count - place.range.count};
        }
    });
    return stretches;
}

void Queue::relocate(const std::vector<LiveBatch>& moved) { state_->ledger.relocate(moved); }

void Queue::save(Saver& saver) const {
    const auto run = [&](Range span, const Standing& standing) { saver.run(logged(span, standing)); };
    state_->ledger.save([&](std::uint64_t part, std::string bytes) { saver.present(part, std::move(bytes)); },
                        [&](const LiveBatch& batch) { saver.batch(batch); }, run);
}

bool Queue::restore_present(std::uint64_t part, const std::string& bytes) {
    return state_->ledger.restore_present(part, bytes);
}

bool Queue::restore_live(const LiveBatch& batch) { return state_->ledger.restore_live(batch); }
bool Queue::restored_whole() const { return state_->ledger.whole(); }

bool Queue::restore_run(const LiveRun& run) { return state_->ledger.restore_run(run.span, standing_of(run)); }

void Queue::restore_moved(const LiveBatch& batch, const std::vector<Range>& present, const LiveRun& standing) {
    state_->ledger.restore_moved(batch, present, standing_of(standing));
    state_->raise_high_water();
}

void Queue::restore_moved_dead(Range range, Tries tries, const DeathNote& note) {
    state_->ledger.move_all(range, Standing::dead(tries, note));
}

void Queue::restore_batch(const StoredBatch& batch) {
    state_->ledger.restore_batch(batch);
    state_->counters.put += batch.range.count;
    state_->raise_high_water();
}

void Queue::restore_done(Range range, bool dropped, std::optional<std::uint64_t> messages) {
    State& state = *state_;
    (dropped ? state.counters.dropped : state.counters.acked) += messages.value_or(range.count);
    state.ledger.drop_all(range);
}

void Queue::restore_returned(Range range, Tries tries, Instant due) {
    State& state = *state_;
    state.ledger.move_all(range, due > Instant{} ? Standing::delayed(tries, due) : Standing::ready(tries));
    state.raise_high_water();
}

void Queue::restore_died(Range range, Tries tries, const DeathNote& note) {
    State& state = *state_;
    state.counters.died += range.count;
    state.ledger.move_all(range, Standing::dead(tries, note));
}

void Queue::restore_finish(Offset mark, Offset again, Instant hold_until, Instant now) {
    State& state = *state_;
    Ledger& ledger = state.ledger;
    TELPHER_CHECK(state.consumers.all().empty());
    // The log holds only what was committed.
    ledger.make_visible(ledger.next_offset());
    // What became due before the stop may have been delivered again.
    while (const auto delay = ledger.delay_ended(now)) ledger.move(*delay, Standing::ready(delay->standing.tries));
    state.delivered_mark = std::min(mark, ledger.next_offset());
    ledger.hold_below(state.delivered_mark, std::min(again, ledger.next_offset()), hold_until);
}

void Queue::restore_counters(const Counters& counters) { state_->counters = counters; }

void Queue::restore_sealed(bool sealed) {
    if (sealed) {
        state_->line.restore_sealed();
    } else {
        state_->line.reopen();
    }
}

void Queue::restore_nacked(std::uint64_t messages) { state_->counters.nacked += messages; }

void Queue::restore_empty(Offset next) {
    TELPHER_CHECK(state_->ledger.live() == 0 && state_->ledger.dead() == 0 && next >= state_->ledger.next_offset());
    state_->ledger.restore_next(next);
    state_->ledger.make_visible(next);
    state_->delivered_mark = next;
}

}  // namespace telpher::queue
