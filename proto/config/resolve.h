// Brings the sources of a configuration together, key by key: a flag wins over the environment, that over the files,
// those over the defaults. Values; any thread.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "proto/config/layer.h"

namespace telpher::config {

struct Sources {
    std::filesystem::path file{};          ///< Empty: neither a file nor drop-ins.
    bool file_required = false;            ///< It is an error if the file is not there.
    std::vector<std::string> variables{};  ///< NAME=VALUE.
    Layer flags{};
};

/// A value for every setting, and what is wrong with the sources. With problems the values are good for nothing but to
/// find more of them.
struct Resolved {
    std::vector<Given> values;  ///< As the table.
    Problems problems;

    [[nodiscard]] bool ok() const { return problems.empty(); }
    /// Some source names this setting, which is of the table.
    [[nodiscard]] bool given(const Settings& settings, std::string_view path) const;
    /// Adds a problem that several settings make together; it is told at the first of `paths` that somebody gave. Not
    /// if one of them is wrong by itself: then nobody knows what it was to be.
    void complain(const Settings& settings, std::initializer_list<std::string_view> paths, std::string text);
};

/// Reads the file, then conf.d/*.toml beside it in the order of their names, and the rest. The same key in two
/// drop-ins is an error.
Resolved resolve(const Settings& settings, const Sources& sources);

/// A setting that differs.
struct Change {
    std::size_t index = 0;
    Given before;
    Given after;
};
std::vector<Change> changes(const Resolved& before, const Resolved& after);

}  // namespace telpher::config
