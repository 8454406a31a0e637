#include "cli/top.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <tuple>

#include "cli/render.h"
#include "proto/base/units.h"
#include "proto/command/output.h"

namespace telpher::cli {
namespace {

constexpr std::array<std::pair<std::string_view, TopKey>, 8> kKeys{{{"name", TopKey::kName},
                                                                    {"ready", TopKey::kReady},
                                                                    {"leased", TopKey::kLeased},
                                                                    {"in", TopKey::kIn},
                                                                    {"out", TopKey::kOut},
                                                                    {"blocked", TopKey::kBlocked},
                                                                    {"consumers", TopKey::kConsumers},
                                                                    {"dead", TopKey::kDead}}};

double value(const TopRow& row, TopKey key) {
    switch (key) {
        case TopKey::kReady:
            return static_cast<double>(row.queue.ready);
        case TopKey::kLeased:
            return static_cast<double>(row.queue.leased);
        case TopKey::kIn:
            return row.in;
        case TopKey::kOut:
            return row.out;
        case TopKey::kBlocked:
            return row.queue.blocked_producers;
        case TopKey::kConsumers:
            return row.queue.consumers;
        case TopKey::kDead:
            return static_cast<double>(row.queue.dead);
        case TopKey::kName:
            break;
    }
    return 0;
}

double rate(std::uint64_t before, std::uint64_t now, double seconds) {
    return now < before ? 0 : static_cast<double>(now - before) / seconds;
}

std::string shown(double rate) { return format_count(static_cast<std::uint64_t>(std::llround(rate))); }

std::string percent(const QueueStats& queue) {
    return queue.maxsize == 0 ? "0" : std::to_string(queue.unfinished() * 100 / queue.maxsize);
}

}  // namespace

Result<TopKey> parse_top_key(std::string_view text) {
    std::string known;
    for (const auto& [name, key] : kKeys) {
        if (text == name || (text.size() == 1 && text[0] == static_cast<char>(key))) return key;
        known += (known.empty() ? "" : ", ") + std::string(name);
    }
    return fail(Code::kUsage, "sort by " + known);
}

std::optional<TopKey> top_key(char letter) {
    const auto found = std::find_if(kKeys.begin(), kKeys.end(),
                                    [&](const auto& row) { return static_cast<char>(row.second) == letter; });
    return found == kKeys.end() ? std::nullopt : std::optional(found->second);
}

std::vector<TopRow> top_rows(const std::vector<QueueStats>& before, const std::vector<QueueStats>& now, double seconds,
                             TopKey key) {
    std::map<std::string_view, const QueueStats*> old;
    for (const QueueStats& queue : before) old.emplace(queue.name, &queue);
    std::vector<TopRow> rows;
    rows.reserve(now.size());
    for (const QueueStats& queue : now) {
        TopRow row{queue};
        if (const auto found = old.find(queue.name); found != old.end()) {
            row.in = rate(found->second->put, queue.put, seconds);
            row.out = rate(found->second->acked, queue.acked, seconds);
        }
        rows.push_back(std::move(row));
    }
    std::sort(rows.begin(), rows.end(), [key](const TopRow& a, const TopRow& b) {
        const double first = value(a, key);
        const double second = value(b, key);
        return std::tie(second, a.queue.name) < std::tie(first, b.queue.name);
    });
    return rows;
}

std::string top_table(const BrokerStats& broker, const std::vector<TopRow>& rows, TopKey key, bool color,
                      std::size_t lines) {
    double in = 0;
    double out = 0;
    for (const TopRow& row : rows) {
        in += row.in;
        out += row.out;
    }
    const auto sorted = std::find_if(kKeys.begin(), kKeys.end(), [&](const auto& one) { return one.second == key; });
    std::string text = "telpherd " + broker.version + ", up " +
                       format_duration(Millis(broker.uptime_ms / 1000 * 1000)) + ", " + format_count(broker.sessions) +
                       " clients, " + format_count(broker.queues) + " queues, in " + shown(in) + "/s, out " +
                       shown(out) + "/s, " + format_bytes(broker.resident_bytes) + "; by " +
                       std::string(sorted->first) + "\n";
    command::Table table({"QUEUE", "READY", "LEASED", "DELAYED", "DEAD", "MAXSIZE", "FULL%", "IN/S", "OUT/S", "BLOCKED",
                          "CONSUMERS", "STATE"});
    std::size_t left = lines == 0 ? rows.size() : lines - std::min<std::size_t>(lines, 2);
    for (const TopRow& row : rows) {
        if (left-- == 0) break;
        const QueueStats& q = row.queue;
        table.add({q.name, format_count(q.ready), format_count(q.leased), format_count(q.delayed), format_count(q.dead),
                   format_count(q.maxsize), percent(q), shown(row.in), shown(row.out),
                   format_count(q.blocked_producers), format_count(q.consumers), state_of(q)});
    }
    return text + table.text(color);
}

command::Json top_json(const BrokerStats& broker, const std::vector<TopRow>& rows) {
    command::Json queues = command::Json::array();
    for (const TopRow& row : rows) {
        command::Json queue = to_json(row.queue);
        queue["in"] = row.in;
        queue["out"] = row.out;
        queues.push_back(std::move(queue));
    }
    command::Json all = command::Json::object();
    all["broker"] = to_json(broker);
    all["queues"] = std::move(queues);
    return all;
}

}  // namespace telpher::cli
