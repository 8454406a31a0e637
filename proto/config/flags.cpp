#include "proto/config/flags.h"

#include <CLI/CLI.hpp>

#include "proto/base/units.h"

namespace telpher::config {
namespace {

Result<Value> parse_flag(const Setting& setting, const std::string& text) {
    // A key file that is absent or not secret is no misuse of the flag: resolve() says so.
    if (setting.kind == Kind::kSecretFile) return Value(text);
    if (!setting.flag_in_ms) return parse_text(setting, text, setting.flag);
    const auto ms = parse_count(text, setting.min, setting.max);
    if (!ms) return fail(Code::kConfig, setting.flag + ": " + ms.error().detail());
    return Value(*ms);
}

std::string help_of(const Setting& setting) {
    const std::string range = format_range(setting);
    return setting.help + (range.empty() || setting.flag_in_ms ? "" : " (" + range + ")");
}

std::string default_of(const Setting& setting) {
    if (setting.flag_in_ms) return std::to_string(std::get<std::uint64_t>(setting.fallback));
    return format_text(setting, setting.fallback);
}

}  // namespace

void add_flags(CLI::App& app, const Settings& settings, Layer& layer) {
    for (std::size_t index = 0; index < settings.size(); ++index) {
        const Setting& setting = settings[index];
        if (setting.flag.empty()) continue;
        const auto store = [&layer, index, &setting](Value value) {
            layer[index] = {std::move(value), {Origin::Kind::kFlag, setting.flag}};
        };
        CLI::Option* option = nullptr;
        if (setting.kind == Kind::kSwitch) {
            const auto read = [store](std::int64_t count) { store(count > 0); };
            app.add_flag_function(setting.flag, read, help_of(setting));
            continue;
        }
        if (setting.kind == Kind::kList) {
            const auto read = [store](const std::vector<std::string>& items) { store(items); };
            option = app.add_option_function<std::vector<std::string>>(setting.flag, read, help_of(setting));
            option->allow_extra_args(false);
        } else {
            const auto read = [store, &setting](const std::string& text) {
                auto value = parse_flag(setting, text);
                if (!value) throw CLI::ValidationError(value.error().detail());
                store(std::move(*value));
            };
            option = app.add_option_function<std::string>(setting.flag, read, help_of(setting));
        }
        option->type_name(std::string(placeholder(setting)))->default_str(default_of(setting));
    }
}

}  // namespace telpher::config
