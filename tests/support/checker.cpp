#include "tests/support/checker.h"

#include <sstream>

namespace telpher::test {

std::string_view name_of(Property property) {
    switch (property) {
        case Property::kLost:
            return "lost";
        case Property::kInvented:
            return "invented";
        case Property::kAltered:
            return "altered";
        case Property::kAfterSettle:
            return "delivered after its settle was confirmed";
        case Property::kUnflagged:
            return "duplicate not flagged";
        case Property::kTwoOffsets:
            return "two offsets";
        case Property::kOffsetReused:
            return "offset reused";
        case Property::kOrder:
            return "order";
        case Property::kOutOfOrder:
            return "delivered out of order";
        case Property::kRefusedDelivered:
            return "refused but delivered";
        case Property::kEndTooEarly:
            return "end too early";
        case Property::kEndTwice:
            return "end twice";
        case Property::kMalformed:
            return "malformed";
    }
    return "?";
}

void Checker::broken(Property property, const Event& event, const std::string& why) {
    ++verdict_.broken[property];
    if (verdict_.violations.size() < kViolationsKept) {
        verdict_.violations.push_back({property, why + ": " + to_line(event)});
    }
}

void Checker::see(const Event& event) {
    if (event.time_ns < time_ns_) broken(Property::kMalformed, event, "time goes back");
    time_ns_ = event.time_ns;
    switch (event.kind) {
        case Event::Kind::kPut:
            return put(event);
        case Event::Kind::kConfirmed:
            return confirmed(event);
        case Event::Kind::kRefused:
            return refused(event);
        case Event::Kind::kUnknown:
            return unknown(event);
        case Event::Kind::kDelivered:
            return delivered(event);
        case Event::Kind::kAck:
        case Event::Kind::kSettled:
        case Event::Kind::kLost:
            return acked(event);
        case Event::Kind::kEnd:
            return ended(event);
        case Event::Kind::kDrained:
            drained_ = true;
            return;
    }
}

void Checker::put(const Event& event) {
    ++verdict_.puts;
    Producer& producer = producers_[event.producer];
    auto put = std::make_unique<Put>();
    put->producer = event.producer;
    put->seq = event.seq;
    put->hash = event.hash;
    put->floor = confirmed_below_;
    const bool known = producer.done.contains(event.seq) || producer.refused.contains(event.seq);
    if (known || !producer.live.emplace(event.seq, std::move(put)).second) {
        broken(Property::kMalformed, event, "put twice");
    }
}

/// The put of an outcome event; nothing, and a violation, if there is none that still waits.
Checker::Put* Checker::open_put(const Event& event) {
    Producer& producer = producers_[event.producer];
    const auto found = producer.live.find(event.seq);
    if (found == producer.live.end() || found->second->outcome != Outcome::kOpen) {
        broken(Property::kMalformed, event, "an outcome of no put, or a second one");
        return nullptr;
    }
    return found->second.get();
}

void Checker::take_id(Put& put, std::uint64_t id) {
    const Event event{
        .kind = Event::Kind::kConfirmed, .time_ns = time_ns_, .producer = put.producer, .seq = put.seq, .id = id};
    if (put.id) {
        if (*put.id != id) broken(Property::kTwoOffsets, event, "it had " + std::to_string(*put.id));
        return;
    }
    const auto [other, fresh] = by_id_.emplace(id, &put);
    if (!fresh) {
        broken(Property::kOffsetReused, event,
               "it belongs to " + other->second->producer + " " + std::to_string(other->second->seq));
        return;
    }
    put.id = id;
    if (settled_ids_.contains(id)) broken(Property::kOffsetReused, event, "it belongs to a settled message");
    if (id < put.floor)
        broken(Property::kOrder, event,
               "offsets below " + std::to_string(put.floor) + " were confirmed before the put");
}

void Checker::confirmed(const Event& event) {
    ++verdict_.confirmed;
    Put* const put = open_put(event);
    if (put == nullptr) return;
    put->outcome = Outcome::kConfirmed;
    take_id(*put, event.id);
    confirmed_below_ = std::max(confirmed_below_, event.id + 1);
    if (!ended_.empty() && !put->delivered) broken(Property::kEndTooEarly, event, "confirmed after the end");
    if (put->settled) retire(*put);
}

void Checker::refused(const Event& event) {
    ++verdict_.refused;
    Put* const put = open_put(event);
    if (put == nullptr) return;
    if (put->delivered) broken(Property::kRefusedDelivered, event, "delivered before");
    if (put->id) by_id_.erase(*put->id);
    Producer& producer = producers_[event.producer];
    producer.refused.add(event.seq);
    producer.live.erase(event.seq);
}

void Checker::unknown(const Event& event) {
    ++verdict_.unknown;
    Put* const put = open_put(event);
    if (put == nullptr) return;
    put->outcome = Outcome::kUnknown;
    if (put->settled) retire(*put);
}

void Checker::delivered(const Event& event) {
    ++verdict_.delivered;
    const auto known = producers_.find(event.producer);
    if (known == producers_.end()) return broken(Property::kInvented, event, "no such producer");
    Producer& producer = known->second;
    if (producer.refused.contains(event.seq)) return broken(Property::kRefusedDelivered, event, "refused before");
    if (producer.done.contains(event.seq)) {
        const bool same = settled_ids_.contains(event.id);
        return broken(same ? Property::kAfterSettle : Property::kTwoOffsets, event, "settled before");
    }
    const auto found = producer.live.find(event.seq);
    if (found == producer.live.end()) return broken(Property::kInvented, event, "nobody put it");
    Put& put = *found->second;
    if (put.hash != event.hash) broken(Property::kAltered, event, "put with hash " + std::to_string(put.hash));
    take_id(put, event.id);
    if (!ended_.empty()) broken(Property::kEndTooEarly, event, "delivered after the end");
    if (event.delivery <= 1) first_delivery(event);
    if (!put.delivered) {
        put.delivered = true;
        return;
    }
    if (put.settled) return broken(Property::kAfterSettle, event, "settled before");
    if (event.delivery > 1) {
        ++verdict_.redelivered;
    } else if (put.acks_open > 0) {
        ++verdict_.duplicates;
    } else {
        broken(Property::kUnflagged, event, "delivered before");
    }
}

void Checker::first_delivery(const Event& event) {
    const auto [latest, fresh] = latest_.emplace(std::pair(event.who, event.producer), event.id);
    if (!fresh && event.id < latest->second) {
        broken(Property::kOutOfOrder, event, "it had been given " + std::to_string(latest->second));
    }
    latest->second = std::max(latest->second, event.id);
}

void Checker::acked(const Event& event) {
    const auto found = by_id_.find(event.id);
    if (found == by_id_.end()) {
        // A late copy may be acked although another consumer's ack was confirmed: nothing comes of it.
        if (!settled_ids_.contains(event.id))
            broken(Property::kMalformed, event, "an ack of nothing that was delivered");
        return;
    }
    Put& put = *found->second;
    if (event.kind == Event::Kind::kAck) {
        ++put.acks_open;
        return;
    }
    if (put.acks_open == 0) return broken(Property::kMalformed, event, "an answer to no ack");
    --put.acks_open;
    if (event.kind == Event::Kind::kLost || put.settled) return;
    put.settled = true;
    ++verdict_.settled;
    if (put.outcome != Outcome::kOpen) retire(put);
}

/// Nothing more is expected of it: only its numbers are remembered.
void Checker::retire(Put& put) {
    if (put.outcome == Outcome::kUnknown) ++verdict_.unknown_delivered;
    by_id_.erase(*put.id);
    settled_ids_.add(*put.id);
    Producer& producer = producers_[put.producer];
    producer.done.add(put.seq);
    producer.live.erase(put.seq);
}

void Checker::ended(const Event& event) {
    ++verdict_.ends;
    if (!ended_.insert(event.who).second) broken(Property::kEndTwice, event, "seen before");
    for (const auto& [id, put] : by_id_) {
        if (!put->settled && put->acks_open == 0) {
            broken(Property::kEndTooEarly, event, "nobody has acked " + std::to_string(id));
        }
    }
}

Verdict Checker::finish() {
    const Event none{.kind = Event::Kind::kDrained, .time_ns = time_ns_};
    if (!drained_) broken(Property::kMalformed, none, "the queue was never drained");
    for (const auto& [name, producer] : producers_) {
        for (const auto& [seq, put] : producer.live) {
            if (put->outcome == Outcome::kOpen) ++verdict_.unresolved;
            if (put->settled) continue;
            if (put->acks_open > 0) {
                ++verdict_.acks_unconfirmed;
            } else if (put->outcome == Outcome::kConfirmed) {
                const Event lost{
                    .kind = Event::Kind::kConfirmed, .producer = name, .seq = seq, .id = put->id.value_or(0)};
                broken(Property::kLost, lost,
                       put->delivered ? "delivered, never acked, not drained" : "never delivered");
            }
        }
    }
    return verdict_;
}

Verdict Checker::check(const std::vector<std::filesystem::path>& paths) {
    MergedHistory history(paths);
    Checker checker;
    while (const auto event = history.next()) checker.see(*event);
    return checker.finish();
}

std::string Verdict::text() const {
    std::ostringstream out;
    out << "put " << puts << ", confirmed " << confirmed << ", refused " << refused << ", unknown " << unknown
        << " (of which delivered " << unknown_delivered << "), unresolved " << unresolved << "; delivered " << delivered
        << ", settled " << settled << ", redelivered " << redelivered << ", unflagged after an unconfirmed ack "
        << duplicates << ", acks never confirmed " << acks_unconfirmed << ", ends " << ends << "; ";
    for (const auto property : {Property::kLost, Property::kInvented, Property::kAltered, Property::kAfterSettle}) {
        const auto count = broken.find(property);
        out << name_of(property) << " " << (count == broken.end() ? 0 : count->second) << ", ";
    }
    std::uint64_t all = 0;
    for (const auto& [property, count] : broken) all += count;
    out << "violations " << all << "\n";
    for (const auto& [property, text] : violations) out << "  " << name_of(property) << ": " << text << "\n";
    return out.str();
}

}  // namespace telpher::test
