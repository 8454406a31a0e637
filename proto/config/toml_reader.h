// Reads settings from TOML. Everything that is wrong is told with its line and column. Any thread.
#pragma once

#include <filesystem>
#include <string_view>

#include "proto/config/layer.h"

namespace telpher::config {

/// Reads `text`, which errors call `name`, into `layer`. After an error the rest is still looked at.
void read_toml(const Settings& settings, std::string_view text, const std::string& name, Layer& layer,
               Problems& problems);

/// The same for a file, of at most 1 MiB.
void read_toml_file(const Settings& settings, const std::filesystem::path& file, Layer& layer, Problems& problems);

}  // namespace telpher::config
