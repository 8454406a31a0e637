#include "broker/export_format.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "proto/batch.h"
#include "proto/command/message_json.h"
#include "proto/frame.h"

namespace telpher::broker {
namespace {

using command::base64_decode;
using command::base64_encode;
using Json = nlohmann::ordered_json;

// Numbers above these are no broker's: they would wrap around in what is computed from them.
constexpr std::uint64_t kBootMax = 1ULL << 31;
constexpr std::uint64_t kIdMax = 1ULL << 62;
constexpr std::uint64_t kTriesMax = 1ULL << 30;
constexpr std::uint64_t kGenerationMax = 1ULL << 31;
constexpr auto kWallMax = static_cast<std::uint64_t>(kExportWallMax.ms);
constexpr std::uint64_t kCountMax = INT64_MAX;

constexpr std::array<std::string_view, 3> kOnFull{"block", "reject", "drop-oldest"};
constexpr std::array<std::string_view, 3> kDurability{"fsync", "async", "memory"};
constexpr std::array<std::string_view, 3> kCause{"verdict", "attempts", "lease"};

/// Takes members out of an object. After the first that is wrong `problem` says which, and the rest is nothing.
class Members {
public:
    explicit Members(const Json& object) : object_(object) {}

    [[nodiscard]] std::size_t size() const { return object_.size(); }
    [[nodiscard]] bool has(const char* name) const { return object_.is_object() && object_.contains(name); }

    std::uint64_t number(const char* name, std::uint64_t max) {
        const Json* found = find(name);
        if (found == nullptr) return 0;
        if (!found->is_number_unsigned() || found->get<std::uint64_t>() > max) return wrong(name), 0;
        return found->get<std::uint64_t>();
    }
    bool flag(const char* name) {
        const Json* found = find(name);
        if (found == nullptr) return false;
        if (!found->is_boolean()) return wrong(name), false;
        return found->get<bool>();
    }
    std::string text(const char* name) {
        const Json* found = find(name);
        if (found == nullptr) return {};
        if (!found->is_string()) return wrong(name), std::string();
        return found->get<std::string>();
    }
    /// Bytes, in base64.
    std::string bytes(const char* name, std::size_t max) {
        auto decoded = base64_decode(text(name));
        if (!decoded || decoded->size() > max) return wrong(name), std::string();
        return std::move(*decoded);
    }
    std::string queue_name(const char* name) {
        std::string found = text(name);
        if (!frame::legal_name(found)) wrong(name);
        return found;
    }
    /// One of these; its number, from 1 on.
    std::uint8_t choice(const char* name, const std::array<std::string_view, 3>& choices) {
        const std::string found = text(name);
        for (std::size_t i = 0; i < choices.size(); ++i) {
            if (choices[i] == found) return static_cast<std::uint8_t>(i + 1);
        }
        wrong(name);
        return 1;
    }
    WallTime wall(const char* name) { return {static_cast<std::int64_t>(number(name, kWallMax))}; }
    /// An object or a list within; an empty one if there is none.
    const Json& part(const char* name) {
        static const Json none = Json::object();
        const Json* found = find(name);
        return found == nullptr ? none : *found;
    }

    void wrong(const char* name) {
        if (problem_.empty()) problem_ = fmt::format("\"{}\" is wrong", name);
    }
    void also(const Members& part) {
        if (problem_.empty()) problem_ = part.problem_;
    }
    template <class Value>
    Result<ExportLine> done(Value value) const {
        if (!problem_.empty()) return fail(Code::kCorrupt, problem_);
        return ExportLine(std::move(value));
    }
    [[nodiscard]] bool good() const { return problem_.empty(); }

private:
    const Json* find(const char* name) {
        if (has(name)) return &object_.at(name);
        if (problem_.empty()) problem_ = fmt::format("\"{}\" is missing", name);
        return nullptr;
    }

    const Json& object_;
    std::string problem_;
};

Json options_json(const queue::Options& options) {
    return {{"maxsize", options.maxsize},
            {"max_bytes", options.max_bytes},
            {"on_full", kOnFull.at(static_cast<std::size_t>(options.on_full) - 1)},
            {"durability", kDurability.at(static_cast<std::size_t>(options.durability) - 1)},
            {"lease_ms", options.lease_ms},
            {"max_attempts", options.max_attempts},
            {"backoff_ms", options.backoff_ms},
            {"backoff_max_ms", options.backoff_max_ms}};
}

/// Whether they make sense the importer asks decode_options(), as a start would.
queue::Options read_options(Members& options) {
    queue::Options read;
    read.maxsize = options.number("maxsize", kCountMax);
    read.max_bytes = options.number("max_bytes", kCountMax);
    read.on_full = static_cast<queue::OnFull>(options.choice("on_full", kOnFull));
    read.durability = static_cast<queue::Durability>(options.choice("durability", kDurability));
    read.lease_ms = options.number("lease_ms", kCountMax);
    read.max_attempts = static_cast<std::uint32_t>(options.number("max_attempts", UINT32_MAX));
    read.backoff_ms = options.number("backoff_ms", kCountMax);
    read.backoff_max_ms = options.number("backoff_max_ms", kCountMax);
    return read;
}

struct NamedCounter {
    const char* name;
    std::uint64_t queue::Counters::*at;
};
/// Those that outlive a restart.
constexpr std::array kCounters{NamedCounter{"put", &queue::Counters::put},
                               NamedCounter{"acked", &queue::Counters::acked},
                               NamedCounter{"nacked", &queue::Counters::nacked},
                               NamedCounter{"redelivered", &queue::Counters::redelivered},
                               NamedCounter{"dropped", &queue::Counters::dropped},
                               NamedCounter{"rejected", &queue::Counters::rejected},
                               NamedCounter{"high_water", &queue::Counters::high_water},
                               NamedCounter{"lost", &queue::Counters::lost},
                               NamedCounter{"died", &queue::Counters::died}};

Json producer_json(const ExportedProducer& producer) {
    return {{"name", base64_encode(producer.name)},
            {"id", producer.id.value()},
            {"stored_below", producer.stored_below.value()},
            {"last_put_ms", producer.last_put.ms},
            {"user", base64_encode(producer.user)}};
}

ExportedProducer read_producer(Members& members) {
    ExportedProducer producer;
    producer.name = members.bytes("name", limits::kNameBytesMax);
    producer.id = ProducerId(members.number("id", UINT64_MAX));
    producer.stored_below = Sequence(members.number("stored_below", UINT64_MAX));
    producer.last_put = members.wall("last_put_ms");
    producer.user = members.bytes("user", limits::kNameBytesMax);
    if (producer.name.empty()) members.wrong("name");
    if (producer.id.value() == 0) members.wrong("id");
    return producer;
}

Json json(const ExportHead& head) {
    return {{"telpher_export", head.format}, {"version", head.version}, {"boot", head.boot}, {"wall_ms", head.at.ms}};
}

Json json(const ExportedQueue& queue) {
    Json line{{"queue", queue.name},          {"options", options_json(queue.options)},
              {"owner", queue.owner},         {"generation", queue.generation},
              {"sealed", queue.sealed},       {"paused", queue.paused},
              {"next_id", queue.next.value()}};
    for (const NamedCounter& counter : kCounters) line["counters"][counter.name] = queue.counters.*counter.at;
    line["producers"] = Json::array();
    for (const ExportedProducer& producer : queue.producers) line["producers"].push_back(producer_json(producer));
    return line;
}

void add_death(const ExportedMessage& message, Json& line) {
    line["dead"] = true;
    if (!message.death) return;
    line["cause"] = kCause.at(static_cast<std::size_t>(message.death->cause) - 1);
    line["dead_ms"] = message.death->at.ms;
    if (!message.death->reason.empty()) line["reason"] = base64_encode(message.death->reason);
}

Json json(const ExportedMessage& message) {
    Json line{{"id", message.id.value()},
              {"of", message.queue},
              {"put_ms", message.put.ms},
              {"deliveries", message.tries.deliveries},
              {"attempts", message.tries.attempts}};
    if (message.due.ms > 0) line["due_ms"] = message.due.ms;
    if (message.dead) add_death(message, line);
    if (message.record) {
        line["record"] = base64_encode(*message.record);
        return line;
    }
    if (message.key) line["key"] = base64_encode(*message.key);
    // A list of pairs: names may come twice, and their order is the producer's.
    for (const auto& [name, value] : message.headers)
        line["headers"].push_back(Json::array({base64_encode(name), base64_encode(value)}));
    line["payload"] = base64_encode(message.payload);
    return line;
}

Json json(const ExportEnd& end) {
    Json line{{"end", true}, {"queues", end.queues}, {"messages", end.messages}};
    if (end.checksum) line["xxh3"] = fmt::format("{:016x}", *end.checksum);
    return line;
}

Result<ExportLine> parse_head(Members& members) {
    ExportHead head;
    head.format = static_cast<std::uint32_t>(members.number("telpher_export", UINT32_MAX));
    if (members.good() && head.format > kExportFormat) {
        return fail(Code::kFormat,
                    fmt::format("an export of format {}, which is newer than this program", head.format));
    }
    if (head.format == 0) members.wrong("telpher_export");
    head.version = members.text("version");
    head.boot = members.number("boot", kBootMax);
    head.at = members.wall("wall_ms");
    return members.done(std::move(head));
}

Result<ExportLine> parse_queue(Members& members) {
    ExportedQueue queue;
    queue.name = members.queue_name("queue");
    Members options(members.part("options"));
    queue.options = read_options(options);
    members.also(options);
    queue.owner = members.text("owner");
    if (queue.owner.size() > limits::kNameBytesMax) members.wrong("owner");
    queue.generation = static_cast<std::uint32_t>(members.number("generation", kGenerationMax));
    queue.sealed = members.flag("sealed");
    queue.paused = members.flag("paused");
    queue.next = Offset(members.number("next_id", kIdMax));
    Members counters(members.part("counters"));
    for (const NamedCounter& counter : kCounters) queue.counters.*counter.at = counters.number(counter.name, kCountMax);
    members.also(counters);
    const Json& producers = members.part("producers");
    if (!producers.is_array() || producers.size() > limits::kProducerNamesMax) members.wrong("producers");
    for (const Json& producer : producers) {
        if (!members.good()) break;
        Members part(producer);
        queue.producers.push_back(read_producer(part));
        members.also(part);
    }
    return members.done(std::move(queue));
}

void read_death(Members& members, ExportedMessage& message) {
    message.dead = members.flag("dead");
    if (message.dead && members.has("cause")) {
        queue::Death death;
        death.cause = static_cast<queue::Cause>(members.choice("cause", kCause));
        death.at = members.wall("dead_ms");
        if (members.has("reason")) death.reason = members.bytes("reason", limits::kReasonBytesMax);
        message.death = std::move(death);
    }
    if (message.dead && message.due.ms > 0) members.wrong("due_ms");
}

void read_headers(Members& members, ExportedMessage& message) {
    const Json& headers = members.part("headers");
    if (!headers.is_array() || headers.size() > limits::kHeadersMax) return members.wrong("headers");
    for (const Json& pair : headers) {
        if (!pair.is_array() || pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string())
            return members.wrong("headers");
        auto name = base64_decode(pair[0].get_ref<const std::string&>());
        auto value = base64_decode(pair[1].get_ref<const std::string&>());
        if (!name || !value) return members.wrong("headers");
        message.headers.emplace_back(std::move(*name), std::move(*value));
    }
}

Result<ExportLine> parse_message(Members& members) {
    ExportedMessage message;
    message.id = Offset(members.number("id", kIdMax));
    message.queue = members.queue_name("of");
    message.put = members.wall("put_ms");
    message.tries.deliveries = static_cast<std::uint32_t>(members.number("deliveries", kTriesMax));
    message.tries.attempts = static_cast<std::uint32_t>(members.number("attempts", kTriesMax));
    if (members.has("due_ms")) message.due = members.wall("due_ms");
    if (members.has("dead")) read_death(members, message);
    if (members.has("record")) {
        message.record = members.bytes("record", limits::kMessageBytesMax);
        return members.done(std::move(message));
    }
    if (members.has("key")) message.key = members.bytes("key", limits::kKeyBytesMax);
    if (members.has("headers")) read_headers(members, message);
    message.payload = members.bytes("payload", limits::kMessageBytesMax);
    const std::optional<std::string_view> key = message.key;
    if (const auto fits =
            batch::check_record({as_bytes(message.payload), key, &message.headers}, limits::kMessageBytesMax);
        !fits) {
        members.wrong("payload");
    }
    return members.done(std::move(message));
}

Result<ExportLine> parse_end(Members& members) {
    ExportEnd end;
    if (!members.flag("end")) members.wrong("end");
    end.queues = members.number("queues", kCountMax);
    end.messages = members.number("messages", kCountMax);
    if (members.has("xxh3")) {
        const std::string text = members.text("xxh3");
        std::uint64_t sum = 0;
        const char* stop = text.data() + text.size();
        const auto [at, error] = std::from_chars(text.data(), stop, sum, 16);
        if (text.size() != 16 || at != stop || error != std::errc()) members.wrong("xxh3");
        end.checksum = sum;
    }
    // A bit that changed in the name of the sum must not take the sum away.
    if (members.size() != (end.checksum ? 4U : 3U)) members.wrong("end");
    return members.done(end);
}

}  // namespace

std::string format_line(const ExportLine& line) {
    return std::visit([](const auto& what) { return json(what).dump(-1, ' ', false, Json::error_handler_t::replace); },
                      line);
}

Result<ExportLine> parse_line(std::string_view text) {
    const Json object = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!object.is_object()) return fail(Code::kCorrupt, "not a JSON object");
    Members members(object);
    if (members.has("telpher_export")) return parse_head(members);
    if (members.has("id")) return parse_message(members);
    if (members.has("queue")) return parse_queue(members);
    if (members.has("end")) return parse_end(members);
    return fail(Code::kCorrupt, "neither a queue nor a message, nor the first or the last line");
}

}  // namespace telpher::broker
