#include "history.h"

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <string>

#include "broker/queue/mean_bytes.h"
#include "queue_fixture.h"

namespace telpher::queue {

namespace {

using std::chrono::milliseconds;
using Where = ReferenceQueue::Where;

template <class T>
void same(const T& got, const T& want, const char* what) {
    if (!(got == want)) {
        throw std::runtime_error(std::string(what) + ": got " + testing::PrintToString(got) + ", want " +
                                 testing::PrintToString(want));
    }
}

/// `ranges` without the offsets below `end` that `is_out`.
template <class Out>
std::vector<Range> without(const std::vector<Range>& ranges, std::uint64_t end, Out is_out) {
    std::vector<Range> left;
    for (const Range& range : ranges) {
        Offset at = range.first;
        for (; at < std::min(range.end(), Offset(end)); at += 1) {
            if (!is_out(at.value())) append(left, Range{at, 1});
        }
        if (at < range.end()) append(left, Range{at, range.end() - at});
    }
    return left;
}

bool within(const std::vector<Range>& ranges, std::uint64_t at) {
    return std::ranges::any_of(ranges, [at](const Range& range) { return at - range.first.value() < range.count; });
}

}  // namespace

Options History::options(Choices& choices) {
    Options options;
    options.maxsize = choices.below(12) + 1;
    options.max_bytes = choices.one_in(3) ? choices.below(60) + 1 : 0;
    const std::uint64_t policy = choices.below(4);
    options.on_full = policy < 2 ? OnFull::kBlock : policy == 2 ? OnFull::kReject : OnFull::kDropOldest;
    options.lease_ms = choices.one_in(2) ? 20 : 0;
    options.max_attempts = static_cast<std::uint32_t>(choices.below(4));
    return options;
}

Options History::first_options(Choices choices) { return options(choices); }

ConsumerId History::some_consumer(Choices& choices) const {
    const auto& all = reference_.consumers;
    if (all.empty() || choices.one_in(16)) return ConsumerId(choices.below(consumers_ + 2));
    return std::next(all.begin(), static_cast<std::ptrdiff_t>(choices.below(all.size())))->first;
}

/// Mostly a range that somebody has or had; sometimes nonsense.
auto History::target(Choices& choices) const -> Target {
    const std::uint64_t next = reference_.messages.size();
    std::vector<std::uint64_t> likely;
    for (std::uint64_t at = 0; at < next; ++at) {
        if (reference_.messages[at].in_hands()) likely.push_back(at);
    }
    const bool wild = likely.empty() || choices.one_in(5);
    const std::uint64_t first = wild ? choices.below(next + 3) : likely[choices.below(likely.size())];
    Target target{some_consumer(choices), {Offset(first), choices.below(4) + 1}, 1};
    if (first < next) {
        const auto& message = reference_.messages[first];
        if (!choices.one_in(8) && message.where == Where::kLeased) target.consumer = message.consumer;
        target.delivery = message.tries.deliveries + (message.where == Where::kHeld ? 1 : 0);
    }
    if (choices.one_in(10)) target.delivery = static_cast<std::uint32_t>(choices.below(4));
    if (choices.one_in(12)) target.range.count = choices.one_in(2) ? 1ULL << 60 : UINT64_MAX;
    return target;
}

void History::offer(Choices& choices) {
    const auto count = static_cast<std::uint32_t>(choices.one_in(3) ? choices.below(16) + 1 : choices.below(2) + 1);
    std::optional<Range> under;
    if (choices.one_in(3)) under = Range{target(choices).range.first, 1};
    // Sometimes one that came earlier but had to wait behind its producer's first.
    tickets_ += 2;
    TicketId ticket(tickets_);
    if (choices.one_in(6) && tickets_ > 4 && !reference_.line.contains(TicketId(tickets_ - 5))) {
        ticket = TicketId(tickets_ - 5);
    }
    const Put put{ticket, count, choices.below(count * 10), under};
    same(queue_->offer(put), reference_.offer(put), "offer");
}

void History::admit(Choices& choices) {
    const bool all = !choices.one_in(3);
    do {
        same(queue_->next_admission(), reference_.next_admission(), "next admission");
        const auto got = queue_->admit_next();
        const auto want = reference_.admit_next();
        same(got.has_value(), want.has_value(), "admission");
        if (!got) return;
        same(std::tuple(got->ticket, got->count, got->refused, got->finished),
             std::tuple(want->ticket, want->count, want->refused, want->finished), "admission");
        same(got->dropped, want->dropped, "dropped");
        if (got->refused != Code::kOk) continue;
        same(got->first, want->first, "first offset");
        log(got->dropped, Record::kDropped);
        // As one batch, or as two.
        const std::uint64_t part = choices.one_in(4) ? choices.below(got->count) : 0;
        if (part > 0) store(choices, {got->first, part});
        store(choices, {got->first + part, got->count - part});
    } while (all);
}

/// A batch of what it was taken for, or of what it turns out to weigh.
void History::store(Choices& choices, Range range) {
    std::uint64_t bytes = 0;
    for (std::uint64_t at = range.first.value(); at < range.end().value(); ++at) bytes += reference_.messages[at].bytes;
    if (choices.one_in(4)) bytes = choices.below(bytes + 5);
    queue_->stored({BatchRef(++batches_), range, bytes});
    reference_.stored(batches_, range, bytes);
    log_.push_back({Record::kBatch, range, batches_, bytes, {}, {}});
    live_[batches_] = range.count;
}

void History::make_visible(Choices& choices) {
    const std::uint64_t next = reference_.messages.size();
    reference_.visible = choices.one_in(3) ? reference_.visible + choices.below(next - reference_.visible + 1) : next;
    queue_->make_visible(Offset(reference_.visible));
}

void History::attach(Choices& choices) {
    if (reference_.consumers.size() >= 3) return;
    const ConsumerId id(++consumers_);
    const bool holes = choices.one_in(2);
    if (holes) takes_holes_.insert(id);
    queue_->attach(id, holes);
    reference_.consumers[id] = {};
    if (choices.one_in(4)) return;
    queue_->set_credit(id, 100, 10'000);
    reference_.consumers[id] = {0, 0, 100, 10'000};
}

void History::detach(Choices& choices) {
    const ConsumerId id = some_consumer(choices);
    if (!reference_.consumers.contains(id)) return;
    if (choices.one_in(2)) {
        const Instant until = now_ + milliseconds(choices.below(40));
        queue_->hold(id, until);
        reference_.hold(id, until);
        return;
    }
    const auto returned = queue_->detach(id);
    same(returned, reference_.detach(id), "returned by detach");
    log(returned, Instant{});
}

void History::set_credit(Choices& choices) {
    const ConsumerId id = some_consumer(choices);
    if (!reference_.consumers.contains(id)) return;
    auto& credit = reference_.consumers.at(id);
    const std::uint64_t messages = credit.messages + choices.below(20);
    const std::uint64_t bytes = credit.bytes + choices.below(200);
    queue_->set_credit(id, messages, bytes);
    credit.messages_max = std::max(credit.messages_max, messages);
    credit.bytes_max = std::max(credit.bytes_max, bytes);
}

void History::deliver(Choices& choices) {
    const std::uint64_t most = choices.one_in(3) ? choices.below(5) : 1000;
    std::vector<Grant> grants;
    queue_->deliver(now_, most, grants);
    std::vector<ReferenceQueue::Given> given;
    for (const Grant& grant : grants) {
        if (grant.tries.deliveries > 1) again_ = std::max(again_, grant.range.end());
        std::uint64_t bytes = 0;
        std::uint64_t messages = 0;
        for (std::uint32_t i = 0; i < grant.range.count; ++i) {
            const std::uint64_t offset = grant.range.first.value() + i;
            if (reference_.messages.at(offset).gone()) {
                same(i > 0 && takes_holes_.contains(grant.consumer), true, "a hole in a grant");
                continue;
            }
            ++messages;
            given.push_back({grant.consumer.value(), offset, grant.batch.value(), grant.index + i, grant.tries,
                             reference_.messages.at(offset).bytes});
            bytes += given.back().bytes;
        }
        same(grant.bytes, bytes, "bytes of a grant");
        same(grant.messages, messages, "messages of a grant");
    }
    same(given == reference_.deliver(now_, most), true, "grants");
}

void History::settle(Choices& choices) {
    const auto [consumer, range, delivery] = target(choices);
    const std::uint64_t kind = choices.below(8);
    Ruling ruling;
    if (kind >= 4) ruling.verdict = kind < 6 ? Verdict::kNack : kind < 7 ? Verdict::kRelease : Verdict::kDead;
    if (choices.one_in(2)) ruling.delay = milliseconds(10 + choices.below(30));
    if (choices.one_in(2)) ruling.note = std::make_shared<Death>();
    const std::vector<ReferenceQueue::Message> before = reference_.messages;
    auto got = queue_->settle(consumer, range, delivery, ruling, now_);
    auto want = reference_.settle(consumer, range, delivery, ruling, now_);
    log(got);
    // What was gone already may be a hole in what is done, and is not repeated then.
    want.repeated = without(want.repeated, before.size(),
                            [&](std::uint64_t at) { return before[at].gone() && within(got.done, at); });
    got.done = without(got.done, before.size(), [&](std::uint64_t at) { return before[at].gone(); });
    same(got.count, want.count, "settled");
    same(got.done, want.done, "done");
    same(got.returned, want.returned, "returned by settle");
    same(got.delayed == want.delayed, true, "delayed by settle");
    same(got.died == want.died, true, "died by settle");
    same(got.lost, want.lost, "lost");
    same(got.repeated, want.repeated, "repeated");
}

void History::handle_dead(Choices& choices) {
    const std::uint64_t first = choices.below(reference_.messages.size() + 1);
    const Range range{Offset(first), choices.one_in(2) ? UINT64_MAX : choices.below(4)};
    const std::uint64_t most = choices.below(5);
    if (choices.one_in(3)) {
        const auto dropped = queue_->drop_dead(range, most, UINT64_MAX);
        same(dropped, reference_.drop_dead(range, most), "dropped dead letters");
        return log(dropped, Record::kDropped);
    }
    const auto redriven = queue_->redrive(range, most, UINT64_MAX);
    same(redriven, reference_.redrive(range, most), "redriven");
    log(redriven, Instant{});
}

void History::extend(Choices& choices) {
    const auto [consumer, range, delivery] = target(choices);
    const Duration lease = milliseconds(choices.below(60));
    const auto want = reference_.extend(consumer, range, delivery, now_, lease);
    const auto got = queue_->extend(consumer, range, delivery, now_, lease);
    // What is gone between two leases of the consumer may be a hole in them.
    const std::uint64_t end = reference_.messages.size();
    const auto gone = [&](std::uint64_t at) { return reference_.messages[at].gone(); };
    same(without(got, end, gone), without(want, end, gone), "lost by extend");
}

void History::claim(Choices& choices) {
    const auto [consumer, range, delivery] = target(choices);
    if (!reference_.consumers.contains(consumer)) return;
    const bool all = choices.one_in(3);
    if (all) {
        queue_->claim_begin(consumer);
        reference_.claim_begin(consumer);
    }
    same(queue_->claim(consumer, range, delivery, now_), reference_.claim(consumer, range, delivery, now_),
         "not claimed");
    if (!all) return;
    if (choices.one_in(2)) deliver(choices);
    const auto returned = queue_->claim_end(consumer);
    same(returned, reference_.claim_end(consumer), "returned by claim");
    log(returned, Instant{});
}

/// What is ready of the runs, in runs without holes: what is gone in them stays gone.
std::vector<ReturnedRange> History::present_of(const std::vector<ReturnedRange>& runs) const {
    std::vector<ReturnedRange> present;
    for (const auto& [run, tries] : runs) {
        for (Offset at = run.first; at < run.end(); at += 1) {
            if (!queue_->place(at)) continue;
            if (!present.empty() && present.back().first.end() == at && present.back().second == tries) {
                ++present.back().first.count;
            } else {
                present.push_back({{at, 1}, tries});
            }
        }
    }
    return present;
}

void History::advance(Choices& choices) {
    now_ = now_ + milliseconds(choices.below(30));
    const auto note = std::make_shared<const Death>(Death{Cause::kLease, {}, {}});
    const auto ended = queue_->run_timers(now_, UINT64_MAX, note);
    const auto want = reference_.run_timers(now_, note);
    same(present_of(ended.returned), want.returned, "returned by time");
    same(ended.died == want.died, true, "died by time");
    log(ended.returned, Instant{});
    log(ended.died);
}

void History::seal(Choices& choices) {
    if (!choices.one_in(3)) {
        queue_->reopen();
        reference_.reopen();
        return;
    }
    const bool was_sealed = queue_->sealed();
    same(queue_->seal(), reference_.seal(), "seal");
    if (!was_sealed && queue_->sealed()) same(queue_->take_sealed_now(), true, "sealed now");
}

void History::change(Choices& choices) {
    if (choices.one_in(2)) {
        reference_.paused = choices.one_in(8);
        queue_->pause(reference_.paused);
        return;
    }
    reference_.options = options(choices);
    queue_->set_options(reference_.options);
}

void History::cancel(Choices& choices) {
    const TicketId ticket(choices.below(tickets_ + 1));
    same(queue_->cancel(ticket), reference_.cancel(ticket), "cancelled");
}

void History::shrink(Choices& choices) {
    for (const auto& [id, ticket] : reference_.line) {
        const std::uint32_t left = ticket.count - ticket.taken;
        if (left < 2 || choices.one_in(2)) continue;
        const auto count = static_cast<std::uint32_t>(choices.below(left - 1) + 1);
        const std::uint64_t bytes = choices.below(count * 10);
        queue_->shrink(id, count, bytes);
        return reference_.shrink(id, count, bytes);
    }
}

void History::look(Choices& choices) {
    const std::uint64_t most = choices.below(6) + 1;
    std::vector<ReferenceQueue::Given> asked;
    for (const Grant& grant : queue_->recall(most)) {
        for (std::uint32_t i = 0; i < grant.range.count; ++i) {
            const std::uint64_t offset = grant.range.first.value() + i;
            asked.push_back({grant.consumer.value(), offset, grant.batch.value(), grant.index + i, grant.tries,
                             reference_.messages.at(offset).bytes});
        }
    }
    std::ranges::sort(asked, std::greater(), [](const auto& given) { return given.offset; });
    same(asked == reference_.recall(most), true, "recall");

    std::uint64_t at = choices.below(reference_.messages.size() + 1);
    std::uint64_t left = most;
    const auto skip_gone = [&] {
        while (at < reference_.visible && !reference_.messages[at].live()) ++at;
    };
    for (const auto& peeked : queue_->peek(Offset(at), most)) {
        for (std::uint32_t i = 0; i < peeked.range.count; ++i, ++at, --left) {
            skip_gone();
            const auto& message = reference_.messages.at(at);
            const auto state = message.in_hands()               ? Queue::Peeked::kLeased
                               : message.where == Where::kReady ? Queue::Peeked::kReady
                                                                : Queue::Peeked::kDelayed;
            same(std::tuple(peeked.range.first.value() + i, peeked.batch.value(), peeked.index + i, peeked.tries,
                            peeked.state),
                 std::tuple(at, message.batch, message.index, message.tries, state), "peeked");
        }
    }
    skip_gone();
    same(left == 0 || at >= reference_.visible, true, "all peeked");
}

void History::replay(Queue& queue, const Record& record) {
    switch (record.kind) {
        case Record::kBatch:
            return queue.restore_batch({BatchRef(record.batch), record.range, record.bytes});
        case Record::kDone:
            return queue.restore_done(record.range, false, record.messages);
        case Record::kDropped:
            return queue.restore_done(record.range, true);
        case Record::kReturned:
            return queue.restore_returned(record.range, record.tries, record.due);
        case Record::kDied:
            return queue.restore_died(record.range, record.tries, record.note);
        case Record::kMoved:
            return queue.restore_moved(record.stored, record.present,
                                       {record.state, record.range, record.tries, record.due, record.note});
    }
}

/// What is left of a batch is stored in another from now on.
void History::relocate(Choices& choices) {
    if (live_.empty()) return;
    const std::uint64_t old = std::next(live_.begin(), static_cast<std::ptrdiff_t>(choices.below(live_.size())))->first;
    const std::uint64_t gone_max = choices.below(4);
    const auto stretches = queue_->stored_in(BatchRef(old), {Offset(), queue_->next_offset().value()}, gone_max);
    if (stretches.empty()) return;
    ++batches_;
    std::vector<LiveBatch> moved;
    std::uint32_t index = 0;
    for (const Queue::Stretch& stretch : stretches) {
        const auto& [state, span, tries, due, note] = stretch.standing;
        LiveBatch stored = stretch.stored;
        same(stored.batch.ref.value(), old, "where messages were");
        stored.batch.ref = BatchRef(batches_);
        stored.batch.index = index;
        moved.push_back(stored);
        log_.push_back({Record::kMoved, span, batches_, 0, tries, due, note, index, state, 0, stored, stretch.present});
        check_moved(stretch, index);
        index += static_cast<std::uint32_t>(span.count);
        live_[batches_] += stored.messages;
    }
    queue_->relocate(moved);
}

/// The messages of the stretch are what the reference knows of it, and in the newest batch from now on.
void History::check_moved(const Queue::Stretch& stretch, std::uint32_t index) {
    const Offset first = stretch.standing.span.first;
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    Offset end = first;
    for (const Range& run : stretch.present) {
        for (Offset gone = end; gone < run.first; gone += 1)
            same(reference_.messages.at(gone.value()).where == Where::kGone, true, "gone between");
        end = run.end();
        for (Offset at = run.first; at < end; at += 1) {
            auto& message = reference_.messages.at(at.value());
            same(message.batch, stretch.stored.batch.ref.value(), "where a message was");
            message.batch = batches_;
            message.index = index + static_cast<std::uint32_t>(at - first);
            ++messages;
            bytes += message.bytes;
        }
    }
    same(std::tuple(stretch.stored.messages, stretch.stored.bytes, stretch.standing.span.end().value()),
         std::tuple(messages, bytes, end.value()), "messages, bytes and end of a stretch");
}

/// A new queue from the log; and from any prefix of it a queue that keeps its bound.
void History::restart(Choices& choices) {
    if (choices.one_in(2)) mark_ = std::max(mark_, queue_->delivered_mark());
    Queue cut(reference_.options);
    const std::uint64_t records = choices.below(log_.size() + 1);
    for (std::uint64_t i = 0; i < records; ++i) replay(cut, log_[i]);
    cut.restore_finish(mark_, again_, now_, now_);
    cut.check_all();
    same(cut.counters().high_water <= maxsize_ever_, true, "bound of a prefix");

    choices.one_in(2) ? from_checkpoint() : from_log();
    const Instant hold_end = now_ + milliseconds(15);
    queue_->restore_finish(mark_, again_, hold_end, now_);
    queue_->make_visible(queue_->next_offset());
    reference_.restart(mark_, again_, hold_end, now_);
    const Counters& counted = queue_->counters();
    const Counters& known = reference_.counters;
    same(std::tuple(counted.put, counted.acked, counted.dropped, counted.died, counted.high_water),
         std::tuple(known.put, known.acked, known.dropped, known.died, known.high_water), "replayed counters");
    queue_->restore_counters(known);
}

void History::from_log() {
    auto queue = std::make_unique<Queue>(reference_.options);
    queue->restore(0, queue_->sealed(), reference_.paused, {});
    live_.clear();
    for (const Record& record : log_) {
        replay(*queue, record);
        if (record.kind == Record::kBatch) live_[record.batch] += record.range.count;
        if (record.kind == Record::kMoved) live_[record.batch] += record.stored.messages;
    }
    queue_ = std::move(queue);
}

void History::from_checkpoint() {
    /// Puts what it is told into another queue.
    struct Copy final : Queue::Saver {
        explicit Copy(History& told) : history(told) {}
        void present(std::uint64_t part, std::string bytes) override {
            sound = sound && queue->restore_present(part, bytes);
        }
        void batch(const LiveBatch& batch) override {
            sound = sound && queue->restore_live(batch);
            history.live_[batch.batch.ref.value()] += batch.messages;
        }
        void run(const Queue::LiveRun& run) override { sound = sound && queue->restore_run(run); }
        History& history;
        std::unique_ptr<Queue> queue = std::make_unique<Queue>(history.reference_.options);
        bool sound = true;
    };
    Copy copy(*this);
    copy.queue->restore(queue_->next_offset().value(), queue_->sealed(), reference_.paused, queue_->counters());
    live_.clear();
    queue_->save(copy);
    same(copy.sound && copy.queue->restored_whole(), true, "a checkpoint makes sense");
    queue_ = std::move(copy.queue);
}

void History::check_freed() {
    for (const Freed& freed : queue_->take_freed()) {
        same(live_.at(freed.batch.value()) >= freed.messages, true, "freed at most what lived");
        live_[freed.batch.value()] -= freed.messages;
        // A batch that holds what was in others is several to the queue.
        const bool empty = live_[freed.batch.value()] == 0;
        same(freed.empty || !empty, true, "empty");
        if (empty) live_.erase(freed.batch.value());
    }
    std::uint64_t live = 0;
    for (const auto& [batch, count] : live_) live += count;
    same(live, reference_.live() + reference_.count(Where::kDead), "live in the log's accounting");
}

void History::check() {
    const Queue& queue = *queue_;
    queue.check_all();
    same(std::tuple(queue.ready(), queue.leased(), queue.delayed(), queue.dead(), queue.bytes()),
         std::tuple(reference_.count(Where::kReady), reference_.in_hands(), reference_.count(Where::kDelayed),
                    reference_.count(Where::kDead), reference_.bytes()),
         "ready, leased, delayed, dead, bytes");
    const auto counters = [](const Counters& c) {
        return std::tuple(c.put, c.acked, c.nacked, c.redelivered, c.dropped, c.rejected, c.high_water, c.died);
    };
    same(counters(queue.counters()), counters(reference_.counters), "counters");
    same(std::tuple(queue.room(), queue.waiters(), queue.floor().value(), queue.delivered_mark().value()),
         std::tuple(reference_.room(), reference_.line.size(), reference_.floor(), reference_.delivered_mark),
         "room, waiters, floor, delivered mark");
    same(queue.next_due().ns, reference_.next_due().ns, "next due");
    same(queue.next_admission(), reference_.next_admission(), "next admission");
    const bool idle = reference_.live() == 0 && reference_.line.empty();
    same(std::tuple(queue.sealed(), queue.idle(), queue.drained()),
         std::tuple(reference_.sealed(), idle, idle && reference_.sealed()), "sealed, idle, drained");
    same(queue.counters().high_water <= maxsize_ever_, true, "bound");
    check_freed();
}

void History::step(std::uint64_t command) {
    struct Weighed {
        void (History::*command)(Choices&);
        std::uint64_t weight;
    };
    static constexpr Weighed kCommands[] = {
        {&History::offer, 16},   {&History::admit, 16},      {&History::make_visible, 16}, {&History::attach, 10},
        {&History::deliver, 20}, {&History::settle, 36},     {&History::set_credit, 8},    {&History::advance, 6},
        {&History::detach, 3},   {&History::extend, 3},      {&History::claim, 6},         {&History::seal, 2},
        {&History::change, 2},   {&History::cancel, 2},      {&History::shrink, 2},        {&History::look, 3},
        {&History::restart, 2},  {&History::handle_dead, 6}, {&History::relocate, 3},
    };
    static constexpr std::uint64_t kWeights = [] {
        std::uint64_t sum = 0;
        for (const Weighed& weighed : kCommands) sum += weighed.weight;
        return sum;
    }();
    maxsize_ever_ = std::max(maxsize_ever_, reference_.options.maxsize);
    Choices choices(command);
    std::uint64_t chosen = choices.below(kWeights);
    for (const Weighed& weighed : kCommands) {
        if (chosen < weighed.weight) {
            (this->*weighed.command)(choices);
            break;
        }
        chosen -= weighed.weight;
    }
    check();
}

}  // namespace telpher::queue
