// Reading small TOML files: errors are values that name file, line and column, and a key nobody knows is an error. For
// .cpp files of ours only; any thread.
#pragma once

#include <toml++/toml.h>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "telpher/error.h"

namespace telpher::security {

/// A whole regular file, at most 64 KiB; kConfig if it cannot be read. `secret`: kConfig if others can read it.
Result<std::string> read_small_file(const std::filesystem::path& path, bool secret);

/// kConfig with "path:line:column: why" if it is no TOML.
Result<toml::table> parse_toml(std::string_view text, const std::filesystem::path& path);

/// "path:line:column: why" for a node.
std::string at(const std::filesystem::path& path, const toml::node& node, std::string_view why);

/// kConfig for the first key of `table` that is not among `known`.
Result<void> only_keys(const toml::table& table, std::initializer_list<std::string_view> known,
                       const std::filesystem::path& path);

/// The strings of an array; absent is empty. kConfig: it is something else.
Result<std::vector<std::string>> strings_of(const toml::table& table, std::string_view key,
                                            const std::filesystem::path& path);

}  // namespace telpher::security
