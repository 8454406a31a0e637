// The flags of a table of settings. Used while the command line is set up and parsed.
#pragma once

#include <CLI/App.hpp>

#include "proto/config/layer.h"

namespace telpher::config {

/// Adds a flag for each setting that has one; what is given goes to `layer`, a value that is none is a usage error.
/// Table and layer outlive the parse.
void add_flags(CLI::App& app, const Settings& settings, Layer& layer);

}  // namespace telpher::config
