// Files that hold a secret: named in the configuration, never their content. Any thread.
#pragma once

#include <string>

#include "telpher/error.h"

namespace telpher::config {

/// The path with each ${VARIABLE} replaced by the environment's ("${CREDENTIALS_DIRECTORY}/server.key"), if that is a
/// regular file that neither its group nor others may read. What lies in $CREDENTIALS_DIRECTORY is guarded by that
/// directory; systemd gives the reader its right by an access list, which shows as the group's. kConfig otherwise.
Result<std::string> check_secret_file(const std::string& path);

}  // namespace telpher::config
