// The table of telpherd's settings, and the configuration that its sources make. Made by the main thread.
#pragma once

#include <filesystem>
#include <string>

#include "broker/daemon.h"
#include "proto/config/table.h"

namespace telpher::broker {

/// One row a setting: it drives the file, the flags, the environment, what is printed, and the manual. Constant.
const config::Table<DaemonOptions>& daemon_table();

/// What the command line says.
struct Invocation {
    std::filesystem::path file{};  ///< Empty: none.
    bool file_given = false;       ///< Else the default one is read, if it is there.
    bool dev = false;
    config::Layer flags{};
};

struct Configuration {
    DaemonOptions options;
    config::Resolved resolved;  ///< With its problems; if there are any, the options are not to be used.
};

/// Reads files and environment, and checks everything that can be checked without touching the system.
Configuration configure(const Invocation& invocation);

/// Writes the problems to stderr, one a line, and the sum of them. The exit status.
int print_problems(const config::Problems& problems);

/// The commented example file.
std::string example_config();

}  // namespace telpher::broker
