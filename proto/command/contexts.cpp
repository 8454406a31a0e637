#include "proto/command/contexts.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "proto/security/key_file.h"
#include "proto/security/toml_file.h"
#include "proto/security/user_file.h"

namespace telpher::command {
namespace {

using security::at;

/// A text of a context; absent is empty.
Result<std::string> text_of(const toml::table& table, std::string_view key, const std::filesystem::path& path) {
    const toml::node* node = table.get(key);
    if (node == nullptr) return std::string();
    const auto text = node->value_exact<std::string>();
    if (!text) return fail(Code::kConfig, at(path, *node, std::string(key) + " is a text"));
    return *text;
}

/// A name or a text as a TOML file has it. Not by toml++ 3.3, which writes a name with an apostrophe in it so that it
/// cannot be read again.
std::string toml_text(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) {
            char escape[8];
            std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(byte));
            out += escape;
            continue;
        }
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

Result<Context> context_of(const toml::node& node, const std::filesystem::path& path) {
    const toml::table* table = node.as_table();
    if (table == nullptr) return fail(Code::kConfig, at(path, node, "a section [context.NAME] is meant"));
    if (auto known = security::only_keys(*table, {"server", "key_file"}, path); !known) return fail(known.error());
    auto server = text_of(*table, "server", path);
    if (!server) return fail(server.error());
    auto key_file = text_of(*table, "key_file", path);
    if (!key_file) return fail(key_file.error());
    if (server->empty()) return fail(Code::kConfig, at(path, node, "a context needs its server"));
    return Context{std::move(*server), std::move(*key_file)};
}

}  // namespace

Result<Context> Contexts::find(const std::string& name) const {
    const auto found = all.find(name);
    if (found != all.end()) return found->second;
    return fail(Code::kConfig, "there is no context " + name + ": `telpher context ls` shows all");
}

Result<std::filesystem::path> contexts_path() {
    const auto set = [](const char* name) {
        const char* value = std::getenv(name);
        return std::filesystem::path(value == nullptr ? "" : value);
    };
    if (const auto config = set("XDG_CONFIG_HOME"); config.is_absolute()) return config / "telpher" / "contexts.toml";
    if (const auto home = set("HOME"); home.is_absolute()) return home / ".config" / "telpher" / "contexts.toml";
    return fail(Code::kConfig, "neither XDG_CONFIG_HOME nor HOME says where contexts are kept");
}

Result<Contexts> load_contexts(const std::filesystem::path& path) {
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) return Contexts{};
    const auto text = security::read_small_file(path, false);
    if (!text) return fail(text.error());
    const auto table = security::parse_toml(*text, path);
    if (!table) return fail(table.error());
    if (auto known = security::only_keys(*table, {"current", "context"}, path); !known) return fail(known.error());
    Contexts contexts;
    auto current = text_of(*table, "current", path);
    if (!current) return fail(current.error());
    contexts.current = std::move(*current);
    const toml::node* section = table->get("context");
    if (section == nullptr) return contexts;
    if (!section->is_table()) return fail(Code::kConfig, at(path, *section, "sections [context.NAME] are meant"));
    for (const auto& [name, node] : *section->as_table()) {
        auto context = context_of(node, path);
        if (!context) return fail(context.error());
        contexts.all.emplace(name.str(), std::move(*context));
    }
    return contexts;
}

Result<void> save_contexts(const std::filesystem::path& path, const Contexts& contexts) {
    std::string text = "# Brokers by name; `telpher context` writes this.\n";
    if (!contexts.current.empty()) text += "current = " + toml_text(contexts.current) + "\n";
    for (const auto& [name, context] : contexts.all) {
        text += "\n[context." + toml_text(name) + "]\nserver = " + toml_text(context.server) + "\n";
        if (!context.key_file.empty()) text += "key_file = " + toml_text(context.key_file) + "\n";
    }
    std::error_code error;
    std::filesystem::create_directories(path.parent_path(), error);
    if (error) return fail(Code::kIo, path.parent_path().string() + ": " + error.message());
    const std::filesystem::path fresh = path.string() + "." + std::to_string(::getpid());
    if (auto written = security::write_new_file(fresh, text, S_IRUSR | S_IWUSR); !written) return written;
    std::filesystem::rename(fresh, path, error);
    if (!error) return {};
    ::unlink(fresh.c_str());
    return fail(Code::kIo, path.string() + ": " + error.message());
}

}  // namespace telpher::command
