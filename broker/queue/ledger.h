// Where every message of a queue is: ready, leased, delayed, held, dead or gone, in runs; and what all that weighs. It
// knows no policy: others decide what moves where. Owned by one Queue.
//
// Invariants (check_all proves them all, every call the cheap ones):
//  1. Every offset below next_offset is in exactly one of ready, leased, delayed, held, dead, or gone (not present).
//  2. Only offsets below the visible end are leased or held.
//  3. bytes() is the sum over all that is live; leased_bytes() that over leased and held.
//  4. A message that is gone never comes back.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "broker/queue/batch_index.h"
#include "broker/queue/due_index.h"
#include "broker/queue/interval_map.h"
#include "broker/queue/offset_set.h"
#include "broker/queue/queue.h"

namespace telpher::queue {

enum class Where : std::uint8_t { kGone, kReady, kLeased, kDelayed, kHeld, kDead };

/// What is known of a message. Each place uses the fields it needs.
struct Standing {
    Where where = Where::kGone;
    Tries tries = {};          ///< Of a held message: without the delivery that may be out.
    ConsumerId consumer = {};  ///< Leased.
    Instant at = {};           ///< Leased: deadline. Delayed: due. Held: until.
    bool unclaimed = false;    ///< Leased.
    DeathNote note = {};       ///< Dead.

    static Standing gone() { return {}; }
    static Standing ready(Tries tries) { return {Where::kReady, tries}; }
    static Standing dead(Tries tries, DeathNote note) { return {Where::kDead, tries, {}, {}, false, std::move(note)}; }
    static Standing held(Tries tries, Instant until) { return {Where::kHeld, tries, {}, until}; }
    static Standing delayed(Tries tries, Instant due) { return {Where::kDelayed, tries, {}, due}; }
    static Standing leased(ConsumerId consumer, Tries tries, Instant deadline) {
        return {Where::kLeased, tries, consumer, deadline};
    }
};

/// A run of messages of one standing.
struct Segment {
    Range range;
    Standing standing;
};

/// Messages of one standing with nothing between them but what is gone. The first is there.
struct Spread {
    Range span;
    std::uint64_t messages = 0;
    Standing standing;
};

class Ledger {
public:
    // --- counts ---
    [[nodiscard]] std::uint64_t ready() const { return ready_.size(); }
    [[nodiscard]] std::uint64_t ready_visible() const { return ready_.size() - ready_.count_from(visible_end_); }
    [[nodiscard]] std::uint64_t leased() const { return leased_.size(); }
    [[nodiscard]] std::uint64_t held() const { return held_.size(); }
    [[nodiscard]] std::uint64_t delayed() const { return delayed_.size(); }
    [[nodiscard]] std::uint64_t dead() const { return dead_.size(); }
    /// All that the bound counts.
    [[nodiscard]] std::uint64_t live() const { return ready() + leased() + held() + delayed(); }
    [[nodiscard]] std::uint64_t bytes() const { return batches_.bytes() + pending_bytes_ - dead_bytes_; }
    [[nodiscard]] std::uint64_t leased_bytes() const { return leased_bytes_; }
    [[nodiscard]] Offset next_offset() const { return next_offset_; }
    [[nodiscard]] Offset visible_end() const { return visible_end_; }
    [[nodiscard]] Offset floor() const;
    [[nodiscard]] std::uint64_t leases_of(ConsumerId consumer) const;
    [[nodiscard]] Instant next_lease_end() const { return leased_.watch().deadlines().next(); }
    [[nodiscard]] Instant next_delay_end() const { return delayed_.watch().next(); }
    [[nodiscard]] Instant next_hold_end() const { return held_.watch().next(); }

    // --- coming in ---
    /// The next `count` offsets are ready; the batches they lie in are told with stored(), in order, before anything
    /// else is done with them.
    Range admit(std::uint64_t count, std::uint64_t bytes);
    void stored(const StoredBatch& batch);
    [[nodiscard]] bool pending() const { return pending_.count > 0; }
    void make_visible(Offset end);
    /// Replay: offsets from `next` on; what is below is gone.
    void restore_next(Offset next);
    void restore_batch(const StoredBatch& batch);
    bool restore_present(std::uint64_t part, const std::string& bytes) { return present_.restore(part, bytes); }
    bool restore_live(const LiveBatch& batch);
    /// Every message that is present is in a batch and in a place.
    [[nodiscard]] bool whole() const;
    /// Messages that were in other batches, or in none, are in this one; they stand so.
    void restore_moved(const LiveBatch& batch, const std::vector<Range>& present, const Standing& to);
    /// Messages are in other batches from now on.
    void relocate(const std::vector<LiveBatch>& moved);
    /// All that is present in `span` is in that place; false if nothing is, or it is in another place already.
    bool restore_run(Range span, const Standing& to);

    // --- moving ---
    /// All of `from` (as read from this ledger, or a part of it) gets another standing.
    void move(const Segment& from, const Standing& to);
    /// The same with holes, where `from` is a part of the first ready run, or of a lease; returns its bytes, if it does
    /// not stay leased. Costs as much as one run.
    std::uint64_t move(const Spread& from, const Standing& to);
    /// All that is present in `range` gets another standing, which is not kGone or kLeased. Costs runs, holes or not.
    void move_all(Range range, const Standing& to);
    /// All that is present in `range` is gone; nothing is leased. Costs runs, holes or not.
    void drop_all(Range range);
    /// What is ready is held until then: what was never handed out, as far as is known, below `mark`, the rest below
    /// `again`.
    void hold_below(Offset mark, Offset again, Instant until);
    /// The first hold that is over goes back to ready, a delivery counted: where, with holes.
    std::optional<std::pair<Range, Tries>> end_hold(Instant now);

    // --- looking ---
    /// Calls visit(part, bytes), visit(LiveBatch) and visit(span, Standing), in this order, for all there is.
    template <class Present, class Batch, class Run>
    void save(Present present, Batch batch, Run run) const;
    /// The run at `at`, cut at `end`; at < end <= next_offset.
    [[nodiscard]] Segment segment(Offset at, Offset end) const;
    /// Calls visit(Segment) over all of `range` below next_offset, in order, gone ones included; it may move what it is
    /// shown. With `looks` it ends when that many were shown, which are taken off. Returns where it ended.
    template <class Visit>
    Offset visit(Range range, Visit visit, std::uint64_t* looks = nullptr) const;
    /// The first ready run; it may reach above the visible end.
    [[nodiscard]] std::optional<Segment> first_ready() const;
    [[nodiscard]] std::optional<Segment> first_delayed() const;
    /// The same with holes: what of it lies in one batch and below `end`; at most `most` messages, at least one.
    [[nodiscard]] std::optional<Spread> first_ready_spread(Offset end, std::uint64_t most) const;
    /// The lease at `at`, holes and all, cut at `end`; nothing if that message is not leased.
    [[nodiscard]] std::optional<Spread> lease_at(Offset at, Offset end) const;
    [[nodiscard]] std::optional<Segment> lease_ended(Instant now) const;
    [[nodiscard]] std::optional<Segment> delay_ended(Instant now) const;
    [[nodiscard]] std::vector<Segment> leases(ConsumerId consumer) const;
    /// The first run of that place (not kGone) at or after `at`.
    [[nodiscard]] std::optional<Segment> next_in(Where where, Offset at) const;
    [[nodiscard]] bool in_hands(Offset offset) const;  ///< Leased or held.
    [[nodiscard]] bool present(Offset offset) const { return present_.contains(offset); }
    /// The first message at or above `at` that is not gone; next_offset() if there is none.
    [[nodiscard]] Offset next_present(Offset at) const { return std::min(present_.next(at), next_offset_); }
    /// Where the messages next to each other from `at` on end; that one is there. At most `limit`.
    [[nodiscard]] Offset end_of_run(Offset at, Offset limit) const { return present_.end_of_run(at, limit); }
    [[nodiscard]] BatchIndex::Place place(Range range) const { return batches_.place(range); }
    /// The batches of what is present in `range`: calls visit(Place) for messages next to each other in one.
    template <class Visit>
    void places(Range range, Visit visit) const {
        batches_.places(range, present_, visit);
    }
    std::vector<Freed> take_freed() { return batches_.take_freed(); }

    /// Proves the invariants; costs everything there is. For tests; not between admit() and stored().
    void check_all() const;

private:
    void take(const Segment& from);

    template <class Value, class Watch = NoWatch>
    using Runs = IntervalMap<Value, Watch, OffsetSet>;

    /// The first messages of a run that lie next to each other.
    template <class Entry>
    [[nodiscard]] Range first_of(const Entry& run, Offset from, Offset end) const;
    template <class Map>
    [[nodiscard]] std::optional<Segment> run_at(const Map& map, Where where, Offset at, Offset& end) const;
    template <class Map>
    [[nodiscard]] std::optional<Segment> front_of(const Map& map, Where where) const;
    template <class Map>
    [[nodiscard]] std::optional<Segment> from_of(const Map& map, Where where, Offset at) const;
    template <class Map>
    [[nodiscard]] std::optional<Segment> run_from(const Map& map, Where where, std::optional<Offset> first) const;
    template <class Map>
    void drop_from(Map& map, Where where, Range range);
    void drop(const Segment& from);
    [[nodiscard]] static Standing standing(Where where, const Tries& tries) { return {where, tries}; }
    [[nodiscard]] static Standing standing(Where, const Lease& lease) {
        return {Where::kLeased, lease.tries, lease.consumer, lease.deadline, lease.unclaimed};
    }
    [[nodiscard]] static Standing standing(Where, const DeadLetter& dead) {
        return Standing::dead(dead.tries, dead.note);
    }
    [[nodiscard]] static Standing standing(Where where, const Delay& delay) {
        return {where, delay.tries, {}, delay.due};
    }
    /// Inserts a run with its holes.
    void put_run(Range span, std::uint64_t messages, const Standing& to);
    /// Keeps the sums of bytes when messages of `bytes` change places.
    void weigh(Where was, Where is, std::uint64_t bytes);
    void take_lease(ConsumerId consumer, std::uint64_t messages);

    Offset next_offset_;
    Offset visible_end_;
    OffsetSet present_;            // all that is not gone
    Runs<Tries> ready_{present_};  // lowest offset first: the one place that says what is delivered first
    Runs<Lease, LeaseIndex> leased_{present_};
    Runs<Delay, DueIndex> delayed_{present_};
    Runs<Delay, DueIndex> held_{present_};
    Runs<DeadLetter> dead_{present_};
    BatchIndex batches_;
    std::unordered_map<ConsumerId, std::uint64_t> leases_of_;  // messages; only consumers that hold some
    std::uint64_t leased_bytes_ = 0;
    std::uint64_t dead_bytes_ = 0;
    Range pending_;  // admitted, batch not yet told
    std::uint64_t pending_bytes_ = 0;
};

template <class Present, class Batch, class Run>
void Ledger::save(Present present, Batch batch, Run run) const {
    present_.save(present);
    batches_.each(batch);
    const auto each = [&](const auto& map, Where where) {
        for (auto entry = map.front(); entry; entry = map.at_or_after(entry->range.end())) {
            run(entry->range, standing(where, entry->value));
        }
    };
    each(ready_, Where::kReady);
    each(leased_, Where::kLeased);
    each(delayed_, Where::kDelayed);
    each(held_, Where::kHeld);
    each(dead_, Where::kDead);
}

template <class Visit>
Offset Ledger::visit(Range range, Visit visit, std::uint64_t* looks) const {
    if (range.first >= next_offset_) return range.first;
    const Offset end = range.first + std::min(range.count, next_offset_ - range.first);
    Offset at = range.first;
    while (at < end && (looks == nullptr || *looks > 0)) {
        const Segment found = segment(at, end);
        at = found.range.end();
        visit(found);
        if (looks != nullptr) --*looks;
    }
    return at;
}

}  // namespace telpher::queue
