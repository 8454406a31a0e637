#include "broker/queue/queue.h"

#include <algorithm>

#include "broker/queue/state.h"
#include "proto/base/check.h"
#include "proto/base/mutant.h"
#include "proto/limits.h"

namespace telpher::queue {

namespace {

void check_options(const Options& options) {
    TELPHER_CHECK(options.maxsize >= 1 && options.maxsize <= limits::kMaxsizeMax);
}

}  // namespace

Queue::Queue(Options options) : state_(std::make_unique<State>(options)) { check_options(options); }
Queue::~Queue() = default;

const Options& Queue::options() const { return state_->options; }

void Queue::set_options(Options options) {
    check_options(options);
    TELPHER_CHECK(options.durability == state_->options.durability);
    state_->options = options;
}

void Queue::State::raise_high_water() { counters.high_water = std::max(counters.high_water, ledger.live()); }

// --- commit ---

void Queue::make_visible(Offset end) { state_->ledger.make_visible(end); }
Offset Queue::visible_end() const { return state_->ledger.visible_end(); }
Offset Queue::next_offset() const { return state_->ledger.next_offset(); }

// --- time ---

Instant Queue::next_due() const {
    const State& state = *state_;
    return std::min({state.ledger.next_hold_end(), state.ledger.next_lease_end(), state.ledger.next_delay_end()});
}

Queue::Ended Queue::run_timers(Instant now, std::uint64_t runs_max, const DeathNote& note) {
    State& state = *state_;
    Ledger& ledger = state.ledger;
    Ended ended;
    std::vector<ReturnedRange>& returned = ended.returned;
    const auto each = [&runs_max](auto due, auto end) {
        for (; runs_max > 0; --runs_max) {
            const std::optional<Segment> segment = due();
            if (!segment) return;
            end(*segment, segment->standing.tries);
        }
    };
    each([&] { return ledger.delay_ended(now); },
         [&](const Segment& delay, Tries tries) { ledger.move(delay, Standing::ready(tries)); });
    each([&] { return ledger.lease_ended(now); },
         [&](const Segment& lease, Tries tries) {
             state.counters.lease_ended += lease.range.count;
             const Tries failed{tries.deliveries, tries.attempts + 1};
             if (state.worn_out(failed)) return state.bury(lease, failed, note, ended.died);
             state.give_back(lease, failed, returned);
         });
    for (; runs_max > 0; --runs_max) {
        const auto held = ledger.end_hold(now);
        if (!held) break;
        append(returned, held->first, held->second);
    }
    returned = in_order(std::move(returned));
    ended.died = in_order(std::move(ended.died));
    return ended;
}

// --- end ---

bool Queue::drained() const { return sealed() && idle(); }
bool Queue::idle() const {
    const std::uint64_t leased = TELPHER_MUTANT("end-while-leased") ? state_->ledger.leased() : 0;
    return state_->ledger.live() == leased && state_->line.empty();
}
void Queue::pause(bool paused) { state_->paused = paused; }
bool Queue::paused() const { return state_->paused; }

void Queue::purge() {
    Ledger& ledger = state_->ledger;
    ledger.visit({Offset(), ledger.next_offset().value()}, [&](const Segment& segment) {
        if (segment.standing.where != Where::kGone) ledger.move(segment, Standing::gone());
    });
}

// --- look ---

std::uint64_t Queue::ready() const { return state_->ledger.ready(); }
std::uint64_t Queue::leased() const { return state_->ledger.leased() + state_->ledger.held(); }
std::uint64_t Queue::delayed() const { return state_->ledger.delayed(); }
std::uint64_t Queue::bytes() const { return state_->ledger.bytes(); }
std::uint64_t Queue::dead() const { return state_->ledger.dead(); }
std::uint64_t Queue::credit(std::uint64_t enough) const { return state_->consumers.credit_left(enough); }
std::optional<Queue::Place> Queue::place(Offset offset) const {
    if (!state_->ledger.present(offset)) return std::nullopt;
    const BatchIndex::Place place = state_->ledger.place({offset, 1});
    return Place{place.batch, place.index, place.put};
}
std::optional<Queue::Place> Queue::oldest_ready() const {
    const auto first = state_->ledger.first_ready();
    return first ? place(first->range.first) : std::nullopt;
}
Offset Queue::floor() const { return state_->ledger.floor(); }
Offset Queue::delivered_mark() const { return state_->delivered_mark; }
const Counters& Queue::counters() const { return state_->counters; }

std::vector<Freed> Queue::take_freed() { return state_->ledger.take_freed(); }

void Queue::check_all() const {
    const State& state = *state_;
    state.ledger.check_all();
    state.line.check_all();
    state.consumers.check_all();
    TELPHER_CHECK(state.ledger.live() <= state.counters.high_water);
    TELPHER_CHECK(state.delivered_mark <= state.ledger.visible_end());
}

}  // namespace telpher::queue
