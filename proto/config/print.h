// Prints a configuration, and a table of settings for those who read about it. Pure functions; any thread.
#pragma once

#include <string>

#include "proto/config/resolve.h"

namespace telpher::config {

/// The configuration as TOML, which reads back as the same; `origin`: each line says where its value comes from.
std::string print_toml(const Settings& settings, const Resolved& resolved, bool origin);
/// The same as JSON; with `origin` each value is {"value": ..., "origin": "..."}.
std::string print_json(const Settings& settings, const Resolved& resolved, bool origin);
/// An example file: every setting with its default, commented out, and what it does. `head`: lines for its top.
std::string print_commented(const Settings& settings, const std::string& head);
/// The table of settings for a reference page, in Markdown.
std::string print_markdown(const Settings& settings);

}  // namespace telpher::config
