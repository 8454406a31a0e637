// The engine's side: sending, sending again, verdicts, cancelling.
#include <algorithm>
#include <array>
#include <utility>

#include "producer/put_part.h"
#include "proto/base/check.h"

namespace telpher::producer {
namespace {

using namespace std::chrono_literals;

/// A producer that cannot be opened right now is tried again after this.
constexpr Duration kReopenPause = 500ms;
/// A put whose time is over, and whose connection is gone, waits so long for a new one before its outcome is unknown.
constexpr Duration kCancelPatience = 3s;
/// How often a callback that runs is looked at.
constexpr Duration kCallbackPoll = 20ms;
/// No producer has put as many; above it sequences may end.
constexpr std::uint64_t kSequenceMax = UINT64_MAX / 2;

}  // namespace

// --- the connection comes and goes ---

void PutPart::on_connected(session::Wire& wire, const session::Connected& connected, Instant now) {
    now_ = now;
    wire_ = &wire;
    if (connected.restarted) drop_decided();
    drop_too_large();
    window_.connected(connected.opened.put_bytes(), wire.limits().puts_in_flight());
    cancels_sent_ = 0;
    retry_at_ = now;
    if (!name_lost_) open_producer();
}

/// A broker that was started again knows what it stored, not what it refused: sent again, that would be stored although
/// somebody was told that it is not.
void PutPart::drop_decided() {
    {
        const Lock lock(mutex_);
        window_.keep([this](Range range) { return outcomes_.undecided(range); });
        std::vector<Range> open;
        for (const Range& range : cancels_) {
            for (const Range& part : outcomes_.undecided(range)) open.push_back(part);
        }
        cancels_ = std::move(open);
    }
    mirror_window();
}

/// A broker that came back with a lower limit would end every connection over a message that it took before. Whether it
/// did cannot be asked.
void PutPart::drop_too_large() {
    const std::vector<Range> larger = window_.larger_than(engine_.message_bytes_max());
    if (larger.empty()) return;
    Wake wake;
    {
        const Lock lock(mutex_);
        const std::uint64_t before = outcomes_.decided_below();
        for (const Range& range : larger) {
            for (const Range& part : outcomes_.undecided(range)) decide(part, Code::kUnknown, wake);
        }
        window_.keep([this](Range range) { return outcomes_.undecided(range); });
        decided(before, wake);
    }
    for (session::Parker* parker : wake) parker->unpark();
    mirror_window();
}

void PutPart::on_disconnected(Instant now) {
    now_ = now;
    lost_at_ = now;
    wire_ = nullptr;
    opening_ = false;
    producer_open_ = false;
    const Lock lock(mutex_);
    wants_any_ = false;
    wants_full_ = false;
}

void PutPart::open_producer() {
    opening_ = true;
    v1::OpenProducer request;
    request.set_handle(wire_->handle().value());
    request.set_producer(producer_.value());
    request.set_name(name_);
    wire_->call(v1::OP_OPEN_PRODUCER, request,
                [this](const Result<const session::Frame*>& answer) { on_producer_opened(answer); });
}

void PutPart::on_producer_opened(const Result<const session::Frame*>& answer) {
    opening_ = false;
    if (!answer) return on_refused(answer.error());
    const auto& opened = (*answer)->as<v1::ProducerOpened>();
    if (opened.producer() == 0 || opened.next_sequence() > kSequenceMax)
        return on_refused(Error(Code::kProtocol, "PRODUCER_OPENED: no producer, or no sequence left"));
    if (!name_.empty() && producer_.value() == 0) begin_at(opened.next_sequence());
    // Nothing below is known of a producer that had verdicts: it was forgotten, and what it sent since may be anywhere.
    if (name_.empty() && producer_.value() != 0 && opened.next_sequence() == 0 && had_verdicts()) {
        start_over();
        return;
    }
    producer_ = ProducerId(opened.producer());
    producer_open_ = true;
    pump();
}

void PutPart::on_refused(const Error& error) {
    const Code code = error.code();
    retry_at_ = now_ + kReopenPause;
    if (info(code).retryable) return;
    if (!name_.empty()) {
        give_up_name(error);
    } else if (code == Code::kUnknownProducer && producer_.value() != 0) {
        start_over();
    } else {
        refuse_all(code, Code::kUnknown);
    }
}

/// The broker has said which record of this name is the first that is not stored.
void PutPart::begin_at(std::uint64_t sequence) {
    const Lock lock(mutex_);
    begin_ = sequence;
    next_ = sequence;
    outcomes_.begin_at(sequence);
    numbered_ = true;
    room_.notify_all();
}

/// Another one has the name now, or nobody. What was sent and has no verdict gets none any more.
void PutPart::give_up_name(const Error& error) {
    name_lost_ = true;
    producer_open_ = false;
    retry_at_ = Instant::never();
    {
        const Lock lock(mutex_);
        failure_ = error;
    }
    refuse_all(error.code(), Code::kUnknown);
    room_.notify_all();
}

bool PutPart::had_verdicts() const {
    const Lock lock(mutex_);
    return outcomes_.decided_below() > base_;
}

/// Goes on as another producer. What was sent and has no verdict gets none any more.
void PutPart::start_over() {
    Wake wake;
    {
        const Lock lock(mutex_);
        const std::uint64_t before = outcomes_.decided_below();
        base_ = batcher_.empty() ? next_ : batcher_.first();
        fresh_.clear();
        outcomes_.fill_below(base_, Code::kUnknown, fresh_);
        tell_fresh(wake);
        decided(before, wake);
    }
    for (session::Parker* parker : wake) parker->unpark();
    window_.clear();
    forget_cancels(base_);
    mirror_window();
    producer_ = ProducerId();
    producer_open_ = false;
    if (wire_ != nullptr) open_producer();
}

void PutPart::on_failed(const Error& error) {
    {
        const Lock lock(mutex_);
        failure_ = error;
    }
    // Removed under our eyes: what has no verdict was never safe, so nobody can have had it either.
    const bool gone = wire_ != nullptr && error.code() == Code::kNotFound;
    wire_ = nullptr;
    refuse_all(error.code(), gone ? Code::kNotFound : Code::kUnknown);
    room_.notify_all();
}

/// Every put that waits gets `unsent` or, if it may have reached the broker, `sent`.
void PutPart::refuse_all(Code unsent, Code sent) {
    Wake wake;
    {
        const Lock lock(mutex_);
        const std::uint64_t before = outcomes_.decided_below();
        const std::uint64_t border = batcher_.empty() ? next_ : batcher_.first();
        fresh_.clear();
        outcomes_.fill_below(border, sent, fresh_);
        outcomes_.fill_below(next_, unsent, fresh_);
        while (batcher_.take(true)) continue;
        tell_fresh(wake);
        decided(before, wake);
    }
    for (session::Parker* parker : wake) parker->unpark();
    window_.clear();
    forget_cancels(UINT64_MAX);
    mirror_window();
}

void PutPart::on_close() {
    if (!producer_open_) return;
    v1::CloseProducer request;
    request.set_handle(wire_->handle().value());
    request.set_producer(producer_.value());
    wire_->call(v1::OP_CLOSE_PRODUCER, request, [](const Result<const session::Frame*>&) {});
}

bool PutPart::idle() const {
    const Lock lock(mutex_);
    return outcomes_.decided_below() == next_ && (dispatcher_ == nullptr || dispatcher_->idle());
}

// --- sending ---

Instant PutPart::do_work(Instant now) {
    now_ = now;
    if (wire_ != nullptr && !producer_open_ && !opening_ && !name_lost_ && now >= retry_at_) open_producer();
    if (producer_open_) pump();
    expire(now);
    Instant due = Instant::never();
    if (wire_ != nullptr && !producer_open_ && !opening_ && !name_lost_) due = retry_at_;
    const Lock lock(mutex_);
    // Nobody says when the callback is done, and a queue that was let go is closed only then.
    if (dispatcher_ != nullptr && !dispatcher_->idle()) due = std::min(due, now + kCallbackPoll);
    for (const Waiter* waiter : waiters_.cancelling()) due = std::min(due, patience_end(*waiter));
    return std::min(due, waiters_.next_deadline());
}

void PutPart::pump() {
    bool sent = false;
    for (;;) {
        if (!wire_->may_put()) break;
        if (Window::Batch* batch = window_.next()) {
            send_put(*batch);
            continue;
        }
        auto unsent = take_batch();
        if (!unsent) break;
        const auto count = unsent->builder.count();
        const Sequence first(unsent->first - base_);
        window_.push({unsent->builder.seal(producer_, first, engine_.clock().wall()), unsent->first, count,
                      unsent->under, Window::Batch::State::kUnsent});
        const Lock lock(mutex_);
        batcher_.recycle(std::move(unsent->builder));
        sent = true;
    }
    if (sent) mirror_window();
    send_cancels();
}

/// The next batch that may be sealed and sent at once. If there is none, user threads are told when to say that there
/// is.
std::optional<Batcher::Unsent> PutPart::take_batch() {
    const bool takes_new = window_.takes_new();
    const bool partial = window_.empty() || confirmed_;
    const Lock lock(mutex_);
    auto batch = takes_new ? batcher_.take(partial) : std::nullopt;
    wants_any_ = !batch && takes_new && partial;
    wants_full_ = !batch && takes_new;
    if (batch && !batch->full) confirmed_ = false;
    if (batch) {
        // Counted as in the window from now on: room must not come and go in between.
        window_bytes_ += batch->builder.bytes();
        window_batches_ += 1;
    }
    return batch;
}

void PutPart::send_put(Window::Batch& batch) {
    v1::Put put;
    put.set_epoch(wire_->epoch().value());
    put.set_handle(wire_->handle().value());
    put.set_known_below(window_.first(batch.first) - base_);
    if (batch.under.delivery != 0) {
        put.set_under_offset(batch.under.offset);
        put.set_under_delivery(batch.under.delivery);
    }
    window_.sent(batch);
    wire_->send(v1::OP_PUT, put, std::span(&batch.bytes, 1));
}

void PutPart::mirror_window() {
    bool room = false;
    {
        const Lock lock(mutex_);
        const bool had_room = has_room();
        window_bytes_ = window_.bytes();
        window_batches_ = window_.size();
        room = !had_room && has_room();
    }
    if (room) room_.notify_all();
}

// --- verdicts ---

Result<void> PutPart::on_frame(const session::Frame& frame, Instant now) {
    now_ = now;
    switch (frame.op) {
        case v1::OP_CONFIRM: {
            const auto& confirm = frame.as<v1::Confirm>();
            window_.raise_limit(confirm.put_bytes());
            if (confirm.producer() == producer_.value()) {
                if (auto done = on_confirmed(confirm); !done) return done;
            }
            break;
        }
        case v1::OP_LIMIT:
            window_.raise_limit(frame.as<v1::Limit>().put_bytes());
            break;
        case v1::OP_PARKED: {
            const auto& parked = frame.as<v1::Parked>();
            if (parked.producer() == producer_.value()) window_.parked(parked.first_sequence() + base_);
            break;
        }
        case v1::OP_ROOM: {
            const auto& room = frame.as<v1::Room>();
            if (room.producer() == producer_.value()) window_.asked(room.first_sequence() + base_);
            break;
        }
        default:
            return fail(Code::kProtocol, "not for puts");
    }
    if (producer_open_) pump();
    return {};
}

/// The runs of a CONFIRM in this client's sequences. In each list they rise; between the lists they may not.
Result<std::vector<Confirmed>> PutPart::verdicts_of(const v1::Confirm& confirm) const {
    constexpr std::size_t kMost = limits::kControlHeaderBytes;  // A frame has no room for more.
    const auto stored = frame::read_runs(confirm.stored(), kMost);
    const auto refused = frame::read_runs(confirm.refused(), kMost);
    if (!stored || !refused) return fail(Code::kProtocol, "CONFIRM: runs");
    std::vector<Confirmed> runs;
    for (const auto* list : {&*stored, &*refused}) {
        for (const frame::Run& run : *list) {
            const bool known = run.first < next_ - base_ && run.count <= next_ - base_ - run.first;
            if (!known || run.count > UINT32_MAX) return fail(Code::kProtocol, "CONFIRM of what was never sent");
            const bool is_stored = list == &*stored;
            const auto code = is_stored ? Code::kOk : static_cast<Code>(run.value);
            runs.push_back({run.first + base_, static_cast<std::uint32_t>(run.count), code, is_stored ? run.value : 0});
        }
    }
    std::sort(runs.begin(), runs.end(), [](const Confirmed& a, const Confirmed& b) { return a.first < b.first; });
    return runs;
}

Result<void> PutPart::on_confirmed(const v1::Confirm& confirm) {
    Wake wake;
    std::uint64_t below = 0;
    {
        Lock lock(mutex_);
        const auto runs = verdicts_of(confirm);
        if (!runs) return fail(runs.error());
        if (std::any_of(runs->begin(), runs->end(),
                        [](const Confirmed& run) { return run.code == Code::kUnknownProducer; })) {
            lock.unlock();
            if (name_.empty()) {
                start_over();
            } else {
                give_up_name(Error(Code::kUnknownProducer, "the name " + name_ + " was forgotten"));
            }
            return {};
        }
        const std::uint64_t before = outcomes_.decided_below();
        for (const Confirmed& run : *runs) decide(run, wake);
        decided(before, wake);
        below = outcomes_.decided_below();
    }
    for (session::Parker* parker : wake) parker->unpark();
    confirmed_ = true;
    window_.decided(below);
    mirror_window();
    forget_cancels(below);
    return {};
}

/// Those are answered.
void PutPart::forget_cancels(std::uint64_t below) {
    const auto answered = [below](const Range& range) { return range.end <= below; };
    const auto sent = cancels_.begin() + static_cast<std::ptrdiff_t>(cancels_sent_);
    cancels_sent_ -= static_cast<std::size_t>(std::count_if(cancels_.begin(), sent, answered));
    std::erase_if(cancels_, answered);
}

/// Notes an outcome that came now; whoever waits for it is added to `wake`.
void PutPart::decide(const Confirmed& run, Wake& wake) {
    if (run.code != Code::kOk && !name_.empty() && !failure_) {
        // The broker stores nothing that follows on it either: what has a name leaves no hole.
        failure_ = run.code == Code::kFenced ? Error(Code::kFenced, "producer " + name_)
                                             : Error(Code::kCancelled, "an earlier put of producer " + name_ +
                                                                           " is not stored: open the queue again");
        room_.notify_all();
    }
    fresh_.clear();
    outcomes_.add(run, fresh_);
    tell_fresh(wake);
}

/// The same for puts that are not in the queue, or may not be; those that have an outcome keep it.
void PutPart::decide(Range range, Code code, Wake& wake) {
    while (range.first < range.end) {
        const auto count =
            static_cast<std::uint32_t>(std::min<std::uint64_t>(range.end - range.first, limits::kBatchCountMax));
        decide({range.first, count, code, 0}, wake);
        range.first += count;
    }
}

void PutPart::tell_fresh(Wake& wake) {
    for (const Confirmed& news : fresh_) {
        const std::uint64_t owned = waiters_.decided(news, wake);
        if (news.code != Code::kOk && owned < news.count && !refusal_) refusal_ = Error(news.code);
    }
}

/// After decide(): tells those who wait for everything, and the callback, in sequence order.
void PutPart::decided(std::uint64_t below_before, Wake& wake) {
    const std::uint64_t below = outcomes_.decided_below();
    if (below == below_before) return;
    waiters_.all_decided(below, wake);
    if (dispatcher_ == nullptr) return;
    std::vector<Confirmed> runs;
    outcomes_.collect(below_before, below, runs);
    dispatcher_->push(runs);
}

std::optional<Error> PutPart::take_refusal() { return std::exchange(refusal_, std::nullopt); }

// --- time ---

Instant PutPart::patience_end(const Waiter& waiter) const {
    if (producer_open_) return Instant::never();
    return std::max(waiter.cancelled_at, lost_at_) + kCancelPatience;
}

void PutPart::expire(Instant now) {
    Wake wake;
    std::uint64_t below = 0;
    {
        const Lock lock(mutex_);
        // Each may be gone when another's puts get their outcome.
        for (Waiter* waiter : waiters_.expired(now)) {
            if (!waiters_.waits(waiter)) continue;
            if (waiter->ended_by == Code::kOk) waiter->ended_by = Code::kTimeout;
            if (waiter->owns()) {
                cancel(*waiter, now, wake);
            } else {
                waiters_.finish(*waiter, waiter->ended_by, wake);
            }
        }
        const std::uint64_t before = outcomes_.decided_below();
        for (Waiter* waiter : waiters_.cancelling()) {
            if (waiters_.waits(waiter) && now >= patience_end(*waiter)) give_up(*waiter, wake);
        }
        decided(before, wake);
        below = outcomes_.decided_below();
    }
    for (session::Parker* parker : wake) parker->unpark();
    if (window_.first(below) < below) {  // not by a confirm: somebody has given up
        window_.decided(below);
        mirror_window();
    }
    forget_cancels(below);
    send_cancels();
}

/// The connection did not come back in time: what has no outcome of the puts of `waiter` gets none any more.
void PutPart::give_up(Waiter& waiter, Wake& wake) {
    const std::vector<Range> ranges = waiter.ranges;
    for (const Range& range : ranges) decide(range, Code::kUnknown, wake);
    // Its last outcome may have ended the wait, and the waiter with it.
    if (waiters_.waits(&waiter)) waiters_.finish(waiter, Code::kUnknown, wake);
}

/// What of the puts of `waiter` was not sent is taken back here; the broker is asked for the rest.
void PutPart::cancel(Waiter& waiter, Instant now, Wake& wake) {
    waiter.cancelled_at = now;
    const std::uint64_t before = outcomes_.decided_below();
    const std::vector<Range> ranges = waiter.ranges;  // The waiter may be gone after its last outcome.
    for (const Range& range : ranges) {
        std::vector<Range> removed;
        batcher_.cancel(range, removed);
        std::uint64_t end = range.end;
        if (!removed.empty()) end = removed.front().first;  // What is not sent lies above what is.
        if (end > range.first && end > before) cancels_.push_back({std::max(range.first, before), end});
        for (const Range& gone : removed) decide(gone, Code::kCancelled, wake);
    }
    decided(before, wake);
}

void PutPart::send_cancels() {
    if (!producer_open_) return;
    while (cancels_sent_ < cancels_.size()) {
        const Range& range = cancels_[cancels_sent_];
        if (!window_.is_sent(range.end - 1)) return;  // Its turn comes when it was sent again.
        v1::Cancel request;
        request.set_epoch(wire_->epoch().value());
        request.set_handle(wire_->handle().value());
        request.set_producer(producer_.value());
        request.set_first_sequence(range.first - base_);
        request.set_count(static_cast<std::uint32_t>(range.end - range.first));
        wire_->send(v1::OP_CANCEL, request);
        ++cancels_sent_;
    }
}

}  // namespace telpher::producer
