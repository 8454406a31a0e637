// What one source (a file, the environment, the command line) says of the settings, and everything that is wrong with
// it. Values; any thread.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "proto/config/setting.h"

namespace telpher::config {

/// Where a value comes from.
struct Origin {
    enum class Kind : std::uint8_t { kDefault, kFile, kEnvironment, kFlag };
    Kind kind = Kind::kDefault;
    std::string name{};  ///< The file, the variable or the flag.
    unsigned line = 0;   ///< Of a file, from 1, as is the column.
    unsigned column = 0;

    /// For people: "/etc/telpher/telpherd.toml:14", "env TELPHER_LOG__LEVEL", "flag --listen", "default".
    [[nodiscard]] std::string text() const;
    /// What an error line begins with: "/etc/telpher/telpherd.toml:14:1", "TELPHER_LOG__LEVEL", "--listen".
    [[nodiscard]] std::string place() const;
};

/// A value and where it comes from.
struct Given {
    Value value;
    Origin origin;
};

/// By position in the table.
using Layer = std::map<std::size_t, Given>;

/// One thing that is wrong.
struct Problem {
    std::string place;
    std::string text;
    std::string path{};  ///< Of the setting whose value is wrong, if there is one.
    /// "/etc/telpher/telpherd.toml:14:1: error: unknown key 'on_ful'".
    [[nodiscard]] std::string line() const { return place + ": error: " + text; }
};

using Problems = std::vector<Problem>;

/// "2 errors; nothing was changed".
std::string sum_up(const Problems& problems);

}  // namespace telpher::config
