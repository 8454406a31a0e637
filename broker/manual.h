// The manual page of telpherd's configuration file, from the table of its settings. Pure function; any thread.
#pragma once

#include <string>

namespace telpher::broker {

/// telpherd.toml(5), in man(7). Ends before SEE ALSO.
std::string config_page();

}  // namespace telpher::broker
