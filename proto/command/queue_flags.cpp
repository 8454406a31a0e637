#include "proto/command/queue_flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "proto/base/units.h"

namespace telpher::command {
namespace {

constexpr std::array kPolicies{std::pair{std::string_view("block"), OnFull::kBlock},
                               std::pair{std::string_view("reject"), OnFull::kReject},
                               std::pair{std::string_view("drop-oldest"), OnFull::kDropOldest}};
constexpr std::array kDurabilities{std::pair{std::string_view("fsync"), Durability::kFsync},
                                   std::pair{std::string_view("async"), Durability::kAsync},
                                   std::pair{std::string_view("memory"), Durability::kMemory}};

template <class Table, class Value>
std::string_view name_in(const Table& table, Value value) {
    const auto* const row = std::find_if(table.begin(), table.end(), [&](const auto& r) { return r.second == value; });
    return row == table.end() ? "?" : row->first;
}

template <class Table, class Value>
Result<void> choose(const Table& table, std::string_view text, std::optional<Value>& out) {
    std::string names;
    for (const auto& [name, value] : table) {
        if (name == text) {
            out = value;
            return {};
        }
        names.append(names.empty() ? "" : ", ").append(name);
    }
    return fail(Code::kUsage, "'" + std::string(text) + "' is none of " + names);
}

template <class Value, class Parsed>
Result<void> store(const Result<Parsed>& parsed, std::optional<Value>& out) {
    if (!parsed) return fail(parsed.error());
    out = *parsed;
    return {};
}

Result<void> store_attempts(std::string_view text, std::optional<std::uint32_t>& out) {
    const auto count = parse_count(text);
    if (!count) return fail(count.error());
    out = static_cast<std::uint32_t>(std::min<std::uint64_t>(*count, UINT32_MAX));  // the broker says what is too many
    return {};
}

}  // namespace

std::string_view name_of(OnFull policy) { return name_in(kPolicies, policy); }
std::string_view name_of(Durability durability) { return name_in(kDurabilities, durability); }

Result<void> set_queue_option(QueueOptions& options, std::string_view key, std::string_view value) {
    std::string name(key);
    std::replace(name.begin(), name.end(), '_', '-');
    if (name == "maxsize") return store(parse_count(value), options.maxsize);
    if (name == "max-bytes") return store(parse_size(value), options.max_bytes);
    if (name == "on-full") return choose(kPolicies, value, options.on_full);
    if (name == "durability") return choose(kDurabilities, value, options.durability);
    if (name == "lease") return store(parse_duration(value), options.lease);
    if (name == "max-attempts") return store_attempts(value, options.max_attempts);
    if (name == "backoff") return store(parse_duration(value), options.backoff);
    if (name == "backoff-max") return store(parse_duration(value), options.backoff_max);
    return fail(Code::kUsage, "unknown queue option '" + std::string(key) +
                                  "' (there are maxsize, max-bytes, on-full, durability, lease, max-attempts, backoff, "
                                  "backoff-max)");
}

Result<void> set_queue_options(QueueOptions& options, std::string_view text) {
    while (!text.empty()) {
        const std::string_view item = text.substr(0, text.find(','));
        text.remove_prefix(std::min(text.size(), item.size() + 1));
        if (item.empty()) continue;
        const std::size_t equals = item.find('=');
        if (equals == std::string_view::npos) {
            return fail(Code::kUsage, "not key=value: '" + std::string(item) + "'");
        }
        if (auto set = set_queue_option(options, item.substr(0, equals), item.substr(equals + 1)); !set) return set;
    }
    return {};
}

Result<QueueOptions> parse_queue_options(std::string_view text) {
    QueueOptions options;
    if (auto set = set_queue_options(options, text); !set) return fail(set.error());
    return options;
}

void add_queue_flags(CLI::App& app, QueueOptions& options) {
    const auto add = [&](const std::string& key, const std::string& type, const std::string& help) {
        const auto read = [&options, key](const std::string& text) {
            if (const auto set = set_queue_option(options, key, text); !set) {
                throw CLI::ValidationError("--" + key, set.error().detail());
            }
        };
        app.add_option_function<std::string>("--" + key, read, help)->type_name(type);
    };
    const auto read_all = [&options](const std::vector<std::string>& items) {
        for (const std::string& item : items) {
            if (const auto set = set_queue_options(options, item); !set)
                throw CLI::ValidationError("KEY=VALUE", set.error().detail());
        }
    };
    app.add_option_function<std::vector<std::string>>("KEY=VALUE", read_all,
                                                      "The same without --, as in `put --create`");
    add("maxsize", "N", "Messages it holds at most: ready, leased and delayed (default 10000)");
    add("max-bytes", "SIZE", "Bytes it holds at most; 0: no bound (default)");
    add("on-full", "POLICY", "block (default), reject or drop-oldest");
    add("durability", "D", "A put is confirmed after: fsync (default), async (written), memory");
    add("lease", "DUR",
        "A message not settled in this time goes to somebody else; 0 (default): as long as its consumer lives");
    add("max-attempts", "N", "Failed attempts that make a message a dead letter (default 20); 0: it is tried for ever");
    add("backoff", "DUR", "Before the second attempt (default 1s); doubles with every further one");
    add("backoff-max", "DUR", "Between two attempts at most (default 10m)");
}

}  // namespace telpher::command
