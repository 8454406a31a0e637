// Asking before something is destroyed.
#pragma once

#include <string>

#include "telpher/error.h"

namespace telpher::cli {

/// Somebody at a terminal says yes. kUsage if not, or without a terminal: then there is nobody to ask.
Result<void> confirm(const std::string& question);

}  // namespace telpher::cli
