// A telpherd on a data directory that was damaged, and what it serves of it through the library. Used by the thread of
// the test.
#pragma once

#include <filesystem>

#include "tests/e2e/corruption.h"
#include "tests/support/broker.h"

namespace telpher::test {

/// What it is started with, always: small segments, and a body cache that holds only a little of them.
BrokerOptions daemon_options(const std::filesystem::path& data_dir = {});
inline constexpr std::uint64_t kDaemonSegmentBytes = 10 << 20;

/// All files below a folder, by their names in it.
Folder read_folder(const std::filesystem::path& dir);
/// Makes the folder; what is zero takes no room.
void write_folder(const Folder& folder, const std::filesystem::path& dir);

/// What a daemon logged when it was refused or stopped: the errors only.
std::string failures_in(const std::string& log);

/// Starts a daemon on the directory and reads everything in the queue, as a consumer and as those who look. A start
/// that is refused, and a stop for damage, must have the exit status for it.
Served serve_daemon(const std::filesystem::path& data_dir);

}  // namespace telpher::test
