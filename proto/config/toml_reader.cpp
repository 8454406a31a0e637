#include "proto/config/toml_reader.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "proto/config/suggest.h"

namespace telpher::config {
namespace {

constexpr std::size_t kFileBytesMax = 1 << 20;

std::string_view type_name(const toml::node& node) {
    switch (node.type()) {
        case toml::node_type::table:
            return "a table";
        case toml::node_type::array:
            return "an array";
        case toml::node_type::string:
            return "a string";
        case toml::node_type::integer:
            return "a whole number";
        case toml::node_type::floating_point:
            return "a number with a fraction";
        case toml::node_type::boolean:
            return "true or false";
        default:
            return "a date or time";
    }
}

std::string_view wanted(const Setting& setting) {
    switch (setting.kind) {
        case Kind::kList:
            return "an array of strings";
        case Kind::kSwitch:
            return "true or false";
        case Kind::kCount:
            return "a whole number";
        case Kind::kReal:
            return "a number";
        case Kind::kSize:
            return "a size like \"64MiB\"";
        case Kind::kDuration:
            return "a time like \"30s\"";
        default:
            return "a string";
    }
}

/// A reading of one document.
class Reading {
public:
    Reading(const Settings& settings, const std::string& name, Layer& layer, Problems& problems)
        : settings_(settings), name_(name), layer_(layer), problems_(problems) {}

    void walk(const toml::table& table, const std::string& section) {
        for (const auto& [key, node] : table) {
            const std::string path = section.empty() ? std::string(key.str()) : section + "." + std::string(key.str());
            const bool dotted = key.str().find('.') != std::string_view::npos;  // "a.b" in quotes is one key
            if (const auto index = dotted ? std::nullopt : find(settings_, path)) {
                take(*index, key, node);
            } else if (!dotted && is_section(path)) {
                if (const toml::table* inner = node.as_table()) {
                    walk(*inner, path);
                } else {
                    problem(key.source().begin, "[" + path + "] is a table, not " + std::string(type_name(node)));
                }
            } else {
                unknown(section, key, node);
            }
        }
    }

    void problem(const toml::source_position& at, std::string text, std::string path = {}) {
        found_.push_back({{Origin::Kind::kFile, name_, at.line, at.column}, std::move(text), std::move(path)});
    }

    /// Tells what was found, from the top of the document; the walk is in the order of names.
    void finish() {
        std::stable_sort(found_.begin(), found_.end(), [](const Found& left, const Found& right) {
            return std::pair(left.at.line, left.at.column) < std::pair(right.at.line, right.at.column);
        });
        for (Found& found : found_)
            problems_.push_back({found.at.place(), std::move(found.text), std::move(found.path)});
    }

private:
    struct Found {
        Origin at;
        std::string text;
        std::string path;
    };

    [[nodiscard]] bool is_section(const std::string& path) const {
        const auto below = [&](const Setting& setting) { return setting.path.starts_with(path + "."); };
        return std::any_of(settings_.begin(), settings_.end(), below);
    }

    void take(std::size_t index, const toml::key& key, const toml::node& node) {
        const Setting& setting = settings_[index];
        auto value = read(setting, node);
        if (!value) return problem(node.source().begin, value.error().detail(), setting.path);
        const toml::source_position at = key.source().begin;
        layer_[index] = {std::move(*value), {Origin::Kind::kFile, name_, at.line, at.column}};
    }

    static Result<Value> mismatch(const Setting& setting, const toml::node& node) {
        return fail(Code::kConfig, setting.path + " must be " + std::string(wanted(setting)) + ", not " +
                                       std::string(type_name(node)));
    }

    static Result<Value> read(const Setting& setting, const toml::node& node) {
        switch (setting.kind) {
            case Kind::kList:
                return read_list(setting, node);
            case Kind::kSwitch:
                if (const auto on = node.value_exact<bool>()) return Value(*on);
                return mismatch(setting, node);
            case Kind::kReal:
                if (!node.is_number()) return mismatch(setting, node);
                return check_range(setting, Value(*node.value<double>()), setting.path);
            case Kind::kCount:
            case Kind::kSize:
                if (const auto number = node.value_exact<std::int64_t>()) return read_number(setting, *number);
                if (setting.kind == Kind::kCount) return mismatch(setting, node);
                break;
            case Kind::kDuration:
                if (node.value_exact<std::int64_t>() == 0) return check_range(setting, Value(0UL), setting.path);
                break;
            default:
                break;
        }
        const auto text = node.value_exact<std::string>();
        if (!text) return mismatch(setting, node);
        return parse_text(setting, *text, setting.path);
    }

    static Result<Value> read_number(const Setting& setting, std::int64_t number) {
        if (number >= 0) return check_range(setting, Value(static_cast<std::uint64_t>(number)), setting.path);
        const std::string range = format_range(setting);
        return fail(Code::kConfig, setting.path + " must be " + (range.empty() ? "0 or more" : range) + ", got " +
                                       std::to_string(number));
    }

    static Result<Value> read_list(const Setting& setting, const toml::node& node) {
        if (const auto one = node.value_exact<std::string>()) return Value(std::vector{*one});
        const toml::array* array = node.as_array();
        if (array == nullptr) return mismatch(setting, node);
        std::vector<std::string> list;
        for (const toml::node& item : *array) {
            const auto text = item.value_exact<std::string>();
            if (!text) return mismatch(setting, item);
            list.push_back(*text);
        }
        return Value(std::move(list));
    }

    void unknown(const std::string& section, const toml::key& key, const toml::node& node) {
        const std::string word(key.str());
        const bool table = node.is_table();
        std::string text = table ? "unknown table [" + (section.empty() ? "" : section + ".") + word + "]"
                                 : "unknown key '" + word + "'" + (section.empty() ? "" : " in [" + section + "]");
        const std::string meant = suggestion(section, word);
        if (!meant.empty()) text += "; did you mean '" + meant + "'?";
        problem(key.source().begin, std::move(text));
    }

    /// A neighbour of nearly that name, else a key of just that name in another table.
    [[nodiscard]] std::string suggestion(const std::string& section, const std::string& word) const {
        std::vector<std::string> names;
        const std::string prefix = section.empty() ? "" : section + ".";
        for (const Setting& setting : settings_) {
            if (!setting.path.starts_with(prefix)) continue;
            const std::string rest = setting.path.substr(prefix.size());
            names.push_back(rest.substr(0, rest.find('.')));
        }
        std::string meant = suggest(word, names);
        if (!meant.empty()) return meant;
        for (const Setting& setting : settings_) {
            if (setting.key() == word) return setting.path;
        }
        return {};
    }

    const Settings& settings_;
    const std::string& name_;
    Layer& layer_;
    Problems& problems_;
    std::vector<Found> found_;
};

}  // namespace

void read_toml(const Settings& settings, std::string_view text, const std::string& name, Layer& layer,
               Problems& problems) {
    Reading reading(settings, name, layer, problems);
    try {
        reading.walk(toml::parse(text), {});
    } catch (const toml::parse_error& error) {
        reading.problem(error.source().begin, std::string(error.description()));
    }
    reading.finish();
}

void read_toml_file(const Settings& settings, const std::filesystem::path& file, Layer& layer, Problems& problems) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(file, error)) {
        const std::string why = error ? error.message() : "not a regular file";
        problems.push_back({file.string(), "cannot be read: " + why});
        return;
    }
    std::ifstream in(file, std::ios::binary);
    std::string text(kFileBytesMax + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (in.bad() || !in.eof()) {
        const std::string why = text.size() > kFileBytesMax ? "over 1MiB" : std::strerror(errno);
        problems.push_back({file.string(), "cannot be read: " + why});
        return;
    }
    read_toml(settings, text, file.string(), layer, problems);
}

}  // namespace telpher::config
