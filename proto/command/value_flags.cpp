#include "proto/command/value_flags.h"

#include <CLI/CLI.hpp>
#include <utility>

#include "proto/base/units.h"

namespace telpher::command {
namespace {

template <class Parse, class Store>
CLI::Option* add(CLI::App& app, const std::string& names, Parse parse, Store store, const std::string& help) {
    auto read = [names, parse = std::move(parse), store = std::move(store)](const std::string& text) {
        const auto parsed = parse(text);
        if (!parsed) throw CLI::ValidationError(names, parsed.error().detail());
        store(*parsed);
    };
    return app.add_option_function<std::string>(names, read, help);
}

}  // namespace

CLI::Option* add_duration(CLI::App& app, const std::string& names, std::function<void(Millis)> store,
                          const std::string& help) {
    return add(app, names, parse_duration, std::move(store), help)->type_name("DUR");
}

CLI::Option* add_size(CLI::App& app, const std::string& names, std::function<void(std::uint64_t)> store,
                      const std::string& help) {
    return add(app, names, parse_size, std::move(store), help)->type_name("SIZE");
}

CLI::Option* add_size(CLI::App& app, const std::string& names, std::uint64_t& value, const std::string& help) {
    return add_size(
        app, names, [&value](std::uint64_t size) { value = size; }, help);
}

CLI::Option* add_count(CLI::App& app, const std::string& names, CountRange range,
                       std::function<void(std::uint64_t)> store, const std::string& help) {
    const auto parse = [range](const std::string& text) { return parse_count(text, range.min, range.max); };
    return add(app, names, parse, std::move(store), help)->type_name("N");
}

}  // namespace telpher::command
