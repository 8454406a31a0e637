// telpherd as a program: prepares the process (signals, descriptors, data directory and its lock), runs the shard,
// waits for a signal, stops. Lives in main().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "broker/queue/queue.h"
#include "proto/service/logging.h"
#include "telpher/error.h"

namespace telpher::broker {

struct Invocation;

/// The settings (broker/config.h has their table).
struct DaemonOptions {
    std::string data_dir = "/var/lib/telpher";
    std::vector<std::string> listen{"ipc:///run/telpher/telpher.sock"};
    bool dev = false;       ///< Temporary data directory, ipc endpoint inside it; both go at a clean stop. A flag only.
    bool insecure = false;  ///< Allow addresses other hosts can reach, without keys.
    std::string server_key_file;                   ///< Tcp speaks CURVE with this key. Empty: no keys.
    std::string users_dir = "/etc/telpher/users";  ///< With a server key: who may come in.
    std::string log_level = "info";
    std::string http = "127.0.0.1:5680";  ///< ADDRESS:PORT of the admin port; "none" or nothing: none.
    bool http_asked = false;              ///< Somebody set it: then it must be free. No setting of its own.
    std::size_t queue_series_max = 1000;
    service::LogFormat log_format = service::LogFormat::kAuto;
    queue::Options queue_defaults{};
    std::size_t connections_max = 10'000;
    std::uint64_t hello_timeout_ms = 5'000;
    std::uint64_t segment_bytes = 64ULL << 20;
    std::uint64_t message_bytes = 1ULL << 20;
    std::uint64_t heartbeat_ms = 5'000;
    std::uint64_t session_lease_ms = 30'000;
    std::uint64_t resume_grace_ms = 2'000;
    std::uint64_t restart_hold_ms = 2'000;
    std::uint64_t cache_bytes = 8ULL << 20;
    std::uint64_t scrub_interval_ms = 7ULL * 24 * 3'600'000;
    std::uint64_t disk_reserve_bytes = 256ULL << 20;
};

/// Runs until SIGTERM or SIGINT (drain) or a second one (stop now); SIGHUP reads the configuration again. Ends the
/// process with 0 or the status of the error, which is logged; returns only if the configuration is wrong (78).
int run_daemon(const Invocation& invocation);

/// The exit status of an error (docs/reference/telpherd.md).
int exit_status(Code code);

}  // namespace telpher::broker
