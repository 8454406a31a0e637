#include "proto/config/environment.h"

#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "proto/config/suggest.h"

namespace telpher::config {
namespace {

constexpr std::string_view kPrefix = "TELPHER_";
constexpr std::string_view kNested = "__";

/// The variable speaks of a section of ours.
bool in_a_section(const std::vector<Setting>& settings, std::string_view variable) {
    const std::size_t end = variable.find(kNested);
    if (end == std::string_view::npos) return false;
    const std::string head(variable.substr(0, end + kNested.size()));
    return std::any_of(settings.begin(), settings.end(),
                       [&](const Setting& setting) { return setting.variable().starts_with(head); });
}

std::string unknown(const Settings& settings, const std::string& variable) {
    std::vector<std::string> names;
    for (const Setting& setting : settings) names.push_back(setting.variable());
    const std::string meant = suggest(variable, names);
    return "unknown setting" + (meant.empty() ? "" : "; did you mean " + meant + "?");
}

}  // namespace

void read_environment(const Settings& settings, const std::vector<std::string>& entries, Layer& layer,
                      Problems& problems) {
    for (const std::string& entry : entries) {
        const std::size_t equals = entry.find('=');
        if (!entry.starts_with(kPrefix) || equals == std::string::npos || equals + 1 == entry.size()) continue;
        const std::string variable = entry.substr(0, equals);
        const auto named = [&](const Setting& setting) { return setting.variable() == variable; };
        const auto found = std::find_if(settings.begin(), settings.end(), named);
        if (found != settings.end()) {
            auto value = parse_text(*found, std::string_view(entry).substr(equals + 1), found->path);
            if (value) {
                const auto index = static_cast<std::size_t>(found - settings.begin());
                layer[index] = {std::move(*value), {Origin::Kind::kEnvironment, variable}};
            } else {
                problems.push_back({variable, value.error().detail(), found->path});
            }
        } else if (in_a_section(settings, variable)) {
            problems.push_back({variable, unknown(settings, variable)});
        }
    }
}

std::vector<std::string> environment() {
    std::vector<std::string> entries;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) entries.emplace_back(*entry);
    return entries;
}

}  // namespace telpher::config
