// Reads settings from the environment: TELPHER_LIMITS__MESSAGE_SIZE is limits.message_size. Any thread.
#pragma once

#include <string>
#include <vector>

#include "proto/config/layer.h"

namespace telpher::config {

/// Reads entries of the form NAME=VALUE. An empty value is none. A TELPHER_ name with "__" whose first part is a
/// section of the table must be a setting; other names (TELPHER_SERVER, TELPHER_QUEUE, ...) are somebody else's.
void read_environment(const Settings& settings, const std::vector<std::string>& entries, Layer& layer,
                      Problems& problems);

/// This process's.
std::vector<std::string> environment();

}  // namespace telpher::config
