// One row of a program's table of settings: what a setting is called, what it may be, what it does. The table drives
// the TOML file, the flags, the environment, the printed configuration and the manual. Values; pure functions; any
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "telpher/error.h"

namespace telpher::config {

/// How a value is written and what it means.
enum class Kind : std::uint8_t {
    kText,        ///< A string.
    kList,        ///< Strings: an array in TOML, separated by commas in the environment, a flag given again.
    kSwitch,      ///< true or false; as a flag: there or not.
    kCount,       ///< A whole number.
    kReal,        ///< A number.
    kSize,        ///< Bytes: "64KiB", or a whole number.
    kDuration,    ///< "30s"; milliseconds inside.
    kChoice,      ///< One of a few words.
    kSecretFile,  ///< Path of a file that only its owner may read; ${VARIABLE} stands for the environment's.
};

/// A list for kList, a bool for kSwitch, a whole number for kCount, kSize (bytes) and kDuration (ms), a double for
/// kReal, a string else.
using Value = std::variant<std::string, std::vector<std::string>, bool, std::uint64_t, double>;

struct Setting {
    std::string path;    ///< "limits.message_size": the table in the file and the key in it.
    std::string flag{};  ///< "--message-size"; empty: it has none.
    Kind kind = Kind::kText;
    std::uint64_t min = 0;  ///< Of numbers; in ms for durations.
    std::uint64_t max = UINT64_MAX;
    std::vector<std::string> choices{};
    std::string value_name{};  ///< Stands for the value in usages; empty: that of its kind.
    bool flag_in_ms = false;   ///< The flag of this duration takes a bare number of milliseconds.
    bool reloadable = false;   ///< A reload applies it; else it needs a restart.
    std::string help{};        ///< Whole sentences.
    Value fallback{};          ///< Without a word of it anywhere.

    /// The key alone: "message_size".
    [[nodiscard]] std::string_view key() const;
    /// The table it lies in: "limits", empty for the first one.
    [[nodiscard]] std::string_view section() const;
    /// "TELPHER_LIMITS__MESSAGE_SIZE".
    [[nodiscard]] std::string variable() const;
};

using Settings = std::vector<Setting>;

/// Position of the setting in the table.
std::optional<std::size_t> find(const Settings& settings, std::string_view path);
/// The sections of the table in its order, without the first, nameless one.
std::vector<std::string_view> sections(const Settings& settings);

/// The value as flags and the environment write it. kConfig otherwise; `subject` is what the error begins with.
Result<Value> parse_text(const Setting& setting, std::string_view text, std::string_view subject);
/// The value, if it is one that the setting may have; kConfig otherwise.
Result<Value> check_range(const Setting& setting, Value value, std::string_view subject);

/// As parse_text() reads it.
std::string format_text(const Setting& setting, const Value& value);
/// What may be said: "1KiB..16MiB", "block, reject or drop-oldest"; empty: anything of its kind.
std::string format_range(const Setting& setting);
/// "SIZE", "DURATION", "N": stands for the value in usages.
std::string_view placeholder(const Setting& setting);

}  // namespace telpher::config
