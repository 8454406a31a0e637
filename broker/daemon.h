// telpherd as a program: prepares the process (signals, descriptors, data directory and its lock), runs the shard,
// waits for a signal, stops. Lives in main().
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "broker/shard_thread.h"

namespace telpher::broker {

struct DaemonOptions {
    std::string data_dir = "/var/lib/telpher";
    std::vector<std::string> listen;
    bool dev = false;        ///< Temporary data directory, ipc endpoint inside it; both go at a clean stop.
    bool insecure = false;   ///< Allow addresses other hosts can reach, although there are no keys.
    std::string server_key;  ///< Key file of the broker: tcp speaks CURVE with it. Empty: no keys.
    std::string users_dir = "/etc/telpher/users";  ///< With a server key: who may come in.
    std::string log_level = "info";
    std::size_t connections_max = 10'000;
    std::uint64_t hello_timeout_ms = 5'000;
    std::uint64_t segment_bytes = 64ULL << 20;
    std::uint64_t message_bytes = 1ULL << 20;
    std::uint64_t heartbeat_ms = 5'000;
    std::uint64_t session_lease_ms = 30'000;
    std::uint64_t resume_grace_ms = 2'000;
    std::uint64_t restart_hold_ms = 2'000;
    std::uint64_t cache_bytes = 64ULL << 20;
    std::uint64_t disk_reserve_bytes = 256ULL << 20;
};

/// Runs until SIGTERM or SIGINT (drain) or a second one (stop now). Returns the exit status: 0, or that of the error,
/// which is logged.
int run_daemon(DaemonOptions options);

/// The exit status of an error (docs/reference/telpherd.md).
int exit_status(Code code);

}  // namespace telpher::broker
