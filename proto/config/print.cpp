#include "proto/config/print.h"

#include <toml++/toml.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace telpher::config {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kCommentColumns = 100;

std::string quoted(const std::string& text) {
    std::ostringstream out;
    out << toml::toml_formatter(toml::value<std::string>(text), toml::format_flags::none);
    return out.str();
}

std::string toml_value(const Setting& setting, const Value& value) {
    if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
        std::string text = "[";
        for (const std::string& item : *list) text += (text.size() > 1 ? ", " : "") + quoted(item);
        return text + "]";
    }
    const std::string text = format_text(setting, value);
    const bool bare = setting.kind == Kind::kSwitch || setting.kind == Kind::kCount || setting.kind == Kind::kReal;
    return bare ? text : quoted(text);
}

Json json_value(const Setting& setting, const Value& value) {
    if (const auto* list = std::get_if<std::vector<std::string>>(&value)) return *list;
    if (const auto* on = std::get_if<bool>(&value)) return *on;
    if (const auto* real = std::get_if<double>(&value)) return *real;
    if (setting.kind == Kind::kCount) return std::get<std::uint64_t>(value);
    return format_text(setting, value);
}

/// Calls `visit` for every setting, section by section, and `begin` before the first of each named one.
template <class Begin, class Visit>
void by_section(const Settings& settings, const Begin& begin, const Visit& visit) {
    const auto visit_all = [&](std::string_view section) {
        for (std::size_t i = 0; i < settings.size(); ++i) {
            if (settings[i].section() == section) visit(settings[i], i);
        }
    };
    visit_all({});
    for (const std::string_view section : sections(settings)) {
        begin(section);
        visit_all(section);
    }
}

/// "# " and the text, in lines.
std::string comment(const std::string& text) {
    std::istringstream words(text);
    std::string out;
    std::string line = "#";
    for (std::string word; words >> word;) {
        if (line.size() > 1 && line.size() + 1 + word.size() > kCommentColumns) {
            out += line + "\n";
            line = "#";
        }
        line += " " + word;
    }
    return out + line + "\n";
}

/// A table's cell holds no bar.
std::string cell(std::string text) {
    for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.insert(at, 1, '\\');
    return text;
}

}  // namespace

std::string print_toml(const Settings& settings, const Resolved& resolved, bool origin) {
    std::string out;
    by_section(
        settings,
        [&](std::string_view section) {
            if (!out.empty()) out += "\n";
            out.append("[").append(section).append("]\n");
        },
        [&](const Setting& setting, std::size_t index) {
            const Given& given = resolved.values[index];
            out.append(setting.key()).append(" = ").append(toml_value(setting, given.value));
            if (origin) out += "  # " + given.origin.text();
            out += "\n";
        });
    return out;
}

std::string print_json(const Settings& settings, const Resolved& resolved, bool origin) {
    Json out = Json::object();
    for (std::size_t index = 0; index < settings.size(); ++index) {
        std::string pointer = "/" + settings[index].path;
        for (char& c : pointer) c = c == '.' ? '/' : c;
        const Given& given = resolved.values[index];
        const Json value = json_value(settings[index], given.value);
        out[Json::json_pointer(pointer)] = origin ? Json{{"value", value}, {"origin", given.origin.text()}} : value;
    }
    return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string print_commented(const Settings& settings, const std::string& head) {
    std::string out = head;
    by_section(
        settings, [&](std::string_view section) { out.append("\n[").append(section).append("]\n"); },
        [&](const Setting& setting, std::size_t) {
            const std::string range = format_range(setting);
            out += "\n" + comment(setting.help + (range.empty() ? "" : " " + range + ".") +
                                  (setting.reloadable ? "" : " Needs a restart."));
            out.append("#").append(setting.key()).append(" = ").append(toml_value(setting, setting.fallback)) += "\n";
        });
    return out;
}

std::string print_markdown(const Settings& settings) {
    std::string out = "| key | flag | default | range | reload | |\n|---|---|---|---|---|---|\n";
    by_section(
        settings, [](std::string_view) {},
        [&](const Setting& setting, std::size_t) {
            std::string flag = setting.flag.empty() ? "" : "`" + setting.flag;
            const std::string_view holder = placeholder(setting);
            if (!flag.empty()) flag.append(holder.empty() ? "" : " ").append(holder) += "`";
            out += "| `" + setting.path + "` | " + flag + " | `" + cell(toml_value(setting, setting.fallback)) +
                   "` | " + cell(format_range(setting)) + " | " + (setting.reloadable ? "yes" : "restart") + " | " +
                   cell(setting.help) + " |\n";
        });
    return out;
}

}  // namespace telpher::config
