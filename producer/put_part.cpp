// The side of user threads: appending, waiting for room and for outcomes.
#include "producer/put_part.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace telpher::producer {
namespace {

/// Messages appended by put_many() before other threads get a turn.
constexpr std::size_t kTurnMessages = 256;

void wake_all(const Waiters::Wake& wake) {
    for (session::Parker* parker : wake) parker->unpark();
}

Result<std::uint64_t> as_result(const Outcome& outcome) {
    if (outcome.code == Code::kOk) return outcome.id;
    return fail(outcome.code);
}

}  // namespace

PutPart::PutPart(session::Engine& engine, std::string name)
    : engine_(engine),
      name_(std::move(name)),
      batcher_(limits::kBatchTargetBytes),
      outcomes_(kOutcomeRunsMax),
      numbered_(name_.empty()) {}

// --- appending ---

batch::RecordIn PutPart::record_of(std::string_view body, const PutOptions& options) const {
    batch::RecordIn record;
    record.payload = as_bytes(body);
    if (!options.key.empty()) record.key = options.key;
    if (!options.headers.empty()) record.headers = &options.headers;
    return record;
}

Result<void> PutPart::check(const batch::RecordIn& record) const {
    if (engine_.forked()) return fail(Code::kForked, "made before fork()");
    return batch::check_record(record, engine_.message_bytes_max());
}

bool PutPart::has_room() const {
    return numbered_ && batcher_.bytes() + window_bytes_ < kPutBytesMax &&
           batcher_.batches() + window_batches_ < kPutBatchesMax &&
           (dispatcher_ == nullptr || dispatcher_->backlog() < kOutcomeRunsMax);
}

/// Waits until a message may be appended. kTimeout, kStopped, or why nothing will ever be taken again.
Result<void> PutPart::admit(Lock& lock, Instant deadline, const std::stop_token& stop) {
    const auto ready = [this] { return failure_ || has_room(); };
    bool came = ready();
    if (!came) {
        if (deadline == Instant::never()) {
            came = room_.wait(lock, stop, ready);
        } else {
            const Duration left = std::max(deadline - engine_.clock().now(), Duration{0});
            came = room_.wait_for(lock, stop, left, ready);
        }
    }
    if (failure_) return fail(*failure_);
    if (came) return {};
    return fail(stop.stop_requested() ? Code::kStopped : Code::kTimeout, "no room in the window");
}

/// Appends to the batcher as sequence next_. True if the engine must hear of it.
bool PutPart::append(const batch::RecordIn& record, Under under) {
    const bool filled = batcher_.append(next_, record, under);
    ++next_;
    if (!wants_any_ && !(filled && wants_full_)) return false;
    wants_any_ = false;
    wants_full_ = false;
    return true;
}

Result<Ticket> PutPart::put_async(std::string_view body, const PutOptions& options) {
    const auto record = record_of(body, options);
    if (auto checked = check(record); !checked) return fail(checked.error());
    bool wake = false;
    Ticket ticket;
    {
        Lock lock(mutex_);
        if (failure_ || !has_room()) [[unlikely]] {
            if (auto admitted = admit(lock, engine_.deadline_of(options.timeout), options.stop); !admitted) {
                return fail(admitted.error());
            }
        }
        ticket.sequence = next_;
        wake = append(record, {});
    }
    if (wake) engine_.ready(*this);
    return ticket;
}

Result<std::uint64_t> PutPart::put(std::string_view body, Under under, const PutOptions& options) {
    const auto record = record_of(body, options);
    if (auto checked = check(record); !checked) return fail(checked.error());
    const Instant deadline = engine_.deadline_of(options.timeout);
    Waiter waiter(Waiter::Kind::kPut);
    bool wake = false;
    {
        Lock lock(mutex_);
        if (auto admitted = admit(lock, deadline, options.stop); !admitted) return fail(admitted.error());
        waiter.ranges.push_back({next_, next_ + 1});
        waiter.deadline = deadline;
        wake = append(record, under);
        wake = wake || deadline < waiters_.next_deadline();
        waiters_.add(waiter);
    }
    if (wake) engine_.drive(*this);
    engine_.wait([&] { return waiter.done.load(std::memory_order_acquire); }, deadline,
                 [&] { wait_for(waiter, options.stop); });
    if (waiter.outcome.code == Code::kCancelled && waiter.ended_by != Code::kOk) return fail(waiter.ended_by);
    return as_result(waiter.outcome);
}

// --- many ---

/// Appends what fits into one turn to the front of `bodies`. True if the engine must hear of it.
bool PutPart::append_some(std::span<const std::string_view>& bodies, const PutOptions& options, Waiter& waiter) {
    bool wake = false;
    std::size_t taken = 0;
    const std::uint64_t first = next_;
    while (taken < std::min(bodies.size(), kTurnMessages) && has_room()) {
        wake = append(record_of(bodies[taken], options), {}) || wake;
        ++taken;
    }
    bodies = bodies.subspan(taken);
    if (!waiter.ranges.empty() && waiter.ranges.back().end == first) {
        waiter.ranges.back().end = next_;
    } else {
        waiter.ranges.push_back({first, next_});
    }
    return wake;
}

/// The last `count` messages of a put_many() are not put at all, and the rest is taken back as far as it goes.
void PutPart::give_up_rest(std::size_t count, Waiter& waiter, const Error& error) {
    const bool late = error.code() == Code::kTimeout || error.code() == Code::kStopped;
    const std::uint64_t before = outcomes_.decided_below();
    const std::uint64_t first = next_;
    next_ += count;
    waiter.ranges.push_back({first, next_});
    Wake wake;
    decide(Range{first, next_}, late ? Code::kCancelled : error.code(), wake);
    decided(before, wake);
    waiter.ended_by = error.code();
    if (!waiter.done) waiters_.set_deadline(waiter, Instant{});
    wake_all(wake);
}

Result<std::vector<Confirmed>> PutPart::put_many(std::span<const std::string_view> bodies, const PutOptions& options) {
    for (const auto body : bodies) {
        if (auto checked = check(record_of(body, options)); !checked) return fail(checked.error());
    }
    if (bodies.empty()) return std::vector<Confirmed>{};
    const Instant deadline = engine_.deadline_of(options.timeout);
    Waiter waiter(Waiter::Kind::kMany);
    waiter.undecided = bodies.size();
    bool added = false;
    while (!bodies.empty()) {
        bool wake = false;
        {
            Lock lock(mutex_);
            const auto admitted = admit(lock, deadline, options.stop);
            if (!admitted && !added) return fail(admitted.error());
            if (!added) waiters_.add(waiter);
            added = true;
            if (admitted) {
                wake = append_some(bodies, options, waiter);
            } else {
                give_up_rest(bodies.size(), waiter, admitted.error());
                bodies = {};
                wake = true;
            }
            if (bodies.empty() && !waiter.done && waiter.ended_by == Code::kOk && deadline != Instant::never()) {
                waiters_.set_deadline(waiter, deadline);
                wake = true;
            }
        }
        if (wake) engine_.ready(*this);
    }
    wait_for(waiter, options.stop);
    auto& runs = waiter.collected;
    std::sort(runs.begin(), runs.end(), [](const Confirmed& a, const Confirmed& b) { return a.first < b.first; });
    merge(runs);
    return std::move(runs);
}

// --- waiting ---

void PutPart::wait_for(Waiter& waiter, const std::stop_token& stop) {
    const std::stop_callback end(stop, [this, &waiter] {
        {
            const Lock lock(mutex_);
            if (waiter.done) return;
            waiter.ended_by = Code::kStopped;
            waiters_.set_deadline(waiter, Instant{});
        }
        engine_.ready(*this);
    });
    waiter.wait();
}

Result<std::uint64_t> PutPart::wait(Ticket ticket, Millis timeout) {
    if (engine_.forked()) return fail(Code::kForked, "made before fork()");
    Waiter waiter(Waiter::Kind::kTicket);
    {
        const Lock lock(mutex_);
        if (ticket.sequence >= next_) return fail(Code::kUsage, "this ticket was never given");
        if (const auto outcome = outcomes_.find(ticket.sequence)) return as_result(*outcome);
        if (outcomes_.decided(ticket.sequence)) {
            return fail(Code::kUsage, "asked too late: the outcome of this ticket is not remembered any more");
        }
        waiter.ranges.push_back({ticket.sequence, ticket.sequence + 1});
        waiter.deadline = engine_.deadline_of(timeout);
        waiters_.add(waiter);
    }
    if (timeout != kForever) engine_.ready(*this);
    waiter.wait();
    return as_result(waiter.outcome);
}

Result<std::uint64_t> PutPart::next_sequence(Millis timeout) {
    if (engine_.forked()) return fail(Code::kForked, "made before fork()");
    Lock lock(mutex_);
    const auto known = [this] { return failure_ || numbered_; };
    bool came = true;
    if (timeout == kForever) {
        room_.wait(lock, known);
    } else {
        came = room_.wait_for(lock, timeout, known);
    }
    if (failure_) return fail(*failure_);
    return came ? Result<std::uint64_t>(next_) : fail(Code::kTimeout, "no answer for the name of the producer");
}

Result<void> PutPart::drain(Instant deadline) {
    if (engine_.forked()) return fail(Code::kForked, "made before fork()");
    Waiter waiter(Waiter::Kind::kAll);
    Dispatcher* dispatcher = nullptr;
    {
        const Lock lock(mutex_);
        dispatcher = dispatcher_.get();
        waiter.end = next_;
        waiter.deadline = deadline;
        if (outcomes_.decided_below() < next_) {
            waiters_.add(waiter);
        } else {
            waiter.done = true;
        }
    }
    if (!waiter.done && deadline != Instant::never()) engine_.ready(*this);
    waiter.wait();
    if (waiter.outcome.code != Code::kOk) return fail(waiter.outcome.code, "puts without an outcome");
    if (dispatcher == nullptr) return {};
    const Instant now = engine_.clock().now();
    const auto left = deadline == Instant::never() ? kForever : std::chrono::ceil<Millis>(deadline - now);
    return dispatcher->wait_idle(left) ? Result<void>{} : fail(Code::kTimeout, "on_confirm");
}

Result<void> PutPart::cancel() {
    if (engine_.forked()) return fail(Code::kForked, "made before fork()");
    Waiter waiter(Waiter::Kind::kCancel);
    Dispatcher* dispatcher = nullptr;
    {
        const Lock lock(mutex_);
        dispatcher = dispatcher_.get();
        const std::uint64_t below = outcomes_.decided_below();
        if (below == next_) {
            waiter.done = true;
        } else {
            waiter.end = next_;
            waiter.ranges.push_back({below, next_});
            waiter.ended_by = Code::kStopped;
            waiter.deadline = Instant{};
            waiters_.add(waiter);
        }
    }
    if (!waiter.done) engine_.ready(*this);
    waiter.wait();
    if (dispatcher != nullptr) dispatcher->wait_idle(kForever);
    if (waiter.outcome.code != Code::kOk) return fail(waiter.outcome.code, "puts without an outcome");
    return {};
}

Result<void> PutPart::flush(Millis timeout) {
    auto drained = drain(engine_.deadline_of(timeout));
    if (!drained) return drained;
    const Lock lock(mutex_);
    if (auto refused = take_refusal()) return fail(*refused);
    return {};
}

void PutPart::on_confirm(std::function<void(const Confirmed&)> callback) {
    const Lock lock(mutex_);
    if (next_ != begin_ || dispatcher_ != nullptr) throw std::logic_error("on_confirm: once, before the first put");
    if (callback) dispatcher_ = std::make_unique<Dispatcher>(std::move(callback));
}

}  // namespace telpher::producer
