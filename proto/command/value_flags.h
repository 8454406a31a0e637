// Options whose text is read by proto/base/units.h; a text that cannot be read is a usage error that names the option
// and says why.
#pragma once

#include <CLI/App.hpp>
#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>

#include "telpher/options.h"

namespace telpher::command {

CLI::Option* add_duration(CLI::App& app, const std::string& names, std::function<void(Millis)> store,
                          const std::string& help);
CLI::Option* add_size(CLI::App& app, const std::string& names, std::function<void(std::uint64_t)> store,
                      const std::string& help);

CLI::Option* add_size(CLI::App& app, const std::string& names, std::uint64_t& value, const std::string& help);

/// A whole number.
struct CountRange {
    std::uint64_t min = 1;
    std::uint64_t max = UINT64_MAX;
};
CLI::Option* add_count(CLI::App& app, const std::string& names, CountRange range,
                       std::function<void(std::uint64_t)> store, const std::string& help);

/// The same into `value`, whose type bounds it too; it must outlive the parse.
template <std::unsigned_integral T>
CLI::Option* add_count(CLI::App& app, const std::string& names, CountRange range, T& value, const std::string& help) {
    range.max = std::min<std::uint64_t>(range.max, std::numeric_limits<T>::max());
    return add_count(
        app, names, range, [&value](std::uint64_t count) { value = static_cast<T>(count); }, help);
}

}  // namespace telpher::command
