// telpherd: the broker daemon, and the offline tools for its data directory.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "broker/daemon.h"
#include "broker/offline.h"
#include "proto/base/standard_descriptors.h"
#include "proto/command/value_flags.h"
#include "proto/version.h"

namespace {

using telpher::broker::DaemonOptions;
using telpher::broker::OfflineOptions;

void add_daemon_flags(CLI::App& app, DaemonOptions& options) {
    app.add_option("--data-dir", options.data_dir, "Where the log lies")->capture_default_str();
    app.add_option("--listen", options.listen, "tcp://ADDRESS:PORT or ipc:///PATH; may be given again")
        ->allow_extra_args(false);
    app.add_flag("--dev", options.dev, "Try it: temporary data directory, ipc; prints how to connect");
    app.add_option("--server-key", options.server_key,
                   "Key file made by `telpher keygen`: tcp is encrypted, and only for users with a key")
        ->type_name("FILE");
    app.add_option("--users", options.users_dir,
                   "With --server-key: files of `telpher user add`; SIGHUP reads them again")
        ->type_name("DIR")
        ->capture_default_str();
    app.add_flag("--insecure", options.insecure, "Allow addresses that other hosts can reach, without keys");
    app.add_option("--log-level", options.log_level, "trace, debug, info, warn, error")
        ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error"}))
        ->capture_default_str();
    telpher::command::add_count(app, "--connections-max", {1, 1'000'000}, options.connections_max,
                                "Connections at most (default 10000)");
    using telpher::command::add_size;
    add_size(app, "--message-size", options.message_bytes, "Largest message, up to 16MiB (default 1MiB)");
    add_size(app, "--segment-bytes", options.segment_bytes, "Size of a log segment (default 64MiB)");
    add_size(app, "--cache-bytes", options.cache_bytes, "Recent batches kept in memory (default 64MiB)");
    add_size(app, "--disk-reserve", options.disk_reserve_bytes,
             "Less free disk than this refuses puts (default 256MiB)");
    const auto add_ms = [&](const char* name, std::uint64_t& value, const char* help) {
        telpher::command::add_count(app, name, {1, 3'600'000}, value, help)
            ->default_str(std::to_string(value))
            ->type_name("MS");
    };
    add_ms("--heartbeat-ms", options.heartbeat_ms, "Clients send something this often");
    add_ms("--session-lease-ms", options.session_lease_ms, "Silence that ends a session");
    add_ms("--resume-grace-ms", options.resume_grace_ms, "How long a lost connection's work waits for it");
    add_ms("--hello-timeout-ms", options.hello_timeout_ms, "A connection must say HELLO within this");
    add_ms("--restart-hold-ms", options.restart_hold_ms,
           "After a restart, delivered messages wait this long for their consumers");
}

}  // namespace

int main(int argc, char** argv) {
    telpher::fill_standard_descriptors();
    CLI::App app{"Telpher's broker: bounded, durable queues between processes"};
    app.set_version_flag(
        "--version", "telpherd " + std::string(telpher::kVersion) + " (" + std::string(telpher::kGitRevision) + ")");
    DaemonOptions options;
    add_daemon_flags(app, options);
    OfflineOptions offline;
    CLI::App* dump = app.add_subcommand("dump", "Prints a stopped daemon's log, one JSON object a record");
    dump->add_option("DIR", offline.data_dir, "Data directory")->required();
    dump->add_option("--queue", offline.queue, "Only this queue (name or number)");
    dump->add_option("-o,--output", offline.output, "ndjson")->check(CLI::IsMember({"ndjson"}));
    CLI::App* fsck = app.add_subcommand("fsck", "Checks a stopped daemon's log and changes nothing");
    fsck->add_option("DIR", offline.data_dir, "Data directory")->required();
    app.require_subcommand(0, 1);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) return app.exit(error);  // --help
        const telpher::Error usage(telpher::Code::kUsage, error.what());
        std::fprintf(stderr, "telpherd: %s: --help shows how\n", usage.message().c_str());
        return telpher::broker::exit_status(usage.code());
    }
    if (dump->parsed()) return telpher::broker::dump(offline);
    if (fsck->parsed()) return telpher::broker::fsck(offline);
    return telpher::broker::run_daemon(std::move(options));
}
