#include "broker/config.h"

#include <cstdio>

#include "broker/listen_address.h"
#include "proto/base/units.h"
#include "proto/config/environment.h"
#include "proto/config/print.h"
#include "proto/http/http_server.h"
#include "proto/limits.h"
#include "proto/security/key_file.h"
#include "proto/security/user_file.h"

namespace telpher::broker {
namespace {

using config::Kind;
using Table = config::Table<DaemonOptions>;

constexpr const char* kDefaultFile = "/etc/telpher/telpherd.toml";
constexpr std::uint64_t kScrubIntervalMaxMs = 365ULL * 24 * 3'600'000;
constexpr std::uint64_t kTimingMaxMs = 3'600'000;
// A segment holds its snapshot, one body and what a step may write beside it.
constexpr std::uint64_t kSegmentBesideBodies = 8 * limits::kMiB;
constexpr auto kLeaseMaxMs =
    static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(limits::kNackDelayMax).count());

void add_places(Table& table) {
    table.add({.path = "data_dir",
               .flag = "--data-dir",
               .value_name = "DIR",
               .help = "Where the log lies; one daemon at a time (a lock guards it)."},
              &DaemonOptions::data_dir);
    table.add({.path = "listen.client",
               .flag = "--listen",
               .kind = Kind::kList,
               .value_name = "URL",
               .help = "Where clients connect: tcp://ADDRESS:PORT (* = any free port) or ipc:///PATH; the flag may be "
                       "given again."},
              &DaemonOptions::listen);
    table.add({.path = "listen.insecure",
               .flag = "--insecure",
               .kind = Kind::kSwitch,
               .help = "Allow addresses that other hosts can reach, without keys: anybody who can connect can do "
                       "everything."},
              &DaemonOptions::insecure);
    table.add(
        {.path = "listen.http",
         .flag = "--http",
         .value_name = "ADDRESS:PORT",
         .help = "The admin port: health, metrics and JSON (* = any free port); none: no such port, as with --dev "
                 "unless it is set. The default one is done without if it is taken."},
        &DaemonOptions::http);
}

void add_security(Table& table) {
    table.add(
        {.path = "security.server_key_file",
         .flag = "--server-key",
         .kind = Kind::kSecretFile,
         .help = "Key file of the broker (telpher keygen). Every tcp address is encrypted then, and lets in users "
                 "alone; ipc is as before."},
        &DaemonOptions::server_key_file);
    table.add({.path = "security.users_dir",
               .flag = "--users",
               .value_name = "DIR",
               .reloadable = true,
               .help = "With a server key: who may come in and do what (telpher user add). Read again by every reload, "
                       "changed or not."},
              &DaemonOptions::users_dir);
}

void add_limits(Table& table) {
    table.add({.path = "limits.connections",
               .flag = "--connections-max",
               .kind = Kind::kCount,
               .min = 1,
               .max = 1'000'000,
               .reloadable = true,
               .help = "More connections are closed. telpherd raises its soft descriptor limit and refuses to start "
                       "below this + 1024."},
              &DaemonOptions::connections_max);
    table.add({.path = "limits.message_size",
               .flag = "--message-size",
               .kind = Kind::kSize,
               .min = 1024,
               .max = limits::kMessageBytesMax,
               .help = "Largest message."},
              &DaemonOptions::message_bytes);
    table.add({.path = "limits.disk_free",
               .flag = "--disk-reserve",
               .kind = Kind::kSize,
               .reloadable = true,
               .help = "With less room on the disk than this, or than two segments, puts get E_DISK_FULL; gets and "
                       "settles go on and make room. Spare segments count as room."},
              &DaemonOptions::disk_reserve_bytes);
}

/// A member of the options that a new queue takes.
template <class Member>
auto of_queue(Member member) {
    return [member](DaemonOptions& options) -> decltype(auto) { return (options.queue_defaults.*member); };
}

void add_queue_defaults(Table& table) {
    table.add({.path = "defaults.queue.max_messages",
               .flag = "--default-max-messages",
               .kind = Kind::kCount,
               .min = 1,
               .max = limits::kMaxsizeMax,
               .reloadable = true,
               .help = "Messages a new queue holds at most (maxsize), where its maker says nothing. Queues that are "
                       "there keep what they have; so with the keys below."},
              of_queue(&queue::Options::maxsize));
    table.add({.path = "defaults.queue.max_bytes",
               .flag = "--default-max-bytes",
               .kind = Kind::kSize,
               .reloadable = true,
               .help = "Bytes a new queue holds at most; 0: no bound."},
              of_queue(&queue::Options::max_bytes));
    table.add_choice<decltype(of_queue(&queue::Options::on_full)), queue::OnFull>(
        {.path = "defaults.queue.on_full",
         .flag = "--default-on-full",
         .value_name = "POLICY",
         .reloadable = true,
         .help = "What a put to a full new queue does."},
        of_queue(&queue::Options::on_full),
        {{"block", queue::OnFull::kBlock},
         {"reject", queue::OnFull::kReject},
         {"drop-oldest", queue::OnFull::kDropOldest}});
    table.add_choice<decltype(of_queue(&queue::Options::durability)), queue::Durability>(
        {.path = "defaults.queue.durability",
         .flag = "--default-durability",
         .value_name = "D",
         .reloadable = true,
         .help = "When a put to a new queue is confirmed: after fdatasync, after write(2), or in memory."},
        of_queue(&queue::Options::durability),
        {{"fsync", queue::Durability::kFsync},
         {"async", queue::Durability::kAsync},
         {"memory", queue::Durability::kMemory}});
    table.add({.path = "defaults.queue.lease",
               .flag = "--default-lease",
               .kind = Kind::kDuration,
               .max = kLeaseMaxMs,
               .reloadable = true,
               .help = "A message of a new queue that is not settled in this time goes to somebody else; 0: as long as "
                       "its consumer lives."},
              of_queue(&queue::Options::lease_ms));
}

void add_retry_defaults(Table& table) {
    table.add(
        {.path = "defaults.queue.retry.max_attempts",
         .flag = "--default-max-attempts",
         .kind = Kind::kCount,
         .max = limits::kAttemptsMax,
         .reloadable = true,
         .help = "Failed attempts after which a message of a new queue is a dead letter; 0: it is never given up."},
        of_queue(&queue::Options::max_attempts));
    table.add({.path = "defaults.queue.retry.backoff",
               .flag = "--default-backoff",
               .kind = Kind::kDuration,
               .max = kLeaseMaxMs,
               .reloadable = true,
               .help = "Before the second attempt; doubles with each."},
              of_queue(&queue::Options::backoff_ms));
    table.add({.path = "defaults.queue.retry.max",
               .flag = "--default-backoff-max",
               .kind = Kind::kDuration,
               .max = kLeaseMaxMs,
               .reloadable = true,
               .help = "The longest time before an attempt."},
              of_queue(&queue::Options::backoff_max_ms));
}

void add_timing(Table& table) {
    const auto add = [&](std::string key, std::string flag, std::uint64_t DaemonOptions::*member, bool reloadable,
                         std::string help) {
        table.add({.path = "timing." + std::move(key),
                   .flag = std::move(flag),
                   .kind = Kind::kDuration,
                   .min = 1,
                   .max = kTimingMaxMs,
                   .flag_in_ms = true,
                   .reloadable = reloadable,
                   .help = std::move(help)},
                  member);
    };
    add("heartbeat", "--heartbeat-ms", &DaemonOptions::heartbeat_ms, false,
        "Clients send something at least this often.");
    add("session_lease", "--session-lease-ms", &DaemonOptions::session_lease_ms, false,
        "Silence after which a connection is closed.");
    add("resume_grace", "--resume-grace-ms", &DaemonOptions::resume_grace_ms, false,
        "How long the work of a lost connection waits for it.");
    add("restart_hold", "--restart-hold-ms", &DaemonOptions::restart_hold_ms, false,
        "After a restart, how long delivered messages wait for their consumers.");
    add("hello_timeout", "--hello-timeout-ms", &DaemonOptions::hello_timeout_ms, true,
        "A connection must say HELLO within this.");
}

void add_storage(Table& table) {
    table.add({.path = "storage.segment_bytes",
               .flag = "--segment-bytes",
               .kind = Kind::kSize,
               .min = kSegmentBesideBodies,
               .max = 1024 * limits::kMiB,
               .help = "Size of a log segment; at least 8MiB and two of the largest messages."},
              &DaemonOptions::segment_bytes);
    table.add({.path = "storage.cache_bytes",
               .flag = "--cache-bytes",
               .kind = Kind::kSize,
               .help = "Recent batches kept in memory, so that a consumer that keeps up causes no reads."},
              &DaemonOptions::cache_bytes);
    table.add(
        {.path = "storage.scrub_interval",
         .flag = "--scrub-interval",
         .kind = Kind::kDuration,
         .max = kScrubIntervalMaxMs,
         .reloadable = true,
         .help = "All of the log but its end is read again once in this time, at most 2MiB a second, so that damage "
                 "is found early; it stops the broker. 0: never."},
        &DaemonOptions::scrub_interval_ms);
}

void add_log(Table& table) {
    table.add({.path = "log.level",
               .flag = "--log-level",
               .kind = Kind::kChoice,
               .choices = {"trace", "debug", "info", "warn", "error"},
               .value_name = "LEVEL",
               .reloadable = true,
               .help = "The least that is logged."},
              &DaemonOptions::log_level);
    using service::LogFormat;
    table.add_choice<LogFormat DaemonOptions::*, LogFormat>(
        {.path = "log.format",
         .flag = "--log-format",
         .value_name = "FORMAT",
         .help = "How lines are written. auto: with fields into the journal if stderr leads there, text on a "
                 "terminal, else JSON, one object a line."},
        &DaemonOptions::log_format,
        {{"auto", LogFormat::kAuto},
         {"text", LogFormat::kText},
         {"json", LogFormat::kJson},
         {"journal", LogFormat::kJournal}});
}

void add_metrics(Table& table) {
    table.add({.path = "metrics.max_queue_series",
               .flag = "--max-queue-series",
               .kind = Kind::kCount,
               .min = 0,
               .max = limits::kQueuesMax,
               .help = "Queues that have series of their own in /metrics, the oldest first; the others are summed up."},
              &DaemonOptions::queue_series_max);
}

Table make_table() {
    Table table;
    add_places(table);
    add_security(table);
    add_limits(table);
    add_queue_defaults(table);
    add_retry_defaults(table);
    add_timing(table);
    add_storage(table);
    add_log(table);
    add_metrics(table);
    return table;
}

/// What no single setting can know.
void check(DaemonOptions& options, config::Resolved& resolved) {
    const auto complain = [&](std::initializer_list<std::string_view> paths, std::string text) {
        resolved.complain(daemon_table().settings(), paths, std::move(text));
    };
    for (std::string& endpoint : options.listen) {
        auto checked = check_listen_address(endpoint, options.insecure || !options.server_key_file.empty());
        if (checked) {
            endpoint = *checked;
        } else {
            complain({"listen.client"}, "listen.client: " + checked.error().detail());
        }
    }
    if (!options.server_key_file.empty()) {
        const auto key = security::read_key_file(options.server_key_file);
        if (!key) complain({"security.server_key_file"}, "security.server_key_file: " + key.error().detail());
        const auto users = security::read_users(options.users_dir);
        if (!users) complain({"security.users_dir"}, "security.users_dir: " + users.error().detail());
    }
    if (options.listen.empty()) complain({"listen.client"}, "listen.client must name an address");
    options.http_asked = resolved.given(daemon_table().settings(), "listen.http");
    if (!options.http_asked && options.dev) options.http.clear();
    if (http::wants_http(options.http)) {
        const auto checked = http::check_http_address(options.http, options.insecure);
        if (!checked) complain({"listen.http"}, "listen.http: " + checked.error().detail());
    }
    const std::uint64_t segment_bytes_min = kSegmentBesideBodies + 2 * options.message_bytes;
    if (options.segment_bytes < segment_bytes_min) {
        complain({"storage.segment_bytes", "limits.message_size"},
                 "storage.segment_bytes must be at least 8MiB and twice limits.message_size (" +
                     format_size(segment_bytes_min) + "), got " + format_size(options.segment_bytes));
    }
    if (options.queue_defaults.backoff_ms > options.queue_defaults.backoff_max_ms) {
        complain({"defaults.queue.retry.backoff", "defaults.queue.retry.max"},
                 "defaults.queue.retry.backoff must be at most defaults.queue.retry.max");
    }
    if (options.session_lease_ms < 2 * options.heartbeat_ms) {
        complain({"timing.session_lease", "timing.heartbeat"},
                 "timing.session_lease must be at least twice timing.heartbeat");
    }
}

}  // namespace

const Table& daemon_table() {
    static const Table table = make_table();
    return table;
}

Configuration configure(const Invocation& invocation) {
    config::Sources sources;
    sources.file = invocation.file;
    if (!invocation.file_given && !invocation.dev) sources.file = kDefaultFile;
    sources.file_required = invocation.file_given;
    sources.variables = config::environment();
    sources.flags = invocation.flags;
    Configuration made;
    made.resolved = config::resolve(daemon_table().settings(), sources);
    daemon_table().store(made.resolved, made.options);
    made.options.dev = invocation.dev;
    check(made.options, made.resolved);
    return made;
}

int print_problems(const config::Problems& problems) {
    for (const config::Problem& problem : problems) std::fprintf(stderr, "%s\n", problem.line().c_str());
    std::fprintf(stderr, "telpherd: E_CONFIG: %s\n", config::sum_up(problems).c_str());
    return exit_status(Code::kConfig);
}

std::string example_config() {
    return config::print_commented(
        daemon_table().settings(),
        "# Configuration of telpherd, Telpher's broker: /etc/telpher/telpherd.toml. Every setting is here with its "
        "default.\n"
        "# A flag wins over the environment (TELPHER_LIMITS__MESSAGE_SIZE is limits.message_size), that over this file "
        "and\n"
        "# over conf.d/*.toml beside it. `telpherd --check-config` checks it, `systemctl reload telpherd` (SIGHUP) "
        "applies it.\n"
        "# Written by: telpherd --print-config --commented\n");
}

}  // namespace telpher::broker
