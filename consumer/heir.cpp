#include "consumer/heir.h"

#include <algorithm>
#include <utility>

#include "consumer/queue_access.h"
#include "proto/session/queue_impl.h"

namespace telpher::consumer {
namespace {

Decision release() { return {.verdict = v1::Settle::VERDICT_RELEASE}; }

/// What the worker had decided and perhaps not sent. Its reason died with it.
Decision again(const LeaseTable::Decided& decided) {
    const bool failed = decided.verdict == v1::Settle::VERDICT_NACK || decided.verdict == v1::Settle::VERDICT_DEAD;
    return {.verdict = decided.verdict,
            .delay_ms = decided.delay_ms.value_or(0),
            .backoff = decided.verdict == v1::Settle::VERDICT_NACK && !decided.delay_ms,
            .reason = failed ? "failed; its worker died before it could say why" : ""};
}

void add_runs(frame::Numbers& numbers, const std::vector<frame::Run>& runs) {
    std::uint64_t previous_end = 0;
    numbers.Reserve(static_cast<int>(3 * runs.size()));
    for (const frame::Run& run : runs) frame::add_run(numbers, previous_end, run);
}

std::uint64_t count_of(const SettleFrame& frame) {
    std::uint64_t count = 0;
    for (const frame::Run& run : frame.runs) count += run.count;
    return count;
}

/// What of `run` is not certain goes back, if it is held at all.
void add_rest(Estate& estate, const frame::Run& run) {
    std::uint64_t from = run.first;
    for (std::uint64_t at = run.first; at <= run.first + run.count; ++at) {
        if (at < run.first + run.count && !estate.certain.contains({at, run.value})) continue;
        if (at > from) estate.bequests.push_back({release(), {from, at - from, run.value}});
        from = at + 1;
    }
}

}  // namespace

Estate estate_of(const LeaseTable& table) {
    Estate estate;
    const auto add = [&](const Decision& decision, std::uint64_t offset, std::uint32_t delivery) {
        if (!estate.certain.emplace(offset, delivery).second) return;
        estate.bequests.push_back({decision, {offset, 1, delivery}});
    };
    for (const LeaseTable::Decided& decided : table.decided()) add(again(decided), decided.offset, decided.delivery);
    for (const LeaseTable::Running& running : table.running()) {
        const bool blamed = running.cause != Cause::kNone;
        add(blamed ? failed(reason_of(running.cause, running.detail)) : release(), running.offset, running.delivery);
    }
    for (const frame::Run& run : table.deliveries()) add_rest(estate, run);
    return estate;
}

Heir::Heir(Estate estate, std::function<void(Heir&)> wake) : wake_(std::move(wake)), estate_(std::move(estate)) {}

// --- waiting ---

std::uint64_t Heir::wait(Millis timeout) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, timeout, [this] { return done_; });
    return settled_;
}

Result<void> Heir::drain(Instant /*deadline*/) { return {}; }

void Heir::finish() {
    next_ = Instant::never();
    const std::lock_guard lock(mutex_);
    done_ = true;
    changed_.notify_all();
}

// --- the connection ---

void Heir::on_connected(session::Wire& wire, const session::Connected& /*connected*/, Instant /*now*/) {
    wire_ = &wire;
    v1::Attach attach;
    attach.set_handle(wire.handle().value());
    wire.call(v1::OP_ATTACH, attach, [weak = weak_from_this(), this](const Result<const session::Frame*>& answer) {
        if (const auto self = weak.lock()) attached(answer);
    });
}

void Heir::attached(const Result<const session::Frame*>& answer) {
    if (wire_ == nullptr) return;
    if (!answer) return finish();
    sub_ = (*answer)->as<v1::Attached>().sub();
    wire_->bind(*sub_, *this);
    if (!batcher_.all_confirmed()) return send();  // of the connection before
    for (Bequest& bequest : std::exchange(estate_.bequests, {})) due_.push_back(std::move(bequest));
    if (due_.empty()) return finish();
    next_ = Instant{};
    wake_(*this);
}

void Heir::on_disconnected(Instant /*now*/) {
    wire_ = nullptr;
    sub_.reset();
    batcher_.restart();
}

void Heir::on_failed(const Error& /*error*/) {
    wire_ = nullptr;
    sub_.reset();
    finish();
}

void Heir::detach() {
    if (wire_ == nullptr || !sub_) return;
    wire_->unbind(*sub_);
    v1::Detach detach;
    detach.set_sub(*sub_);
    wire_->call(v1::OP_DETACH, detach, [](const Result<const session::Frame*>&) {});
    sub_.reset();
}

// --- settling ---

Instant Heir::do_work(Instant now) {
    if (wire_ == nullptr || !sub_) return Instant::never();
    if (now < next_) return next_;
    next_ = Instant::never();
    ++tries_;
    for (const Bequest& bequest : std::exchange(due_, {}))
        batcher_.add(bequest.decision, bequest.run.first, bequest.run.value, bequest.run.count);
    batcher_.close();
    send();
    return next_;
}

void Heir::send() {
    std::uint64_t number = 0;
    while (const SettleFrame* frame = batcher_.next_to_send(number)) {
        v1::Settle settle = to_wire(frame->decision);
        settle.set_epoch(wire_->epoch().value());
        settle.set_sub(*sub_);
        settle.set_settle(number);
        add_runs(*settle.mutable_ranges(), frame->runs);
        wire_->send(v1::OP_SETTLE, settle);
    }
}

Result<void> Heir::on_frame(const session::Frame& frame, Instant now) {
    if (frame.op != v1::OP_SETTLED) return {};  // it takes nothing, so the rest is not for it
    const auto& settled = frame.as<v1::Settled>();
    const frame::Numbers& lost = settled.lost();
    if (lost.size() % 3 != 0) return fail(Code::kProtocol, "SETTLED: lost");
    std::uint64_t lost_count = 0;
    for (int i = 0; i < lost.size(); i += 3) {
        const SettleFrame* sent = batcher_.on_its_way(lost[i]);
        if (sent == nullptr) return fail(Code::kProtocol, "SETTLED: not on its way");
        lost_count += lost[i + 2];
        ask_again(*sent, lost[i + 1], lost[i + 2]);
    }
    std::uint64_t count = 0;
    for (std::uint64_t number = settled.settle(); const SettleFrame* sent = batcher_.on_its_way(number); --number)
        count += count_of(*sent);
    if (!batcher_.confirm(settled.settle())) return fail(Code::kProtocol, "SETTLED: never sent");
    if (count > lost_count) {
        const std::lock_guard lock(mutex_);
        settled_ += count - lost_count;
    }
    if (!batcher_.all_confirmed()) return {};
    if (due_.empty() || tries_ >= kCertainTries) {
        finish();
    } else {
        next_ = now + kPause;
        wake_(*this);
    }
    return {};
}

/// What was refused is tried again: what it was handling for long, the rest, of which most was settled long ago, for a
/// moment.
void Heir::ask_again(const SettleFrame& frame, std::uint64_t first, std::uint64_t count) {
    for (const frame::Run& run : frame.runs) {
        const std::uint64_t from = std::max(first, run.first);
        const std::uint64_t to = std::min(first + count, run.first + run.count);
        if (from >= to) continue;
        if (tries_ < kPossibleTries) {
            due_.push_back({frame.decision, {from, to - from, run.value}});
            continue;
        }
        for (std::uint64_t at = from; at < to; ++at) {
            if (estate_.certain.contains({at, run.value})) due_.push_back({frame.decision, {at, 1, run.value}});
        }
    }
}

std::uint64_t settle_for(Queue& queue, const LeaseTable& table, Millis timeout) {
    Estate estate = estate_of(table);
    if (estate.bequests.empty()) return 0;
    const auto& impl = QueueAccess::impl(queue);
    std::weak_ptr<session::Engine> engine = impl->engine;
    const auto heir = std::make_shared<Heir>(std::move(estate), [engine](Heir& of) {
        if (const auto alive = engine.lock()) alive->ready(of);
    });
    impl->engine->add(impl->link, heir);
    const std::uint64_t settled = heir->wait(timeout);
    impl->engine->post([heir] { heir->detach(); });
    impl->engine->remove(heir);
    return settled;
}

}  // namespace telpher::consumer
