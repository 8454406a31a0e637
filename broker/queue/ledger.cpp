#include "broker/queue/ledger.h"

#include <algorithm>

#include "proto/base/check.h"
#include "proto/base/mutant.h"

namespace telpher::queue {

namespace {

bool in_hands(Where where) { return where == Where::kLeased || where == Where::kHeld; }

}  // namespace

template <class Entry>
Range Ledger::first_of(const Entry& run, Offset from, Offset end) const {
    const Offset limit = std::min(run.range.end(), end);
    return {from, (run.whole() ? limit : present_.end_of_run(from, limit)) - from};
}

/// The run of `map` at `at`, cut to [at, end) and to what is present; if there is none, `end` becomes the start of the
/// next one.
template <class Map>
std::optional<Segment> Ledger::run_at(const Map& map, Where where, Offset at, Offset& end) const {
    const auto run = map.at_or_after(at);
    if (!run) return std::nullopt;
    if (run->range.first > at) {
        end = std::min(end, run->range.first);
        return std::nullopt;
    }
    return Segment{first_of(*run, at, end), standing(where, run->value)};
}

template <class Map>
std::optional<Segment> Ledger::front_of(const Map& map, Where where) const {
    const auto run = map.front();
    if (!run) return std::nullopt;
    return Segment{first_of(*run, run->range.first, run->range.end()), standing(where, run->value)};
}

template <class Map>
std::optional<Segment> Ledger::from_of(const Map& map, Where where, Offset at) const {
    for (auto run = map.at_or_after(at); run; run = map.at_or_after(run->range.end())) {
        const Offset first = present_.next(std::max(at, run->range.first));
        if (first >= run->range.end()) continue;  // the rest of it is gone
        return Segment{first_of(*run, first, run->range.end()), standing(where, run->value)};
    }
    return std::nullopt;
}

template <class Map>
std::optional<Segment> Ledger::run_from(const Map& map, Where where, std::optional<Offset> first) const {
    if (!first) return std::nullopt;
    const auto run = map.at_or_after(*first);
    TELPHER_CHECK(run && run->range.first == *first);
    return Segment{first_of(*run, *first, run->range.end()), standing(where, run->value)};
}

Offset Ledger::floor() const { return std::min(present_.next(Offset()), next_offset_); }

std::uint64_t Ledger::leases_of(ConsumerId consumer) const {
    const auto found = leases_of_.find(consumer);
    return found == leases_of_.end() ? 0 : found->second;
}

Range Ledger::admit(std::uint64_t count, std::uint64_t bytes) {
    TELPHER_CHECK(!pending());
    TELPHER_CHECK(count > 0);
    pending_ = {next_offset_, count};
    pending_bytes_ = bytes;
    next_offset_ += count;
    present_.add(pending_);
    ready_.insert(pending_, Tries{});
    return pending_;
}

void Ledger::stored(const StoredBatch& batch) {
    const Range& range = batch.range;
    TELPHER_CHECK(range.first == pending_.first && range.count > 0 && range.count <= pending_.count);
    batches_.add(batch);
    pending_ = {range.end(), pending_.count - range.count};
    pending_bytes_ = pending() ? pending_bytes_ - std::min(batch.bytes, pending_bytes_) : 0;
}

void Ledger::make_visible(Offset end) {
    TELPHER_CHECK(end <= next_offset_);
    TELPHER_CHECK(end >= visible_end_);
    visible_end_ = end;
}

void Ledger::restore_next(Offset next) {
    TELPHER_CHECK(live() == 0 && dead() == 0);
    TELPHER_CHECK(next >= next_offset_);
    next_offset_ = next;
}

void Ledger::restore_batch(const StoredBatch& batch) {
    present_.add(batch.range);
    ready_.insert(batch.range, Tries{});
    batches_.add(batch);
    next_offset_ = std::max(next_offset_, batch.range.end());
}

void Ledger::move(const Segment& from, const Standing& to) {
    const Where was = from.standing.where;
    TELPHER_CHECK(was != Where::kGone);
    TELPHER_CHECK(!queue::in_hands(to.where) || from.range.end() <= visible_end_);
    const bool gone = to.where == Where::kGone;
    const bool dies = to.where == Where::kDead;
    std::uint64_t bytes = 0;
    if (gone) {
        bytes = batches_.release(from.range);
    } else if (queue::in_hands(was) != queue::in_hands(to.where) || dies != (was == Where::kDead)) {
        bytes = batches_.bytes(from.range);
    }
    weigh(was, to.where, bytes);
    if (gone) return drop(from);
    take(from);
    put_run(from.range, from.range.count, to);
}

std::uint64_t Ledger::move(const Spread& from, const Standing& to) {
    const Range& span = from.span;
    if (from.standing.where == Where::kReady) {
        TELPHER_CHECK(to.where == Where::kLeased && span.end() <= visible_end_);
        const std::uint64_t bytes = batches_.bytes(span, present_, from.messages);
        weigh(Where::kReady, Where::kLeased, bytes);
        ready_.split(span.end());
        ready_.take_run(span.first);
        put_run(span, from.messages, to);
        return bytes;
    }
    TELPHER_CHECK(from.standing.where == Where::kLeased);
    if (to.where == Where::kLeased) {
        leased_.split(span.first);
        leased_.split(span.end());
        leased_.take_run(span.first);
        take_lease(from.standing.consumer, from.messages);
        put_run(span, from.messages, to);
        return 0;
    }
    TELPHER_CHECK(to.where == Where::kGone);
    const std::uint64_t bytes = batches_.release(span, present_, from.messages);
    weigh(Where::kLeased, Where::kGone, bytes);
    leased_.drop(span, from.messages);
    present_.remove(span);
    take_lease(from.standing.consumer, from.messages);
    return bytes;
}

template <class Map>
void Ledger::drop_from(Map& map, Where where, Range range) {
    for (Offset at = range.first; at < range.end();) {
        const auto run = map.at_or_after(at);
        if (!run || run->range.first >= range.end()) return;
        const Offset first = std::max(run->range.first, at);
        at = std::min(run->range.end(), range.end());
        const Range part{first, at - first};
        const std::uint64_t messages = run->whole() ? part.count : present_.count(part);
        if (messages == 0) continue;
        weigh(where, Where::kGone, where == Where::kReady ? 0 : batches_.bytes(part, present_));
        map.drop(part, messages);
    }
}

void Ledger::drop_all(Range range) {
    TELPHER_CHECK(leased_.empty());
    if (range.first >= next_offset_) return;
    range.count = std::min(range.count, next_offset_ - range.first);
    drop_from(ready_, Where::kReady, range);
    drop_from(delayed_, Where::kDelayed, range);
    drop_from(held_, Where::kHeld, range);
    drop_from(dead_, Where::kDead, range);
    batches_.release(range, present_);
    present_.remove(range);
}

void Ledger::weigh(Where was, Where is, std::uint64_t bytes) {
    const auto take = [bytes](std::uint64_t& sum) {
        TELPHER_CHECK(sum >= bytes);
        sum -= bytes;
    };
    if (was == Where::kDead) take(dead_bytes_);
    if (is == Where::kDead) dead_bytes_ += bytes;
    if (queue::in_hands(was) && !queue::in_hands(is)) take(leased_bytes_);
    if (!queue::in_hands(was) && queue::in_hands(is)) leased_bytes_ += bytes;
}

void Ledger::put_run(Range span, std::uint64_t messages, const Standing& to) {
    switch (to.where) {
        case Where::kReady:
            return ready_.insert_run(span, messages, to.tries);
        case Where::kDelayed:
            return delayed_.insert_run(span, messages, Delay{to.at, to.tries});
        case Where::kHeld:
            return held_.insert_run(span, messages, Delay{to.at, to.tries});
        case Where::kDead:
            return dead_.insert_run(span, messages, DeadLetter{to.tries, to.note});
        case Where::kLeased:
            leased_.insert_run(span, messages, Lease{to.consumer, to.tries, to.at, to.unclaimed});
            leases_of_[to.consumer] += messages;
            return;
        case Where::kGone:
            TELPHER_CHECK(false);
    }
}

bool Ledger::restore_live(const LiveBatch& batch) {
    if (batch.batch.range.end() > next_offset_ || !batches_.fits(batch)) return false;
    batches_.restore(batch);
    return true;
}

bool Ledger::whole() const {
    const std::uint64_t present = present_.count({Offset(), next_offset_.value()});
    return present == live() + dead() && present == batches_.live();
}

bool Ledger::restore_run(Range span, const Standing& to) {
    if (span.end() <= span.first || span.end() > next_offset_ || !present_.contains(span.first)) return false;
    const auto taken = [&span](const auto& map) {
        const auto run = map.at_or_after(span.first);
        return run && run->range.first < span.end();
    };
    if (taken(ready_) || taken(delayed_) || taken(held_) || taken(dead_)) return false;
    const std::uint64_t messages = present_.count(span);
    put_run(span, messages, to);
    weigh(Where::kReady, to.where, batches_.bytes(span, present_));
    return true;
}

void Ledger::restore_moved(const LiveBatch& batch, const std::vector<Range>& present, const Standing& to) {
    const Range& range = batch.batch.range;
    drop_all(range);
    next_offset_ = std::max(next_offset_, range.end());
    for (const Offset edge : {range.first, range.end()}) {
        ready_.split(edge);
        delayed_.split(edge);
        held_.split(edge);
        dead_.split(edge);
    }
    batches_.carve(range, present_);
    for (const Range& run : present) present_.add(run);
    batches_.restore(batch);
    put_run(range, batch.messages, to);
    weigh(Where::kReady, to.where, batch.bytes);
}

// The sums of bytes stay as they are: what moves weighs what it did.
void Ledger::relocate(const std::vector<LiveBatch>& moved) {
    for (const LiveBatch& batch : moved) batches_.relocate(batch, present_);
}

void Ledger::move_all(Range range, const Standing& to) {
    if (range.first >= next_offset_) return;
    const Offset end = range.first + std::min(range.count, next_offset_ - range.first);
    const auto from = [&](auto& map, Where where) {
        map.split(range.first);
        map.split(end);
        for (auto run = map.at_or_after(range.first); run && run->range.first < end;
             run = map.at_or_after(run->range.end())) {
            map.take_run(run->range.first);
            weigh(where, to.where, batches_.bytes(run->range, present_));
            put_run(run->range, run->messages, to);
        }
    };
    TELPHER_CHECK(leased_.empty());
    // First from elsewhere, so that what comes to the place is not met there again.
    const auto all = [&](bool same) {
        if ((to.where == Where::kReady) == same) from(ready_, Where::kReady);
        if ((to.where == Where::kDelayed) == same) from(delayed_, Where::kDelayed);
        if ((to.where == Where::kHeld) == same) from(held_, Where::kHeld);
        if ((to.where == Where::kDead) == same) from(dead_, Where::kDead);
    };
    all(true);
    all(false);
}

void Ledger::hold_below(Offset mark, Offset again, Instant until) {
    ready_.split(mark);
    ready_.split(again);
    for (auto run = ready_.front(); run; run = ready_.at_or_after(run->range.end())) {
        if (run->range.first >= (run->value.deliveries == 0 ? mark : again)) continue;
        ready_.take_run(run->range.first);
        weigh(Where::kReady, Where::kHeld, batches_.bytes(run->range, present_));
        put_run(run->range, run->messages, Standing::held(run->value, until));
    }
}

std::optional<std::pair<Range, Tries>> Ledger::end_hold(Instant now) {
    const auto due = held_.watch().due_by(now);
    if (!due) return std::nullopt;
    const auto run = held_.at_or_after(*due);
    TELPHER_CHECK(run && run->range.first == *due);
    held_.take_run(*due);
    const std::uint32_t one = TELPHER_MUTANT("taken-back-uncounted") ? 0 : 1;
    const Tries tries{run->value.tries.deliveries + one, run->value.tries.attempts};
    weigh(Where::kHeld, Where::kReady, batches_.bytes(run->range, present_));
    put_run(run->range, run->messages, Standing::ready(tries));
    return std::pair(run->range, tries);
}

void Ledger::take_lease(ConsumerId consumer, std::uint64_t messages) {
    const auto holder = leases_of_.find(consumer);
    TELPHER_CHECK(holder != leases_of_.end() && holder->second >= messages);
    holder->second -= messages;
    if (holder->second == 0) leases_of_.erase(holder);
}

void Ledger::drop(const Segment& from) {
    present_.remove(from.range);
    switch (from.standing.where) {
        case Where::kGone:
            TELPHER_CHECK(false);
        case Where::kReady:
            return ready_.drop(from.range);
        case Where::kDelayed:
            return delayed_.drop(from.range);
        case Where::kHeld:
            return held_.drop(from.range);
        case Where::kDead:
            return dead_.drop(from.range);
        case Where::kLeased:
            leased_.drop(from.range);
            return take_lease(from.standing.consumer, from.range.count);
    }
}

void Ledger::take(const Segment& from) {
    switch (from.standing.where) {
        case Where::kGone:
            TELPHER_CHECK(false);
        case Where::kReady:
            ready_.take(from.range);
            return;
        case Where::kDelayed:
            delayed_.take(from.range);
            return;
        case Where::kHeld:
            held_.take(from.range);
            return;
        case Where::kDead:
            dead_.take(from.range);
            return;
        case Where::kLeased:
            leased_.take(from.range);
            return take_lease(from.standing.consumer, from.range.count);
    }
}

Segment Ledger::segment(Offset at, Offset end) const {
    TELPHER_CHECK(at < end && end <= next_offset_);
    const Offset present = present_.next(at);
    if (present > at) return {Range{at, std::min(present, end) - at}, Standing::gone()};
    if (const auto run = run_at(leased_, Where::kLeased, at, end)) return *run;
    if (const auto run = run_at(ready_, Where::kReady, at, end)) return *run;
    if (const auto run = run_at(delayed_, Where::kDelayed, at, end)) return *run;
    if (const auto run = run_at(held_, Where::kHeld, at, end)) return *run;
    const auto run = run_at(dead_, Where::kDead, at, end);
    TELPHER_CHECK(run);  // present, so somewhere
    return *run;
}

std::optional<Segment> Ledger::first_ready() const { return front_of(ready_, Where::kReady); }

std::optional<Spread> Ledger::first_ready_spread(Offset end, std::uint64_t most) const {
    const auto run = ready_.front();
    if (!run || run->range.first >= end) return std::nullopt;
    const Offset first = run->range.first;
    const Range within = batches_.place({first, std::min(run->range.end(), end) - first}).range;
    const std::uint64_t there = run->whole() ? within.count : present_.count(within);
    const std::uint64_t messages = std::min(there, most);
    // It ends behind a message, not behind a hole.
    Offset last = first + ((run->whole() ? messages : within.count) - 1);
    if (!run->whole() && (messages < there || !present_.contains(last))) last = present_.nth(first, messages);
    return Spread{{first, last + 1 - first}, messages, standing(Where::kReady, run->value)};
}

std::optional<Spread> Ledger::lease_at(Offset at, Offset end) const {
    if (at >= end) return std::nullopt;
    const auto run = leased_.at_or_after(at);
    if (!run || run->range.first > at || (!run->whole() && !present_.contains(at))) return std::nullopt;
    const Range span{at, std::min(run->range.end(), end) - at};
    const std::uint64_t messages = run->whole() ? span.count : present_.count(span);
    return Spread{span, messages, standing(Where::kLeased, run->value)};
}

std::optional<Segment> Ledger::first_delayed() const { return front_of(delayed_, Where::kDelayed); }

std::optional<Segment> Ledger::lease_ended(Instant now) const {
    return run_from(leased_, Where::kLeased, leased_.watch().deadlines().due_by(now));
}

std::optional<Segment> Ledger::delay_ended(Instant now) const {
    return run_from(delayed_, Where::kDelayed, delayed_.watch().due_by(now));
}

std::vector<Segment> Ledger::leases(ConsumerId consumer) const {
    std::vector<Segment> leases;
    for (const Offset first : leased_.watch().of(consumer)) {
        const auto run = leased_.at_or_after(first);
        for (Offset at = first; at < run->range.end(); at = present_.next(leases.back().range.end())) {
            leases.push_back({first_of(*run, at, run->range.end()), standing(Where::kLeased, run->value)});
        }
    }
    return leases;
}

std::optional<Segment> Ledger::next_in(Where where, Offset at) const {
    switch (where) {
        case Where::kReady:
            return from_of(ready_, where, at);
        case Where::kLeased:
            return from_of(leased_, where, at);
        case Where::kDelayed:
            return from_of(delayed_, where, at);
        case Where::kHeld:
            return from_of(held_, where, at);
        case Where::kDead:
            return from_of(dead_, where, at);
        case Where::kGone:
            break;
    }
    TELPHER_CHECK(false);
}

bool Ledger::in_hands(Offset offset) const {
    return offset < next_offset_ && queue::in_hands(segment(offset, offset + 1).standing.where);
}

void Ledger::check_all() const {
    TELPHER_CHECK(!pending());
    std::uint64_t live_seen = 0;
    std::uint64_t bytes_seen = 0;
    std::uint64_t leased_bytes_seen = 0;
    std::uint64_t leased_seen = 0;
    std::uint64_t dead_seen = 0;
    std::uint64_t dead_bytes_seen = 0;
    visit({Offset(), next_offset_.value()}, [&](const Segment& segment) {
        const auto [range, standing] = segment;
        if (standing.where == Where::kGone) return;
        if (standing.where == Where::kDead) {
            dead_seen += range.count;
            dead_bytes_seen += batches_.bytes(range);
            return;
        }
        live_seen += range.count;
        bytes_seen += batches_.bytes(range);
        if (!queue::in_hands(standing.where)) return;
        leased_bytes_seen += batches_.bytes(range);
        TELPHER_CHECK(range.end() <= visible_end_);
        if (standing.where == Where::kLeased) leased_seen += range.count;
    });
    // Runs that overlap would be seen once but counted twice.
    TELPHER_CHECK(live_seen == live());
    TELPHER_CHECK(dead_seen == dead());
    TELPHER_CHECK(dead_bytes_seen == dead_bytes_);
    TELPHER_CHECK(leased_bytes_seen == leased_bytes_);
    TELPHER_CHECK(leased_seen == leased());
    TELPHER_CHECK(bytes_seen == bytes());
    batches_.each([&](LiveBatch live) {
        TELPHER_CHECK(live.messages > 0);
        visit(live.batch.range, [&](const Segment& segment) {
            if (segment.standing.where == Where::kGone) return;
            live.messages -= segment.range.count;
            live.bytes -= batches_.bytes(segment.range);
        });
        TELPHER_CHECK(live.messages == 0 && live.bytes == 0);
    });
    std::uint64_t held_by_consumers = 0;
    for (const auto& [consumer, count] : leases_of_) {
        std::uint64_t leases_count = 0;
        for (const Segment& lease : leases(consumer)) leases_count += lease.range.count;
        TELPHER_CHECK(count > 0 && count == leases_count);
        held_by_consumers += count;
    }
    TELPHER_CHECK(held_by_consumers == leased());
    TELPHER_CHECK(present_.count({Offset(), next_offset_.value()}) == live() + dead());
}

}  // namespace telpher::queue
