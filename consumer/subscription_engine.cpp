// Subscription: what the engine thread does.
#include <algorithm>

#include "consumer/held.h"
#include "consumer/subscription.h"

namespace telpher::consumer {

namespace {

using namespace std::chrono_literals;

/// An ATTACH that was refused for now is tried again after this.
constexpr Duration kAttachPause = 500ms;
/// No lease is longer; a broker that says so is not believed.
constexpr Millis kLeaseMax = limits::kNackDelayMax;

void add_runs(frame::Numbers& numbers, const std::vector<frame::Run>& runs) {
    std::uint64_t previous_end = 0;
    numbers.Reserve(static_cast<int>(3 * runs.size()));
    for (const frame::Run& run : runs) frame::add_run(numbers, previous_end, run);
}

}  // namespace

// --- the connection ---

void Subscription::on_connected(session::Wire& wire, const session::Connected& connected, Instant now) {
    wire_ = &wire;
    attach_at_ = now;
    const std::lock_guard lock(mutex_);
    connected_ = true;
    // A memory queue that starts anew with the broker has lost what was in it, its seal included: who waits for the end
    // must know.
    const bool memory = connected.opened.options().durability() == static_cast<std::uint32_t>(Durability::kMemory);
    if (connected.restarted && memory && connected.opened.generation() > generation_) {
        ended_ = Code::kLost;
        arrived_.notify_all();
    }
    generation_ = connected.opened.generation();
    lease_ = Millis(std::min<std::uint64_t>(connected.opened.options().lease_ms(), kLeaseMax.count()));
}

void Subscription::on_disconnected(Instant /*now*/) {
    wire_ = nullptr;
    const std::lock_guard lock(mutex_);
    connected_ = false;
    forget_attachment();
}

void Subscription::forget_attachment() {
    state_ = State::kDetached;
    if (settle_waiters_ > 0) settled_.notify_all();
    delivered_ = {};
    credit_.restart();
    batcher_.restart();
    for (const auto& extension : extensions_) extension->sent = false;
}

void Subscription::on_failed(const Error& error) {
    wire_ = nullptr;
    const std::lock_guard lock(mutex_);
    fail_all(error);
}

void Subscription::fail_all(const Error& error) {
    connected_ = false;
    forget_attachment();
    failure_ = error;
    (void)buffer_.recall_all();
    arrived_.notify_all();
    settled_.notify_all();
}

bool Subscription::idle() const {
    const std::lock_guard lock(mutex_);
    return !unsettled() && buffer_.buffered() == 0 && state_ != State::kAttaching;
}

void Subscription::detach() {
    {
        const std::lock_guard lock(mutex_);
        if (wire_ == nullptr || state_ != State::kAttached) return;
        forget_attachment();
    }
    Outbox out;
    out.detach = true;
    send(out);
}

// --- sending ---

Instant Subscription::do_work(Instant now) {
    Instant due = Instant::never();
    {
        const std::lock_guard lock(mutex_);
        scheduled_ = false;
        if (wire_ == nullptr) return due;
        if (getter()) due = getter_turn(now);
        if (state_ != State::kAttached) due = std::min(due, std::max(attach_at_, now + kAttachPause));
    }
    pump(now);
    const std::lock_guard lock(mutex_);
    if (keeps_leases()) due = std::min(due, state_ == State::kAttached ? keep_at_ : now + lease_ / 3);
    return due;
}

/// Sends what can be sent now.
void Subscription::pump(Instant now) {
    Outbox out;
    {
        const std::lock_guard lock(mutex_);
        fill(out, now);
    }
    send(out);
}

void Subscription::fill(Outbox& out, Instant now) {
    // A getter that nobody uses leaves as soon as all its verdicts are committed.
    if (getter() && (getter_idle_ || refresh_) && state_ == State::kAttached && !unsettled() &&
        buffer_.buffered() == 0) {
        out.detach = true;
        refresh_ = false;
        forget_attachment();
    }
    const bool wanted = !closed_ && (unsettled() || (getter() ? waiting_ > 0 : !stopped_));
    if (state_ == State::kDetached && wanted && now >= attach_at_) {
        fill_attach(out, now);
    } else if (state_ == State::kAttached) {
        fill_attached(out, now);
    }
}

/// Finds out whether a getter is idle; returns when to look again.
Instant Subscription::getter_turn(Instant now) {
    getter_armed_ = false;
    if (waiting_ > 0) {
        getter_idle_ = false;  // the last one to leave has us called
    } else if (!getter_idle_ && now < last_get_ + kGetterIdle) {
        getter_armed_ = true;
        return last_get_ + kGetterIdle;
    } else if (!getter_idle_) {
        getter_idle_ = true;
        release_buffered();
    }
    return Instant::never();
}

void Subscription::fill_attach(Outbox& out, Instant now) {
    std::vector<frame::Run> all;
    buffer_.for_each_held([&](const frame::Run& run, bool /*handled*/) { all.push_back(run); });
    batcher_.for_each_unconfirmed([&](const frame::Run& run) { all.push_back(run); });
    const Held held = merge_held(std::move(all), limits::kSettleRangesMax);
    buffer_.lose(held.left_out);

    v1::Attach& attach = out.attach.emplace();
    attach.set_handle(wire_->handle().value());
    attach.set_consumer_name(options_.name);
    attach.set_holes(true);
    add_runs(*attach.mutable_held(), held.runs);
    if (!stopped_) (void)credit_.raise(load(), now);
    attach.set_credit_messages(credit_.granted().messages);
    attach.set_credit_bytes(credit_.granted().bytes);
    state_ = State::kAttaching;
}

void Subscription::fill_attached(Outbox& out, Instant now) {
    credit_.settled(std::exchange(newly_settled_, 0), now);
    if (flush_wanted_ || batcher_.due(buffer_.buffered() == 0)) batcher_.close();
    flush_wanted_ = false;
    std::uint64_t number = 0;
    while (const SettleFrame* frame = batcher_.next_to_send(number)) {
        v1::Settle& settle = out.settles.emplace_back(to_wire(frame->decision));
        settle.set_settle(number);
        add_runs(*settle.mutable_ranges(), frame->runs);
    }
    for (const auto& extension : extensions_) {
        if (std::exchange(extension->sent, true) || extension->outcome) continue;
        out.extensions.push_back(extension);
    }
    if (keeps_leases() && now >= keep_at_) fill_keep(out, now);
    if (stopped_ || (getter() && getter_idle_)) return;
    if (const auto limits = credit_.raise(load(), now)) {
        out.credit.emplace();
        out.credit->set_messages(limits->messages);
        out.credit->set_bytes(limits->bytes);
    }
}

// A lease that was lost meanwhile is noticed when its verdict is.
void Subscription::fill_keep(Outbox& out, Instant now) {
    keep_at_ = now + lease_ / 3;
    std::vector<frame::Run> all;
    buffer_.for_each_held([&](const frame::Run& run, bool /*handled*/) { all.push_back(run); }, true);
    if (all.empty()) return;
    out.keep.emplace();
    out.keep->set_lease_ms(static_cast<std::uint64_t>(lease_.count()));
    add_runs(*out.keep->mutable_ranges(), merge_held(std::move(all), limits::kSettleRangesMax).runs);
}

void Subscription::send(Outbox& out) {
    if (out.detach) {
        wire_->unbind(sub_);
        v1::Detach detach;
        detach.set_sub(sub_);
        wire_->call(v1::OP_DETACH, detach, [](const Result<const session::Frame*>&) {});
    }
    if (out.attach) {
        wire_->call(v1::OP_ATTACH, *out.attach,
                    [weak = weak_from_this(), this](const Result<const session::Frame*>& answer) {
                        if (const auto self = weak.lock()) on_attached(answer);
                    });
    }
    const std::uint32_t epoch = wire_->epoch().value();
    for (v1::Settle& settle : out.settles) {
        settle.set_epoch(epoch);
        settle.set_sub(sub_);
        wire_->send(v1::OP_SETTLE, settle);
    }
    for (const auto& extension : out.extensions) send_extension(extension);
    if (out.keep) {
        out.keep->set_sub(sub_);
        wire_->call(v1::OP_EXTEND, *out.keep, [](const Result<const session::Frame*>&) {});
    }
    if (out.credit) {
        out.credit->set_epoch(epoch);
        out.credit->set_sub(sub_);
        wire_->send(v1::OP_CREDIT, *out.credit);
    }
}

void Subscription::send_extension(const std::shared_ptr<Extension>& extension) {
    v1::Extend extend;
    extend.set_sub(sub_);
    extend.set_lease_ms(static_cast<std::uint64_t>(extension->lease.count()));
    add_runs(*extend.mutable_ranges(), {extension->run});
    wire_->call(v1::OP_EXTEND, extend,
                [weak = weak_from_this(), this, extension](const Result<const session::Frame*>& answer) {
                    if (const auto self = weak.lock()) on_extended(*extension, answer);
                });
}

// --- answers ---

void Subscription::on_attached(const Result<const session::Frame*>& answer) {
    if (wire_ == nullptr) return;  // closed meanwhile
    const Instant now = clock_.now();
    if (!answer) {
        const std::lock_guard lock(mutex_);
        forget_attachment();
        attach_at_ = now + kAttachPause;
        if (!info(answer.error().code()).retryable) fail_all(answer.error());
        return;
    }
    const auto& attached = (*answer)->as<v1::Attached>();
    const auto lost = frame::read_ranges(attached.lost(), limits::kControlHeaderBytes);
    sub_ = attached.sub();
    bool left = false;
    {
        const std::lock_guard lock(mutex_);
        if (lost) buffer_.lose(*lost);
        state_ = State::kAttached;
        keep_at_ = now;
        if (settle_waiters_ > 0) settled_.notify_all();
        left = closed_;
    }
    if (left) return detach();
    wire_->bind(sub_, *this);
    pump(now);
}

void Subscription::on_extended(Extension& extension, const Result<const session::Frame*>& answer) {
    const std::lock_guard lock(mutex_);
    if (!answer) {
        extension.outcome = fail(answer.error());
    } else if ((*answer)->as<v1::Extended>().lost_size() > 0) {
        extension.outcome = fail(Code::kLeaseLost);
    } else {
        extension.outcome = Result<void>{};
    }
    settled_.notify_all();
}

// --- frames ---

Result<void> Subscription::on_frame(const session::Frame& frame, Instant now) {
    Result<void> done;
    switch (frame.op) {
        case v1::OP_DELIVER:
            return on_deliver(frame, now);
        case v1::OP_SETTLED:
            done = on_settled(frame.as<v1::Settled>());
            break;
        case v1::OP_RECALL:
            done = on_recall(frame.as<v1::Recall>());
            break;
        case v1::OP_END:
            on_end();
            break;
        default:
            return fail(Code::kProtocol, "a frame that is not for a consumer");
    }
    if (done) pump(now);
    return done;
}

Result<void> Subscription::on_deliver(const session::Frame& frame, Instant now) {
    auto delivery = Delivery::parse(frame.as<v1::Deliver>(), frame.bodies[0], frame.bodies[1],
                                    std::static_pointer_cast<Subscription>(shared_from_this()));
    if (!delivery) return fail(delivery.error());
    const std::uint32_t count = (*delivery)->messages();
    std::uint32_t takers = 0;
    bool unwanted = false;
    {
        const std::lock_guard lock(mutex_);
        delivered_.messages += count;
        delivered_.bytes += (*delivery)->charge();
        ended_ = Code::kOk;
        if (options_.on_deliver) options_.on_deliver(**delivery);
        buffer_.push(std::move(*delivery));
        takers = std::min(count, waiting_);
        unwanted = stopped_ || (getter() && getter_idle_ && waiting_ == 0);
        if (unwanted) release_buffered();
    }
    for (; takers > 0; --takers) arrived_.notify_one();
    if (unwanted) pump(now);
    return {};
}

Result<void> Subscription::on_settled(const v1::Settled& settled) {
    const frame::Numbers& lost = settled.lost();
    if (lost.size() % 3 != 0) return fail(Code::kProtocol, "SETTLED: lost");
    const std::lock_guard lock(mutex_);
    for (int i = 0; i < lost.size(); i += 3) {
        const SettleFrame* frame = batcher_.on_its_way(lost[i]);
        if (frame == nullptr) return fail(Code::kProtocol, "SETTLED: not on its way");
        note_lost(*frame, lost[i + 1], lost[i + 2]);
    }
    if (!batcher_.confirm(settled.settle())) return fail(Code::kProtocol, "SETTLED: never sent");
    if (settle_waiters_ > 0) settled_.notify_all();
    return {};
}

void Subscription::note_lost(const SettleFrame& frame, std::uint64_t first, std::uint64_t count) {
    if (frame.decision.verdict != v1::Settle::VERDICT_ACK) return;
    lost_acks_ += count;
    for (Watch* watch : watches_) {
        if (watch->round == frame.round && watch->offset - first < count) watch->lost = true;
    }
}

Result<void> Subscription::on_recall(const v1::Recall& recall) {
    const auto runs = frame::read_runs(recall.ranges(), limits::kSettleRangesMax);
    if (!runs) return fail(runs.error());
    const std::lock_guard lock(mutex_);
    for (const frame::Run& run : buffer_.recall(*runs))
        batcher_.add({.verdict = v1::Settle::VERDICT_RELEASE}, run.first, run.value, run.count);
    return {};
}

void Subscription::on_end() {
    const std::lock_guard lock(mutex_);
    ended_ = Code::kEnd;
    arrived_.notify_all();
}

}  // namespace telpher::consumer
