#include "tests/sim/oracle.h"

#include <algorithm>
#include <ostream>
#include <utility>

namespace telpher::sim {

std::string payload_of(Serial serial) {
    // Mostly small, now and then much larger, so that batches differ in what they weigh.
    const std::uint64_t mixed = (serial + 1) * 0x9e3779b97f4a7c15ULL;
    const std::size_t filler = mixed % 16 == 0 ? mixed % 1500 : mixed % 60;
    std::string payload(sizeof serial + filler, '\0');
    store_le(reinterpret_cast<std::byte*>(payload.data()), serial);
    for (std::size_t i = sizeof serial; i < payload.size(); ++i) payload[i] = static_cast<char>(serial * 31 + i);
    return payload;
}

Oracle::Oracle(std::vector<QueueSpec> queues) {
    for (QueueSpec& spec : queues) queues_.push_back({.spec = std::move(spec)});
}

void Oracle::tell(std::ostream& out) {
    out_ = &out;
    for (const Queue& queue : queues_) {
        out << queue.spec.name << ": maxsize " << queue.spec.maxsize << ", on_full "
            << static_cast<int>(queue.spec.on_full) << ", durability " << static_cast<int>(queue.spec.durability)
            << ", lease " << queue.spec.lease_ms << " ms\n";
    }
}

void Oracle::violation(const std::string& property, const std::string& text) {
    if (!verdict_.empty()) return;
    note("VIOLATION " + property + ": " + text);
    verdict_ = property + ": " + text;
    lost_ = property == "lost";
}

void Oracle::note(const std::string& text) {
    if (out_ != nullptr) *out_ << text << "\n";
}

std::string Oracle::name(Serial serial) const {
    const Message& message = messages_[serial];
    std::string name = "message " + std::to_string(serial) + " of " + queues_[message.queue].spec.name;
    if (message.offset) name += " at " + std::to_string(*message.offset);
    return name;
}

Serial Oracle::made(std::size_t queue, std::uint64_t lane, std::uint64_t position) {
    messages_.push_back({.queue = queue, .lane = lane, .position = position, .floor = queues_[queue].confirmed_end});
    if (out_ != nullptr) note("put " + name(messages_.size() - 1));
    return messages_.size() - 1;
}

/// One message has one offset, and an offset one message, for all observers.
void Oracle::place(Serial serial, std::uint64_t offset, const char* by) {
    Message& message = messages_[serial];
    const std::string where = " (" + std::string(by) + " at " + std::to_string(offset) + ")";
    if (message.offset && *message.offset != offset) violation("two offsets", name(serial) + where);
    const auto [found, fresh] = queues_[message.queue].by_offset.emplace(offset, serial);
    if (!fresh && found->second != serial) {
        // A confirmed message whose offset went to another is not there any more.
        const Message& other = messages_[found->second];
        violation(other.stored && !other.settled ? "lost" : "offset reused", name(found->second) + where);
    }
    if (offset < message.floor) violation("order", name(serial) + " lies below what was confirmed before it" + where);
    message.offset = offset;
    check_lane(serial, offset);
}

/// What somebody holds is nobody else's, and a settle names one delivery only.
void Oracle::check_lease(Serial serial, const Delivery& delivery) {
    Message& message = messages_[serial];
    if (delivery.delivery <= message.delivery) {
        violation("delivery", name(serial) + " is delivered for time " + std::to_string(delivery.delivery) + " again");
    }
    const bool may_expire = queues_[message.queue].spec.lease_ms > 0;
    if (message.holder && *message.holder != delivery.sub && !may_expire && is_attached_(*message.holder)) {
        violation("lease", name(serial) + " is still held by " + std::to_string(*message.holder));
    }
    message.delivery = delivery.delivery;
    message.holder = delivery.sub;
}

/// Only failures count as attempts, each once; a delay is kept.
void Oracle::check_retry(Serial serial, const Delivery& delivery) {
    const Message& message = messages_[serial];
    if (delivery.delivery == message.due_delivery && delivery.at < message.due) {
        violation("delay", name(serial) + " comes before its delay is over");
    }
    if (queues_[message.queue].spec.lease_ms == 0 && delivery.attempt > message.nacks + 1) {
        violation("attempt", name(serial) + " is at attempt " + std::to_string(delivery.attempt) + " after " +
                                 std::to_string(message.nacks) + " nacks");
    }
}

void Oracle::claim_lost(Serial serial, std::uint32_t delivery) {
    const Message& message = messages_[serial];
    const QueueSpec& spec = queues_[message.queue].spec;
    if (message.delivery != delivery || spec.lease_ms > 0 || spec.durability != Durability::kFsync) return;
    violation("lease", name(serial) + " is taken from who came back in time");
}

/// Messages of one producer lie in the queue as they were put.
void Oracle::check_lane(Serial serial, std::uint64_t offset) {
    const Message& message = messages_[serial];
    auto& lane = queues_[message.queue].lanes[message.lane];
    const auto at = lane.insert_or_assign(message.position, offset).first;
    const bool above = at == lane.begin() || std::prev(at)->second < offset;
    const bool below = std::next(at) == lane.end() || std::next(at)->second > offset;
    if (!above || !below) violation("order", name(serial) + " does not lie where its producer put it");
}

/// Counts what is in a queue without asking the broker: its own count might be what is wrong.
void Oracle::there_for_sure(Message& message) {
    Queue& queue = queues_[message.queue];
    // Of what was acked, given back with the last attempt or dropped nobody knows.
    const bool may_go = queue.spec.max_attempts > 0 || queue.spec.on_full == OnFull::kDropOldest;
    if (message.certain || may_go || message.acks_open > 0 || message.settled) return;
    message.certain = true;
    if (++queue.certain > queue.spec.maxsize) {
        violation("bound", queue.spec.name + " holds " + std::to_string(queue.certain) + " that nobody settled");
    }
}

void Oracle::uncertain(Message& message) {
    if (std::exchange(message.certain, false)) --queues_[message.queue].certain;
}

void Oracle::stored(Serial serial, std::uint64_t offset) {
    Message& message = messages_[serial];
    if (message.refused) violation("two verdicts", name(serial) + " stored after it was refused");
    place(serial, offset, "confirmed");
    if (out_ != nullptr) note("stored " + name(serial));
    if (!message.stored) ++confirmed_;
    message.stored = true;
    there_for_sure(message);
    std::uint64_t& end = queues_[message.queue].confirmed_end;
    end = std::max(end, offset + 1);
}

void Oracle::refused(Serial serial, Code code) {
    Message& message = messages_[serial];
    if (out_ != nullptr) note("refused " + name(serial) + " " + std::string(info(code).name));
    if (message.stored) violation("two verdicts", name(serial) + " refused after it was stored");
    if (message.delivered) violation("refused delivered", name(serial) + " refused after it was delivered");
    if (message.refused && *message.refused != code && code != Code::kCancelled) {
        violation("two verdicts", name(serial) + " refused for another reason");
    }
    message.refused = code;
}

void Oracle::counted(Serial serial) {
    Message& message = messages_[serial];
    if (message.refused) violation("two verdicts", name(serial) + " counted as stored after it was refused");
    message.stored = true;
}

void Oracle::attached(std::uint32_t sub, std::size_t queue) { attachments_[sub] = {queue, std::nullopt}; }

void Oracle::delivered(const Delivery& delivery, Bytes payload) {
    const auto attachment = attachments_.find(delivery.sub);
    if (attachment == attachments_.end()) return violation("invented", "a delivery to nobody");
    if (payload.size() < sizeof(Serial)) return violation("invented", "a payload nobody made");
    const auto serial = load_le<Serial>(payload.data());
    if (serial >= messages_.size()) return violation("invented", "a payload nobody made");
    if (as_text(payload) != payload_of(serial)) return violation("altered", name(serial));
    Message& message = messages_[serial];
    if (message.queue != attachment->second.queue) return violation("invented", name(serial) + " in another queue");
    place(serial, delivery.offset, "delivered");
    if (out_ != nullptr)
        note("delivered " + name(serial) + " for time " + std::to_string(delivery.delivery) + " to " +
             std::to_string(delivery.sub));
    if (message.refused) violation("refused delivered", name(serial));
    if (message.settled) violation("delivered after settle", name(serial));
    if (message.dead == queues_[message.queue].redrives) violation("dead letter delivered", name(serial));
    if (queues_[message.queue].ended) violation("delivered after the end", name(serial));
    std::optional<std::uint64_t>& newest = attachment->second.newest;
    if (!message.delivered && delivery.delivery == 1) {
        if (newest && delivery.offset < *newest)
            violation("order", name(serial) + " came after " + std::to_string(*newest));
        newest = delivery.offset;
    }
    check_lease(serial, delivery);
    check_retry(serial, delivery);
    redelivered_ += message.delivered ? 1 : 0;
    message.delivered = true;
    there_for_sure(message);
}

void Oracle::check_over(std::size_t queue, const char* what) {
    const Queue& of = queues_[queue];
    if (!of.seal_asked) violation("end too early", std::string(what) + " of a queue that nobody sealed");
    if (of.spec.on_full == OnFull::kDropOldest) return;
    for (Serial serial = 0; serial < messages_.size(); ++serial) {
        const Message& message = messages_[serial];
        if (message.queue != queue || !message.stored || message.settled || message.acks_open > 0) continue;
        violation("end too early", std::string(what) + " before " + name(serial) + " was settled");
    }
}

void Oracle::end_sent(std::uint32_t sub, std::uint32_t generation) {
    const auto attachment = attachments_.find(sub);
    if (attachment == attachments_.end()) return violation("invented", "an end to nobody");
    check_over(attachment->second.queue, "END");
    Queue& queue = queues_[attachment->second.queue];
    if (generation > queue.reopened) queue.ended = true;
}

void Oracle::joined(std::size_t queue) { check_over(queue, "JOINED"); }

std::uint64_t Oracle::acked(Serial serial) {
    if (out_ != nullptr) note("acked " + name(serial));
    ++messages_[serial].acks_open;
    uncertain(messages_[serial]);
    return queues_[messages_[serial].queue].life;
}

void Oracle::nack_confirmed(Serial serial, std::uint32_t delivery, std::uint64_t life, Instant due) {
    Message& message = messages_[serial];
    if (life != queues_[message.queue].life) return;
    message.due = due;
    message.due_delivery = delivery + 1;
}

void Oracle::ack_confirmed(Serial serial, std::uint64_t life, std::uint32_t taken) {
    Message& message = messages_[serial];
    if (out_ != nullptr) note("settled " + name(serial));
    if (life != queues_[message.queue].life) return;
    --message.acks_open;
    // It was in other hands already, and they have not opened since.
    const bool may_expire = queues_[message.queue].spec.lease_ms > 0;
    if (taken > 0 && message.delivery == taken && message.holder && !may_expire && is_attached_(*message.holder)) {
        violation("lease", name(serial) + " is acked by who holds it no more");
    }
    if (!message.settled) ++settled_;
    message.settled = true;
}

void Oracle::ack_lost(Serial serial, std::uint64_t life) {
    Message& message = messages_[serial];
    if (out_ != nullptr) note("lease lost " + name(serial));
    if (life == queues_[message.queue].life) --message.acks_open;
}

void Oracle::death_confirmed(Serial serial, std::uint64_t life, std::uint64_t redrives) {
    Message& message = messages_[serial];
    if (out_ != nullptr) note("dead " + name(serial));
    if (life == queues_[message.queue].life) message.dead = redrives;
}

void Oracle::observed(std::size_t queue, const v1::QueueState& state) {
    check_bound(queue, state);
    queues_[queue].dropped = state.dropped();
}

void Oracle::check_bound(std::size_t queue, const v1::QueueState& state) {
    const QueueSpec& spec = queues_[queue].spec;
    const std::uint64_t live = state.ready() + state.leased() + state.delayed();
    if (live > spec.maxsize) violation("bound", spec.name + " holds " + std::to_string(live));
    if (state.high_water() > spec.maxsize) {
        violation("bound", spec.name + " held " + std::to_string(state.high_water()));
    }
}

std::optional<Serial> Oracle::any_live(Serial from) const {
    const auto found = std::find_if(messages_.begin() + static_cast<std::ptrdiff_t>(from), messages_.end(),
                                    [](const Message& message) { return message.certain; });
    if (found == messages_.end()) return std::nullopt;
    return static_cast<Serial>(found - messages_.begin());
}

void Oracle::died(Death death) {
    note(death == Death::kStop ? "-- stopped" : death == Death::kKill ? "-- killed" : "-- power cut");
    attachments_.clear();
    for (Message& message : messages_) message.holder.reset();
    for (std::size_t i = 0; i < queues_.size(); ++i) {
        const Durability durability = queues_[i].spec.durability;
        if (durability == Durability::kMemory || (durability == Durability::kAsync && death == Death::kPowerCut)) {
            forget(i);
        }
    }
}

/// The queue may have lost anything: what was told of its messages holds no longer. Refusals do.
void Oracle::forget(std::size_t queue) {
    Queue& of = queues_[queue];
    of.by_offset.clear();
    of.lanes.clear();
    of.confirmed_end = 0;
    of.certain = 0;
    ++of.life;
    if (of.spec.durability == Durability::kMemory) of.ended = false;
    for (Message& message : messages_) {
        if (message.queue != queue) continue;
        const bool may_be_settled = message.settled || message.acks_open > 0;
        message = {.queue = queue,
                   .lane = message.lane,
                   .position = message.position,
                   .refused = message.refused,
                   .nacks = message.nacks,
                   .acks_open = may_be_settled ? 1U : 0U};
    }
}

void Oracle::finish() {
    std::vector<std::uint64_t> missing(queues_.size());
    for (Serial serial = 0; serial < messages_.size(); ++serial) {
        const Message& message = messages_[serial];
        if (!message.stored || message.settled || message.acks_open > 0) continue;
        const Queue& of = queues_[message.queue];
        ++missing[message.queue];
        const std::uint64_t may_miss = of.spec.on_full == OnFull::kDropOldest ? of.dropped : 0;
        if (missing[message.queue] > may_miss) violation("lost", name(serial));
    }
}

}  // namespace telpher::sim
