#include "cli/render.h"

#include <algorithm>
#include <array>
#include <ctime>

#include "proto/base/units.h"
#include "proto/command/output.h"
#include "proto/command/queue_flags.h"

namespace telpher::cli {
namespace {

using command::Format;
using command::Globals;
using command::Table;

constexpr std::size_t kPreviewBytes = 60;

std::string_view name_of(Peeked::State state) {
    switch (state) {
        case Peeked::State::kReady:
            return "ready";
        case Peeked::State::kLeased:
            return "leased";
        case Peeked::State::kDelayed:
            return "delayed";
        case Peeked::State::kDead:
            return "dead";
        case Peeked::State::kLive:
            break;
    }
    return "?";
}

std::string_view name_of(DeathCause cause) {
    switch (cause) {
        case DeathCause::kVerdict:
            return "verdict";
        case DeathCause::kAttempts:
            return "attempts";
        case DeathCause::kLease:
            return "lease";
        case DeathCause::kNone:
            break;
    }
    return "?";
}

std::string state_of(const QueueStats& queue) {
    std::string text = queue.sealed ? "sealed" : "open";
    if (queue.paused) text += ", paused";
    if (queue.blocked_producers > 0) text += ", full";
    return text;
}

/// For a cell of a table: one line, nothing that moves the cursor.
std::string preview(const std::string& body) {
    if (!command::is_utf8(body)) return "(binary, " + format_bytes(body.size()) + ")";
    std::string text = body.substr(0, kPreviewBytes);
    while (!command::is_utf8(text)) text.pop_back();  // cut inside a character
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
    return body.size() > text.size() ? text + "..." : text;
}

/// What matters of a stack trace or of a program's last words.
std::string last_line(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    return preview(text.substr(text.rfind('\n') + 1));
}

/// "2026-11-25 22:45:33", UTC.
std::string time_text(std::int64_t ms) {
    const std::time_t seconds = ms / 1000;
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    std::array<char, 32> text{};
    return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &utc)};
}

template <class List>
std::string render_list(const List& list, Format format) {
    if (format == Format::kNdjson) {
        std::string lines;
        for (const auto& item : list) lines += command::dump(to_json(item)) + "\n";
        return lines;
    }
    Json all = Json::array();
    for (const auto& item : list) all.push_back(to_json(item));
    return command::dump(all) + "\n";
}

/// "name  value" lines out of an object.
std::string render_pairs(const Json& object) {
    std::size_t width = 0;
    for (const auto& [name, value] : object.items()) width = std::max(width, name.size());
    std::string text;
    for (const auto& [name, value] : object.items()) {
        const std::string shown = value.is_string() ? value.template get<std::string>() : command::dump(value);
        text += name + std::string(width - name.size() + 2, ' ') + shown + "\n";
    }
    return text;
}

std::string render_object(const Json& object, Format format) {
    return format == Format::kTable ? render_pairs(object) : command::dump(object) + "\n";
}

}  // namespace

Json to_json(const QueueStats& queue) {
    return Json{{"name", queue.name},
                {"maxsize", queue.maxsize},
                {"max_bytes", queue.max_bytes},
                {"on_full", command::name_of(queue.on_full)},
                {"durability", command::name_of(queue.durability)},
                {"lease_ms", queue.lease.count()},
                {"max_attempts", queue.max_attempts},
                {"backoff_ms", queue.backoff.count()},
                {"backoff_max_ms", queue.backoff_max.count()},
                {"ready", queue.ready},
                {"leased", queue.leased},
                {"delayed", queue.delayed},
                {"dead", queue.dead},
                {"unfinished", queue.unfinished()},
                {"bytes", queue.bytes},
                {"sealed", queue.sealed},
                {"paused", queue.paused},
                {"generation", queue.generation},
                {"producers", queue.producers},
                {"blocked_producers", queue.blocked_producers},
                {"consumers", queue.consumers},
                {"put", queue.put},
                {"acked", queue.acked},
                {"nacked", queue.nacked},
                {"redelivered", queue.redelivered},
                {"dropped", queue.dropped},
                {"expired", queue.expired},
                {"rejected", queue.rejected},
                {"lost", queue.lost},
                {"died", queue.died},
                {"high_water", queue.high_water},
                {"blocked_ms", queue.blocked_ms}};
}

Json to_json(const BrokerStats& broker) {
    Json refused = Json::object();
    for (const auto& [reason, count] : broker.refused) refused[reason] = count;
    return Json{{"version", broker.version},
                {"data_dir", broker.data_dir},
                {"boot", broker.boot},
                {"uptime_ms", broker.uptime_ms},
                {"sessions", broker.sessions},
                {"connections", broker.connections},
                {"kicked", broker.kicked},
                {"refused", std::move(refused)},
                {"queues", broker.queues},
                {"log_bytes", broker.log_bytes},
                {"resident_bytes", broker.resident_bytes},
                {"cpu_us", broker.cpu_us},
                {"commits", broker.commits},
                {"committed_lsn", broker.committed_lsn}};
}

Json to_json(const Peeked& message) {
    Json object{{"id", message.id}, {"state", name_of(message.state)}};
    command::set_body(object, message.body);
    object["key"] = message.key;
    object["headers"] = Json::object();
    for (const auto& [name, value] : message.headers) object["headers"][name] = value;
    object["deliveries"] = message.deliveries;
    object["attempts"] = message.attempts;
    object["put_ms"] = message.put_ms;
    if (message.state == Peeked::State::kDead) {
        object["cause"] = name_of(message.cause);
        object["dead_ms"] = message.dead_ms;
        object["reason"] = command::is_utf8(message.reason) ? message.reason : preview(message.reason);
    }
    return object;
}

std::string render(const std::vector<QueueStats>& queues, const Globals& globals) {
    if (globals.output != Format::kTable) return render_list(queues, globals.output);
    Table table(
        {"QUEUE", "READY", "LEASED", "DELAYED", "DEAD", "MAXSIZE", "PUT", "ACKED", "PRODUCERS", "CONSUMERS", "STATE"});
    for (const QueueStats& q : queues) {
        table.add({q.name, format_count(q.ready), format_count(q.leased), format_count(q.delayed), format_count(q.dead),
                   format_count(q.maxsize), format_count(q.put), format_count(q.acked), format_count(q.producers),
                   format_count(q.consumers), state_of(q)});
    }
    return table.text(command::use_color(globals));
}

std::string render(const std::vector<Peeked>& messages, const Globals& globals) {
    if (globals.output != Format::kTable) return render_list(messages, globals.output);
    Table table({"ID", "STATE", "DELIVERIES", "ATTEMPTS", "KEY", "BODY"});
    for (const Peeked& m : messages) {
        table.add({std::to_string(m.id), std::string(name_of(m.state)), format_count(m.deliveries),
                   format_count(m.attempts), preview(m.key), preview(m.body)});
    }
    return table.text(command::use_color(globals));
}

std::string render_dead(const std::vector<Peeked>& messages, const Globals& globals) {
    if (globals.output != Format::kTable) return render_list(messages, globals.output);
    Table table({"ID", "DELIVERIES", "ATTEMPTS", "CAUSE", "SINCE", "REASON"});
    for (const Peeked& m : messages) {
        table.add({std::to_string(m.id), format_count(m.deliveries), format_count(m.attempts),
                   std::string(name_of(m.cause)), time_text(m.dead_ms), last_line(m.reason)});
    }
    return table.text(command::use_color(globals));
}

std::string render(const QueueStats& queue, const Globals& globals) {
    return render_object(to_json(queue), globals.output);
}

std::string render(const BrokerStats& broker, const Globals& globals) {
    return render_object(to_json(broker), globals.output);
}

}  // namespace telpher::cli
