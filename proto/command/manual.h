// Manual pages from the options and commands of a program, so that they cannot differ from what it understands. In the
// man(7) language. Pure functions; any thread.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "telpher/error.h"

namespace telpher::command {

/// Text as man(7) prints it: nothing in it is a request or an escape.
std::string man_text(std::string_view text);

/// The heading of a page: "TELPHER-PUT" of section 1, with our version.
std::string man_heading(std::string_view name, int section);

/// The commands of `app` that have pages of their own.
std::vector<std::string> paged_commands(const CLI::App& app, int section);

/// The page of `app`, or of the command below it that `path` names ({"queue"}); kUsage if there is none. `section` 1
/// for commands, 8 for daemons of the system. Ends before SEE ALSO.
Result<std::string> man_page(const CLI::App& app, const std::vector<std::string>& path, int section);

}  // namespace telpher::command
