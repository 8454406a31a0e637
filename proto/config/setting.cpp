#include "proto/config/setting.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

#include "proto/base/units.h"
#include "proto/config/secret_file.h"

namespace telpher::config {
namespace {

using std::chrono::milliseconds;

std::uint64_t to_ms(milliseconds duration) { return static_cast<std::uint64_t>(duration.count()); }

bool is_number(Kind kind) { return kind == Kind::kCount || kind == Kind::kSize || kind == Kind::kDuration; }

std::string format_number(Kind kind, std::uint64_t number) {
    if (kind == Kind::kSize) return format_size(number);
    if (kind == Kind::kDuration) return format_duration(milliseconds(number));
    return std::to_string(number);
}

std::string format_real(double number) {
    std::array<char, 32> buffer{};
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number).ptr;
    std::string text(buffer.data(), end);
    if (text.find_first_of(".en") == std::string::npos) text += ".0";  // in TOML a real is none without
    return text;
}

std::string list_choices(const std::vector<std::string>& choices) {
    std::string text;
    for (std::size_t i = 0; i < choices.size(); ++i) {
        if (i > 0) text += i + 1 == choices.size() ? " or " : ", ";
        text += choices[i];
    }
    return text;
}

std::vector<std::string> split_list(std::string_view text) {
    std::vector<std::string> items;
    while (!text.empty()) {
        const std::string_view item = text.substr(0, text.find(','));
        text.remove_prefix(std::min(text.size(), item.size() + 1));
        if (!item.empty()) items.emplace_back(item);
    }
    return items;
}

template <class T>
Result<Value> as_value(const Result<T>& parsed) {
    if (!parsed) return fail(parsed.error());
    return Value(*parsed);
}

Result<Value> parse_duration_ms(std::string_view text) {
    const auto parsed = parse_duration(text);
    if (!parsed) return fail(parsed.error());
    return Value(to_ms(*parsed));
}

Result<Value> parse_switch(std::string_view text) {
    if (text == "true") return Value(true);
    if (text == "false") return Value(false);
    return fail(Code::kConfig, "not true or false: '" + std::string(text) + "'");
}

Result<Value> parse_real(std::string_view text) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) {
        return fail(Code::kConfig, "not a number: '" + std::string(text) + "'");
    }
    return Value(number);
}

Result<Value> parse_kind(const Setting& setting, std::string_view text) {
    switch (setting.kind) {
        case Kind::kList:
            return Value(split_list(text));
        case Kind::kSwitch:
            return parse_switch(text);
        case Kind::kCount:
            return as_value(parse_count(text));
        case Kind::kReal:
            return parse_real(text);
        case Kind::kSize:
            return as_value(parse_size(text));
        case Kind::kDuration:
            return parse_duration_ms(text);
        case Kind::kText:
        case Kind::kChoice:
        case Kind::kSecretFile:
            break;
    }
    return Value(std::string(text));
}

Result<Value> check_secret(const std::string& path, std::string_view subject) {
    if (path.empty()) return Value(path);  // none
    auto checked = check_secret_file(path);
    if (!checked) return fail(Code::kConfig, std::string(subject) + ": " + checked.error().detail());
    return Value(std::move(*checked));
}

}  // namespace

std::string_view Setting::key() const { return std::string_view(path).substr(path.rfind('.') + 1); }

std::string_view Setting::section() const {
    const std::size_t dot = path.rfind('.');
    return dot == std::string::npos ? std::string_view() : std::string_view(path).substr(0, dot);
}

std::string Setting::variable() const {
    std::string name = "TELPHER_";
    for (const char c : path) {
        if (c == '.') {
            name += "__";
        } else {
            name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        }
    }
    return name;
}

std::optional<std::size_t> find(const Settings& settings, std::string_view path) {
    const auto found = std::find_if(settings.begin(), settings.end(), [&](const auto& s) { return s.path == path; });
    if (found == settings.end()) return std::nullopt;
    return static_cast<std::size_t>(found - settings.begin());
}

std::vector<std::string_view> sections(const Settings& settings) {
    std::vector<std::string_view> names;
    for (const Setting& setting : settings) {
        const std::string_view name = setting.section();
        if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
    return names;
}

Result<Value> parse_text(const Setting& setting, std::string_view text, std::string_view subject) {
    auto value = parse_kind(setting, text);
    if (!value) return fail(Code::kConfig, std::string(subject) + ": " + value.error().detail());
    return check_range(setting, std::move(*value), subject);
}

Result<Value> check_range(const Setting& setting, Value value, std::string_view subject) {
    const auto refuse = [&] {
        return fail(Code::kConfig, std::string(subject) + " must be " + format_range(setting) + ", got " +
                                       format_text(setting, value));
    };
    if (is_number(setting.kind)) {
        const auto number = std::get<std::uint64_t>(value);
        if (number < setting.min || number > setting.max) return refuse();
    } else if (setting.kind == Kind::kReal) {
        const auto number = std::get<double>(value);
        const bool within =
            number >= static_cast<double>(setting.min) && number <= static_cast<double>(setting.max);  // not a NaN
        if (!within) return refuse();
    } else if (setting.kind == Kind::kChoice) {
        const auto& choices = setting.choices;
        if (std::find(choices.begin(), choices.end(), std::get<std::string>(value)) == choices.end()) return refuse();
    } else if (setting.kind == Kind::kSecretFile) {
        return check_secret(std::get<std::string>(value), subject);
    }
    return value;
}

std::string format_text(const Setting& setting, const Value& value) {
    if (const auto* number = std::get_if<std::uint64_t>(&value)) return format_number(setting.kind, *number);
    if (const auto* real = std::get_if<double>(&value)) return format_real(*real);
    if (const auto* on = std::get_if<bool>(&value)) return *on ? "true" : "false";
    if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
        std::string text;
        for (const std::string& item : *list) text += (text.empty() ? "" : ",") + item;
        return text;
    }
    return std::get<std::string>(value);
}

std::string format_range(const Setting& setting) {
    if (setting.kind == Kind::kChoice) return list_choices(setting.choices);
    const bool number = is_number(setting.kind) || setting.kind == Kind::kReal;
    if (!number || (setting.min == 0 && setting.max == UINT64_MAX)) return {};
    const std::string least = format_number(setting.kind, setting.min);
    if (setting.max == UINT64_MAX) return least + " or more";
    return least + ".." + format_number(setting.kind, setting.max);
}

std::string_view placeholder(const Setting& setting) {
    if (!setting.value_name.empty()) return setting.value_name;
    switch (setting.kind) {
        case Kind::kSwitch:
            return "";
        case Kind::kCount:
        case Kind::kReal:
            return "N";
        case Kind::kSize:
            return "SIZE";
        case Kind::kDuration:
            return setting.flag_in_ms ? "MS" : "DUR";
        case Kind::kChoice:
            return "WORD";
        case Kind::kSecretFile:
            return "FILE";
        case Kind::kText:
        case Kind::kList:
            break;
    }
    return "TEXT";
}

}  // namespace telpher::config
