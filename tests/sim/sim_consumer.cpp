#include "tests/sim/sim_consumer.h"

#include <algorithm>
#include <utility>

#include "proto/batch.h"

namespace telpher::sim {
namespace {

constexpr std::uint64_t kWindow = 8;

}  // namespace

void SimConsumer::opened() {
    sub_ = 0;
    received_ = 0;
    credit_ = world_.healing ? kWindow : world_.random.below(kWindow + 1);
    v1::Attach attach;
    attach.set_req(request());
    attach.set_handle(handle_);
    attach.set_credit_messages(credit_);
    attach.set_credit_bytes(limits::kCreditBytesMax);
    takes_holes_ = chance(70);
    attach.set_holes(takes_holes_);
    std::uint64_t end = 0;
    for (const auto& [offset, held] : held_) frame::add_run(*attach.mutable_held(), end, {offset, 1, held.delivery});
    if (world_.oracle.telling()) tell_held("attaching");
    send(v1::OP_ATTACH, attach);
}

void SimConsumer::forget() {
    held_.clear();
    left_out_.clear();
    open_.clear();
    ended_ = 0;
    may_claim_ = false;
    claim_by_ = Instant();
}

void SimConsumer::losing() {
    if (attached_to_ == peer()) claim_by_ = world_.broker.clock().now() + limits::kResumeGrace;
}

void SimConsumer::broker_died() {
    may_claim_ = peer() && attached_to_ == peer() && world_.broker.transport().connected(*peer());
    claim_by_ = Instant();
}

void SimConsumer::broker_started() {
    if (std::exchange(may_claim_, false)) claim_by_ = world_.broker.clock().now() + limits::kRestartHold;
}

void SimConsumer::take(const Frame& frame) {
    if (frame.op == v1::OP_ATTACHED) {
        attached(frame.as<v1::Attached>());
    } else if (frame.op == v1::OP_DELIVER) {
        delivered(frame);
    } else if (frame.op == v1::OP_SETTLED) {
        settled(frame.as<v1::Settled>());
    } else if (frame.op == v1::OP_END) {
        world_.marks.hit(Sometimes::kEnd);
        ended_ = frame.as<v1::End>().generation();
    } else if (frame.op == v1::OP_RECALL) {
        world_.marks.hit(Sometimes::kRecalled);
    } else {
        unexpected(frame);
    }
}

void SimConsumer::attached(const v1::Attached& attached) {
    sub_ = attached.sub();
    attached_to_ = peer();
    const auto lost = frame::read_ranges(attached.lost(), SIZE_MAX);
    if (!lost) return world_.oracle.violation("unexpected", "a malformed ATTACHED");
    const std::size_t before = held_.size();
    const bool in_time = world_.broker.clock().now() < std::exchange(claim_by_, Instant());
    for (const frame::Run& run : *lost) {
        for (std::uint64_t offset = run.first; offset < run.first + run.count; ++offset) {
            const auto held = held_.find(offset);
            if (held == held_.end() || held->second.settling) continue;
            if (in_time) world_.oracle.claim_lost(held->second.serial, held->second.delivery);
            held_.erase(held);
        }
    }
    world_.marks.hit_if(before > 0 && lost->empty(), Sometimes::kClaimed);
    if (world_.oracle.telling()) tell_held("attached as " + std::to_string(sub_));
    settle_number_ = 0;
    for (OpenSettle& settle : open_) {
        settle.fresh = false;
        send_settle(settle);
    }
}

void SimConsumer::tell_held(const std::string& what) const {
    std::string text = spec_.name + ": a consumer " + what + " holds";
    for (const auto& [offset, held] : held_) {
        text += " " + std::to_string(offset) + "/" + std::to_string(held.delivery) + (held.settling ? "s" : "");
    }
    world_.oracle.note(text);
}

void SimConsumer::delivered(const Frame& frame) {
    const auto deliver = frame.as<v1::Deliver>();
    std::uint64_t at = 0;
    for (std::uint32_t i = 0; i < deliver.count(); ++i) {
        const auto bytes = load_le<std::uint32_t>(frame.bodies.at(0).data() + i * sizeof(std::uint32_t));
        if (bytes == 0) {
            if (!takes_holes_ || i == 0) world_.oracle.violation("unexpected", "a DELIVER with a hole");
            left_out_.insert(deliver.first_offset() + i);
            world_.marks.hit(Sometimes::kHoles);
            continue;
        }
        ++received_;
        const auto record = batch::decode_record(frame.bodies.at(1).bytes().subspan(at, bytes));
        at += bytes;
        if (!record) return world_.oracle.violation("altered", "a record that does not decode");
        held_[deliver.first_offset() + i] = {deliver.delivery(), load_le<Serial>(record->payload.data()), false,
                                             world_.broker.clock().now()};
    }
}

void SimConsumer::settled(const v1::Settled& settled) {
    const auto is_lost = [&](std::uint64_t number, std::uint64_t offset) {
        for (int i = 0; i + 2 < settled.lost_size(); i += 3) {
            const std::uint64_t first = settled.lost(i + 1);
            if (settled.lost(i) == number && offset >= first && offset - first < settled.lost(i + 2)) return true;
        }
        return false;
    };
    while (!open_.empty() && open_.front().number <= settled.settle()) {
        const OpenSettle& settle = open_.front();
        for (const Lease& lease : settle.leases) {
            const bool lost = is_lost(settle.number, lease.offset);
            world_.marks.hit_if(lost, Sometimes::kLeaseLost);
            if (settle.verdict == v1::Settle::VERDICT_ACK) {
                world_.marks.hit_if(lease.late && !lost, Sometimes::kLateAck);
                lost ? world_.oracle.ack_lost(lease.serial, lease.life)
                     : world_.oracle.ack_confirmed(lease.serial, lease.life, lease.taken);
            }
            if (settle.verdict == v1::Settle::VERDICT_DEAD && !lost) {
                world_.marks.hit(Sometimes::kDead);
                world_.oracle.death_confirmed(lease.serial, lease.life, lease.redrives);
            }
            if (settle.verdict == v1::Settle::VERDICT_NACK && !lost && settle.fresh) {
                const Instant due = settle.sent + std::chrono::milliseconds(settle.delay_ms);
                world_.oracle.nack_confirmed(lease.serial, lease.delivery, lease.life, due);
            }
            const auto held = held_.find(lease.offset);
            if (held != held_.end() && held->second.settling && held->second.delivery == lease.delivery) {
                held_.erase(held);
            }
        }
        open_.pop_front();
    }
}

void SimConsumer::act() {
    if (sub_ == 0) return;
    if (world_.healing || chance(25)) raise_credit();
    if (world_.healing || chance(30)) settle_some();
}

void SimConsumer::raise_credit() {
    const std::uint64_t credit = received_ + (world_.healing ? kWindow : world_.random.below(kWindow + 1));
    if (credit <= credit_) return;
    credit_ = credit;
    v1::Credit message;
    message.set_sub(sub_);
    message.set_messages(credit_);
    message.set_bytes(limits::kCreditBytesMax);
    send(v1::OP_CREDIT, message);
}

void SimConsumer::settle_some() {
    OpenSettle settle;
    const std::uint64_t die = world_.healing ? 0 : world_.random.below(100);
    settle.verdict = die < 70   ? v1::Settle::VERDICT_ACK
                     : die < 90 ? v1::Settle::VERDICT_NACK
                                : v1::Settle::VERDICT_RELEASE;
    if (spec_.max_attempts > 0 && die >= 65 && die < 70) settle.verdict = v1::Settle::VERDICT_DEAD;
    settle.backoff = settle.verdict == v1::Settle::VERDICT_NACK && chance(30);
    if (settle.verdict == v1::Settle::VERDICT_NACK && chance(60)) settle.delay_ms = world_.random.below(800);
    for (auto& [offset, held] : held_) {
        if (held.settling || (!world_.healing && chance(40))) continue;  // slow with some of them
        held.settling = true;
        const bool acks = settle.verdict == v1::Settle::VERDICT_ACK;
        world_.oracle.let_go(held.serial);
        const std::uint64_t life = acks ? world_.oracle.acked(held.serial) : world_.oracle.life_of(held.serial);
        settle.leases.push_back({offset, held.delivery, held.serial, life, world_.oracle.killed(held.serial)});
        const auto age = world_.broker.clock().now() - held.since;
        settle.leases.back().taken = world_.oracle.taken_over(held.serial, held.delivery);
        if (settle.verdict == v1::Settle::VERDICT_NACK) world_.oracle.nacked(held.serial);
        settle.leases.back().late = spec_.lease_ms > 0 && age > 2 * std::chrono::milliseconds(spec_.lease_ms);
    }
    if (settle.leases.empty()) return;
    settle.sent = world_.broker.clock().now();
    settle.fresh = spec_.lease_ms == 0 && spec_.max_attempts == 0 && !settle.backoff;
    open_.push_back(std::move(settle));
    send_settle(open_.back());
}

void SimConsumer::send_settle(OpenSettle& settle) {
    settle.number = ++settle_number_;
    v1::Settle message;
    message.set_sub(sub_);
    message.set_settle(settle.number);
    message.set_verdict(settle.verdict);
    message.set_delay_ms(settle.delay_ms);
    message.set_backoff(settle.backoff);
    std::uint64_t end = 0;
    world_.work.settles += settle.leases.size();
    for (const frame::Run& run : runs_of(settle)) frame::add_run(*message.mutable_ranges(), end, run);
    send(v1::OP_SETTLE, message);
}

/// Acks of messages with nothing between them but what was left out are one range.
std::vector<frame::Run> SimConsumer::runs_of(const OpenSettle& settle) const {
    std::vector<frame::Run> runs;
    for (const Lease& lease : settle.leases) {
        const auto joins = [&](const frame::Run& last) {
            if (last.value != lease.delivery) return false;
            std::uint64_t at = last.first + last.count;
            while (at < lease.offset && left_out_.contains(at)) ++at;
            return at == lease.offset;
        };
        if (settle.verdict == v1::Settle::VERDICT_ACK && !runs.empty() && joins(runs.back())) {
            runs.back().count = lease.offset + 1 - runs.back().first;
        } else {
            runs.push_back({lease.offset, 1, lease.delivery});
        }
    }
    return runs;
}

}  // namespace telpher::sim
