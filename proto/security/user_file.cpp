#include "proto/security/user_file.h"

#include <algorithm>
#include <map>

#include "proto/base/units.h"
#include "proto/security/key_file.h"
#include "proto/security/toml_file.h"

namespace telpher::security {
namespace {

constexpr std::string_view kLettersAndDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::size_t kUserNameBytesMax = 64;
constexpr std::size_t kPatternBytesMax = 255;

bool consists_of(std::string_view text, std::string_view extra) {
    return std::ranges::all_of(text, [extra](char c) {
        return kLettersAndDigits.find(c) != std::string_view::npos || extra.find(c) != std::string_view::npos;
    });
}

Result<std::vector<std::string>> patterns_of(const toml::table& table, std::string_view verb,
                                             const std::filesystem::path& path) {
    auto patterns = strings_of(table, verb, path);
    if (!patterns) return patterns;
    for (const std::string& pattern : *patterns) {
        if (legal_pattern(pattern)) continue;
        return fail(Code::kConfig, at(path, *table.get(verb), "'" + pattern + "' is no pattern of queue names"));
    }
    return patterns;
}

/// A number from 1 on, or a text that is a size; 0: it is absent.
Result<std::uint64_t> bound_of(const toml::table& table, std::string_view key, bool size,
                               const std::filesystem::path& path) {
    const toml::node* node = table.get(key);
    if (node == nullptr) return 0;
    if (const auto number = node->value_exact<std::int64_t>(); number && *number > 0)
        return static_cast<std::uint64_t>(*number);
    if (const auto text = node->value_exact<std::string>(); text && size) {
        if (const auto bytes = parse_size(*text); bytes && *bytes > 0) return *bytes;
    }
    return fail(
        Code::kConfig,
        at(path, *node, std::string(key) + " is a whole number from 1 on" + (size ? ", or a size as \"10GiB\"" : "")));
}

Result<Quota> quota_of(const toml::table& file, const std::filesystem::path& path) {
    Quota quota;
    const toml::node* node = file.get("quota");
    if (node == nullptr) return quota;
    const toml::table* table = node->as_table();
    if (table == nullptr) return fail(Code::kConfig, at(path, *node, "[quota] is a table"));
    if (auto known = only_keys(*table, {"queues", "messages", "bytes"}, path); !known) return fail(known.error());
    const auto read = [&](std::string_view key, bool size, std::uint64_t& into) -> Result<void> {
        const auto bound = bound_of(*table, key, size, path);
        if (!bound) return fail(bound.error());
        into = *bound;
        return {};
    };
    if (auto done = read("queues", false, quota.queues); !done) return fail(done.error());
    if (auto done = read("messages", false, quota.messages); !done) return fail(done.error());
    if (auto done = read("bytes", true, quota.bytes); !done) return fail(done.error());
    return quota;
}

std::string quota_text(const Quota& quota) {
    if (quota == Quota()) return {};
    std::string text = "# What the queues that the user made may hold, all together.\n[quota]\n";
    if (quota.queues > 0) text += "queues = " + std::to_string(quota.queues) + "\n";
    if (quota.messages > 0) text += "messages = " + std::to_string(quota.messages) + "\n";
    if (quota.bytes > 0) text += "bytes = \"" + format_size(quota.bytes) + "\"\n";
    return text;
}

std::string list(const std::vector<std::string>& texts) {
    std::string line = "[";
    for (const std::string& text : texts) line.append(line.size() > 1 ? ", \"" : "\"").append(text).append("\"");
    return line + "]";
}

}  // namespace

bool legal_user_name(std::string_view name) {
    return !name.empty() && name.size() <= kUserNameBytesMax && consists_of(name, "._-") && name.front() != '.' &&
           name.front() != '-';
}

bool legal_pattern(std::string_view pattern) {
    return !pattern.empty() && pattern.size() <= kPatternBytesMax && consists_of(pattern, "._{}-/*?");
}

std::filesystem::path user_path(const std::filesystem::path& dir, std::string_view name) {
    return dir / (std::string(name) + ".toml");
}

Result<UserFile> read_user_file(const std::filesystem::path& path) {
    UserFile user;
    user.name = path.stem().string();
    if (!legal_user_name(user.name)) return fail(Code::kConfig, path.string() + ": not a user's name");
    const auto text = read_small_file(path, false);
    if (!text) return fail(text.error());
    const auto table = parse_toml(*text, path);
    if (!table) return fail(table.error());
    if (auto known = only_keys(*table, {"public_keys", "put", "get", "admin", "quota"}, path); !known)
        return fail(known.error());
    auto keys = strings_of(*table, "public_keys", path);
    if (!keys) return fail(keys.error());
    if (keys->empty()) return fail(Code::kConfig, path.string() + ": public_keys is due");
    for (const std::string& key : *keys) {
        if (auto good = decode_key(key); !good)
            return fail(Code::kConfig, at(path, *table->get("public_keys"), good.error().detail()));
    }
    user.public_keys = std::move(*keys);
    const auto read = [&](std::string_view verb, std::vector<std::string>& into) -> Result<void> {
        auto patterns = patterns_of(*table, verb, path);
        if (!patterns) return fail(patterns.error());
        into = std::move(*patterns);
        return {};
    };
    if (auto done = read("put", user.rules.put); !done) return fail(done.error());
    if (auto done = read("get", user.rules.get); !done) return fail(done.error());
    if (auto done = read("admin", user.rules.admin); !done) return fail(done.error());
    auto quota = quota_of(*table, path);
    if (!quota) return fail(quota.error());
    user.quota = *quota;
    return user;
}

Result<std::vector<UserFile>> read_users(const std::filesystem::path& dir) {
    std::error_code error;
    std::vector<std::filesystem::path> paths;
    std::filesystem::directory_iterator entries(dir, error);
    if (error) return fail(Code::kConfig, dir.string() + ": " + error.message());
    for (const auto& entry : entries) {
        const std::string name = entry.path().filename().string();
        if (name.ends_with(".toml") && !name.starts_with('.')) paths.push_back(entry.path());
    }
    std::ranges::sort(paths);
    std::vector<UserFile> users;
    std::map<std::string, std::string> owners;
    for (const auto& path : paths) {
        auto user = read_user_file(path);
        if (!user) return fail(user.error());
        for (const std::string& key : user->public_keys) {
            const auto [owner, fresh] = owners.emplace(key, user->name);
            if (!fresh) return fail(Code::kConfig, path.string() + ": " + owner->second + " has the same key");
        }
        users.push_back(std::move(*user));
    }
    return users;
}

std::string format(const UserFile& user) {
    return "# User " + user.name + " of a Telpher broker. telpherd reads this at its start and on SIGHUP.\n" +
           "public_keys = " + list(user.public_keys) + "\n" +
           "# Patterns of queue names: * is any text, ? one character. Who may admin may put and get too.\n" +
           "put = " + list(user.rules.put) + "\nget = " + list(user.rules.get) + "\nadmin = " + list(user.rules.admin) +
           "\n" + quota_text(user.quota);
}

}  // namespace telpher::security
