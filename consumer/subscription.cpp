// Subscription: what user threads do.
#include "consumer/subscription.h"

#include <algorithm>

#include "consumer/message_impl.h"

namespace telpher::consumer {

namespace {

using namespace std::chrono_literals;

Decision release() { return {.verdict = v1::Settle::VERDICT_RELEASE}; }
/// A record that cannot be read is nobody's to handle: somebody has to look at it.
Decision unreadable() { return {.verdict = v1::Settle::VERDICT_DEAD, .reason = "the record cannot be read"}; }
/// A wait is looked at again at least so often, whatever the deadline.
constexpr Duration kWaitMax = 1h;

Error forked_error() { return Error(Code::kForked, "made before fork()"); }

}  // namespace

Subscription::Subscription(Options options, const Clock& clock, WakeEngine wake, WaitWithEngine wait)
    : options_(std::move(options)),
      clock_(clock),
      wake_(std::move(wake)),
      wait_(std::move(wait)),
      credit_(options_.prefetch, options_.kind == Kind::kConsumer) {}

// --- next ---

Result<Message> Subscription::next(Millis timeout, const std::stop_token& stop) {
    if (fork_guard_.forked()) return fail(forked_error());
    for (;;) {
        auto taken = take(timeout, stop);
        if (!taken) return fail(std::move(taken.error()));
        auto impl = Message::Impl::decode(taken->delivery, taken->index, taken->record);
        if (impl) return Message(std::move(*impl));
        forget_take();
        settle(*taken->delivery, taken->index, unreadable());
    }
}

Result<DeliveryBuffer::Taken> Subscription::take(Millis timeout, const std::stop_token& stop) {
    DeliveryBuffer::Taken taken;
    {
        Lock lock(mutex_);
        if (getter()) last_get_ = clock_.now();
        if (take_buffered(taken)) {
            wake(lock, false);
            return taken;
        }
        if (getter() && ended_ != Code::kOk && waiting_ == 0) {  // that was for those who waited then
            ended_ = Code::kOk;
            refresh_ = state_ == State::kAttached;
        }
        if (timeout <= 0ms && !over() && ended_ == Code::kOk) return fail(Code::kEmpty);
    }
    // Its destructor waits for a callback that may wait for the mutex, so it must outlive the lock.
    std::optional<std::stop_callback<std::function<void()>>> on_stop;
    if (stop.stop_possible()) {
        on_stop.emplace(stop, [this] {
            { const std::lock_guard lock(mutex_); }
            arrived_.notify_all();
        });
    }
    Lock lock(mutex_);
    ++waiting_;
    auto result = wait_take(lock, deadline_of(timeout), stop);
    --waiting_;
    if (getter()) last_get_ = clock_.now();
    wake(lock, false);
    return result;
}

Result<DeliveryBuffer::Taken> Subscription::wait_take(Lock& lock, Instant deadline, const std::stop_token& stop) {
    DeliveryBuffer::Taken taken;
    for (bool in_time = true;;) {
        if (stop.stop_requested()) return fail(Code::kStopped);
        if (auto error = over()) return fail(std::move(*error));
        if (take_buffered(taken)) return taken;
        if (ended_ != Code::kOk) return fail(ended_);
        if (!in_time) return fail(Code::kEmpty);
        if (worth_a_wake()) {
            wake(lock, true);
            lock.lock();  // much may have changed
        } else {
            in_time = wait_arrived(lock, deadline, stop);
        }
    }
}

bool Subscription::take_buffered(DeliveryBuffer::Taken& out) {
    const bool took = !all_taken() && buffer_.take(out);
    taken_ += took ? 1 : 0;
    return took;
}

/// What was taken is not for the user.
void Subscription::forget_take() {
    const Lock lock(mutex_);
    --taken_;
}

// Waits until something arrived, perhaps for nothing; false: `deadline` is over.
bool Subscription::wait_arrived(Lock& lock, Instant deadline, const std::stop_token& stop) {
    if (!wait_) return wait_until(arrived_, lock, deadline);
    const auto came = [&] { return stop.stop_requested() || over() || ended_ != Code::kOk || buffer_.buffered() > 0; };
    const auto look = [&] {
        const Lock looking(mutex_);
        return came();
    };
    const auto park = [&] {
        Lock parked(mutex_);
        if (!came()) wait_until(arrived_, parked, deadline);
    };
    lock.unlock();
    wait_(look, deadline, park);
    lock.lock();
    return clock_.now() < deadline;
}

void Subscription::stop() {
    if (fork_guard_.forked()) return;
    Lock lock(mutex_);
    stopped_ = true;
    release_buffered();
    arrived_.notify_all();
    wake(lock, false);
}

void Subscription::release_buffered() {
    for (const frame::Run& run : buffer_.recall_all()) batcher_.add(release(), run.first, run.value, run.count);
}

// --- verdicts ---

/// An ack is for what was left out before the message too, which is done: so acks of neighbours are one range.
void Subscription::add_verdict(const Decision& decision, const Delivery& delivery, std::uint32_t index) {
    const std::uint32_t more = decision.verdict == v1::Settle::VERDICT_ACK ? delivery.left_out_before(index) : 0;
    batcher_.add(decision, delivery.first() + index - more, delivery.number(), 1 + more);
}

void Subscription::settle(Delivery& delivery, std::uint32_t index, const Decision& decision) noexcept {
    if (fork_guard_.forked()) return;
    Lock lock(mutex_);
    if (!buffer_.settle(delivery, index) || closed_ || failure_) return;
    add_verdict(decision, delivery, index);
    if (decision.verdict != v1::Settle::VERDICT_RELEASE) ++newly_settled_;
    wake(lock, false);
}

Result<void> Subscription::ack_confirmed(Delivery& delivery, std::uint32_t index, Millis timeout) {
    if (fork_guard_.forked()) return fail(forked_error());
    Lock lock(mutex_);
    const std::uint64_t offset = delivery.first() + index;
    if (failure_) return fail(*failure_);
    if (closed_) return fail(Code::kStopped, "the consumer was closed");
    if (!buffer_.settle(delivery, index)) return fail(Code::kLeaseLost);
    Watch watch{batcher_.open_round(), offset, false};
    add_verdict({}, delivery, index);
    ++newly_settled_;
    watches_.push_back(&watch);
    const auto done = wait_round(lock, watch.round, deadline_of(timeout));
    watches_.remove(&watch);
    if (watch.lost) return fail(Code::kLeaseLost);
    return done;
}

Result<void> Subscription::extend(const Delivery& delivery, std::uint32_t index, Millis lease, Millis timeout) {
    if (fork_guard_.forked()) return fail(forked_error());
    Lock lock(mutex_);
    if (failure_) return fail(*failure_);
    if (closed_) return fail(Code::kStopped, "the consumer was closed");
    if (!delivery.holds(index)) return fail(Code::kLeaseLost);
    const auto extension = std::make_shared<Extension>();
    extension->run = {delivery.first() + index, 1, delivery.number()};
    extension->lease = lease;
    extensions_.push_back(extension);
    const Instant deadline = deadline_of(timeout);
    flush_wanted_ = true;
    wake(lock, true);
    if (!lock.owns_lock()) lock.lock();
    ++settle_waiters_;
    while (!extension->outcome && !failure_ && wait_until(settled_, lock, deadline)) {
    }
    --settle_waiters_;
    extensions_.remove(extension);
    if (extension->outcome) return *extension->outcome;
    return failure_ ? fail(*failure_) : fail(Code::kTimeout);
}

Result<void> Subscription::flush(Millis timeout) {
    if (fork_guard_.forked()) return fail(forked_error());
    Lock lock(mutex_);
    const std::uint64_t round = batcher_.open_round() - (batcher_.open_empty() ? 1 : 0);
    if (const auto done = wait_round(lock, round, deadline_of(timeout)); !done) return done;
    if (std::exchange(lost_acks_, 0) > 0) return fail(Code::kLeaseLost, "an ack came too late");
    return {};
}

Result<void> Subscription::drain(Instant deadline) {
    if (fork_guard_.forked()) return fail(forked_error());
    Lock lock(mutex_);
    return wait_round(lock, batcher_.open_round() - (batcher_.open_empty() ? 1 : 0), deadline);
}

bool Subscription::close(Millis timeout) {
    if (fork_guard_.forked()) return true;
    stop();
    const Instant deadline = deadline_of(timeout);
    (void)drain(deadline);
    Lock lock(mutex_);
    closed_ = true;
    ++settle_waiters_;
    while (state_ == State::kAttaching && wait_until(settled_, lock, deadline)) {
    }
    --settle_waiters_;
    return state_ != State::kAttaching;
}

// Waits until every verdict of `round` and of those before is committed.
Result<void> Subscription::wait_round(Lock& lock, std::uint64_t round, Instant deadline) {
    if (batcher_.done_below() > round) return {};
    if (batcher_.open_round() == round) flush_wanted_ = true;
    wake(lock, true);
    if (!lock.owns_lock()) lock.lock();
    ++settle_waiters_;
    while (batcher_.done_below() <= round && !failure_ && wait_until(settled_, lock, deadline)) {
    }
    --settle_waiters_;
    if (batcher_.done_below() > round) return {};
    return failure_ ? fail(*failure_) : fail(Code::kTimeout);
}

// --- helpers ---

Load Subscription::load() const {
    return {.delivered = delivered_.messages,
            .delivered_bytes = delivered_.bytes,
            .buffered = buffer_.buffered(),
            .buffered_bytes = buffer_.buffered_bytes(),
            .handled = buffer_.handled(),
            .waiting = waiting_,
            .takes_left = options_.messages_max == 0 ? UINT64_MAX : options_.messages_max - taken_};
}

std::optional<Error> Subscription::over() const {
    if (failure_) return failure_;
    if (stopped_ || all_taken()) return Error(Code::kStopped);
    return std::nullopt;
}

bool Subscription::worth_a_wake() const {
    if (scheduled_ || !connected_) return false;
    if (refresh_ || flush_wanted_) return true;
    if (state_ == State::kAttached) {
        if (batcher_.due(buffer_.buffered() == 0)) return true;
        if (!stopped_ && credit_.low(load())) return true;
    }
    if (!getter()) return false;
    return waiting_ > 0 ? state_ == State::kDetached : !getter_idle_ && !getter_armed_;
}

// Lets go of the mutex if the engine has to be woken; a caller that goes on with it takes it again.
void Subscription::wake(Lock& lock, bool waits) {
    if (!worth_a_wake()) return;
    scheduled_ = true;
    lock.unlock();
    wake_(*this, waits);
}

bool Subscription::wait_until(std::condition_variable& changed, Lock& lock, Instant deadline) const {
    const Instant now = clock_.now();
    if (now >= deadline) return false;
    changed.wait_for(lock, deadline == Instant::never() ? kWaitMax : std::min(deadline - now, kWaitMax));
    return true;
}

Instant Subscription::deadline_of(Millis timeout) const {
    constexpr Millis kLongest = std::chrono::hours(24 * 365 * 100);
    return timeout > kLongest ? Instant::never() : clock_.now() + timeout;
}

}  // namespace telpher::consumer
