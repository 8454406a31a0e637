#include "broker/log/meta_json.h"

namespace telpher::log {
namespace {

using Json = nlohmann::ordered_json;

template <class Meta>
std::optional<Meta> parse(Bytes bytes) {
    Meta meta;
    if (!meta.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return std::nullopt;
    return meta;
}

/// Pairs (gap from the end of the previous range, length) as [first, last].
template <class Pairs>
Json ranges_json(const Pairs& pairs) {
    Json ranges = Json::array();
    std::uint64_t next = 0;
    for (int i = 0; i + 1 < pairs.size(); i += 2) {
        const std::uint64_t first = next + pairs[i];
        next = first + pairs[i + 1];
        ranges.push_back({first, next - 1});
    }
    return ranges;
}

template <class List>
Json list_json(const List& list) {
    Json values = Json::array();
    for (const auto value : list) values.push_back(value);
    return values;
}

Json options_json(const v1::QueueOptions& options) {
    constexpr std::array kOnFull{"", "block", "reject", "drop-oldest"};
    constexpr std::array kDurability{"", "fsync", "async", "memory"};
    const auto name = [](const auto& names, std::uint32_t value) {
        return value > 0 && value < names.size() ? Json(names[value]) : Json(value);
    };
    return {{"maxsize", options.maxsize()},
            {"max_bytes", options.max_bytes()},
            {"on_full", name(kOnFull, options.on_full())},
            {"durability", name(kDurability, options.durability())},
            {"lease_ms", options.lease_ms()},
            {"max_attempts", options.max_attempts()},
            {"backoff_ms", options.backoff_ms()},
            {"backoff_max_ms", options.backoff_max_ms()}};
}

Json counters_json(const v1::Counters& counters) {
    return {{"put", counters.put()},
            {"acked", counters.acked()},
            {"nacked", counters.nacked()},
            {"redelivered", counters.redelivered()},
            {"dropped", counters.dropped()},
            {"rejected", counters.rejected()},
            {"high_water", counters.high_water()},
            {"lost", counters.lost()},
            {"died", counters.died()}};
}

Json producer_json(const v1::ProducerState& producer) {
    Json accepted = Json::array();
    for (const auto& range : producer.accepted()) {
        accepted.push_back({{"sequences", {range.first_sequence(), range.first_sequence() + range.count() - 1}},
                            {"first_offset", range.first_offset()}});
    }
    return {{"producer", producer.producer()},
            {"open", producer.open()},
            {"next_sequence", producer.next_sequence()},
            {"accepted", std::move(accepted)},
            {"last_put_wall_ms", producer.last_put_wall_ms()},
            {"name", producer.name()},
            {"stored_below", producer.stored_below()}};
}

Json state_json(const v1::QueueState& state) {
    Json producers = Json::array();
    for (const auto& producer : state.producers()) producers.push_back(producer_json(producer));
    return {{"queue", state.queue()},
            {"name", state.name()},
            {"options", options_json(state.options())},
            {"generation", state.generation()},
            {"owner", state.owner()},
            {"sealed", state.sealed()},
            {"paused", state.paused()},
            {"next_offset", state.next_offset()},
            {"floor", state.floor()},
            {"delivered_mark", state.delivered_mark()},
            {"memory_unfinished", state.memory_unfinished()},
            {"lost_generation", state.lost_generation()},
            {"lost_lately", state.lost_lately()},
            {"counters", counters_json(state.counters())},
            {"producers", std::move(producers)},
            {"more", state.more()}};
}

Json batch_json(const v1::BatchMeta& meta) {
    return {{"first_offset", meta.first_offset()}, {"generation", meta.generation()}};
}

Json settle_json(const v1::SettleMeta& meta) {
    constexpr std::array kReasons{"unspecified", "acked", "dropped", "purged"};
    const auto reason = static_cast<std::size_t>(meta.reason());
    Json json{{"reason", reason < kReasons.size() ? Json(kReasons[reason]) : Json(reason)},
              {"offsets", ranges_json(meta.ranges())}};
    if (meta.has_messages()) json["messages"] = meta.messages();
    return json;
}

Json return_json(const v1::ReturnMeta& meta) {
    return {{"offsets", ranges_json(meta.ranges())},
            {"deliveries", list_json(meta.deliveries())},
            {"attempts", list_json(meta.attempts())},
            {"due_ms", list_json(meta.due_ms())},
            {"nacked", meta.nacked()}};
}

Json death_json(const v1::DeathMeta& meta) {
    constexpr std::array kCauses{"unspecified", "verdict", "attempts", "lease"};
    return {{"offsets", ranges_json(meta.ranges())},
            {"deliveries", list_json(meta.deliveries())},
            {"attempts", list_json(meta.attempts())},
            {"cause", meta.cause() < kCauses.size() ? Json(kCauses[meta.cause()]) : Json(meta.cause())},
            {"wall_ms", meta.wall_ms()},
            {"reason", meta.reason()},
            {"nacked", meta.nacked()},
            {"moved", meta.moved()}};
}

Json move_json(const v1::MoveMeta& meta) {
    return {{"offsets", ranges_json(meta.ranges())},
            {"deliveries", list_json(meta.deliveries())},
            {"attempts", list_json(meta.attempts())},
            {"due_ms", list_json(meta.due_ms())},
            {"bytes", list_json(meta.bytes())},
            {"of_count", list_json(meta.of_count())},
            {"at", list_json(meta.at())}};
}

Json queue_json(const v1::QueueMeta& meta) {
    constexpr std::array kChanges{"unspecified", "created", "set",     "sealed",   "reopened",
                                  "paused",      "resumed", "removed", "restarted"};
    const auto change = static_cast<std::size_t>(meta.change());
    Json json{{"change", change < kChanges.size() ? Json(kChanges[change]) : Json(change)}, {"name", meta.name()}};
    if (meta.has_options()) json["options"] = options_json(meta.options());
    json["generation"] = meta.generation();
    json["lost"] = meta.lost();
    if (!meta.owner().empty()) json["owner"] = meta.owner();
    return json;
}

Json producer_change_json(const v1::ProducerMeta& meta) {
    constexpr std::array kChanges{"unspecified", "opened", "closed", "expired"};
    const auto change = static_cast<std::size_t>(meta.change());
    return {{"change", change < kChanges.size() ? Json(kChanges[change]) : Json(change)},
            {"producer", meta.producer()},
            {"wall_ms", meta.wall_ms()},
            {"name", meta.name()},
            {"first_sequence", meta.first_sequence()},
            {"user", meta.user()}};
}

Json mark_json(const v1::MarkMeta& meta) {
    Json marks = Json::array();
    for (const auto& mark : meta.marks()) {
        marks.push_back({{"queue", mark.queue()},
                         {"delivered", mark.delivered()},
                         {"memory_unfinished", mark.memory_unfinished()},
                         {"again", mark.again()}});
    }
    return {{"marks", std::move(marks)}};
}

Json boot_json(const v1::BootMeta& meta) {
    return {{"boot", meta.boot()}, {"wall_ms", meta.wall_ms()}, {"version", meta.version()}};
}

template <class Meta, class Print>
std::optional<Json> decoded(Bytes bytes, Print print) {
    const auto meta = parse<Meta>(bytes);
    return meta ? std::optional<Json>(print(*meta)) : std::nullopt;
}

}  // namespace

Json snapshot_json(const v1::SnapshotMeta& meta) {
    Json queues = Json::array();
    for (const auto& queue : meta.queues()) queues.push_back(state_json(queue));
    return {{"boot", meta.boot()},
            {"next_queue", meta.next_queue()},
            {"next_producer", meta.next_producer()},
            {"queues", std::move(queues)},
            {"last", meta.last()}};
}

std::optional<Json> meta_json(Kind kind, Bytes meta) {
    switch (kind) {
        case Kind::kBatch:
            return decoded<v1::BatchMeta>(meta, batch_json);
        case Kind::kSettle:
            return decoded<v1::SettleMeta>(meta, settle_json);
        case Kind::kReturn:
            return decoded<v1::ReturnMeta>(meta, return_json);
        case Kind::kDeath:
            return decoded<v1::DeathMeta>(meta, death_json);
        case Kind::kQueue:
            return decoded<v1::QueueMeta>(meta, queue_json);
        case Kind::kProducer:
            return decoded<v1::ProducerMeta>(meta, producer_change_json);
        case Kind::kSnapshot:
            return decoded<v1::SnapshotMeta>(meta, snapshot_json);
        case Kind::kMark:
            return decoded<v1::MarkMeta>(meta, mark_json);
        case Kind::kBoot:
            return decoded<v1::BootMeta>(meta, boot_json);
        case Kind::kEnd:
            return Json::object();
        case Kind::kMove:
            return decoded<v1::MoveMeta>(meta, move_json);
        case Kind::kCheckpoint:  // not in a segment
            return std::nullopt;
    }
    return std::nullopt;
}

}  // namespace telpher::log
