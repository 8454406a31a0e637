#include "broker/reload.h"

#include <spdlog/spdlog.h>

#include "broker/descriptors.h"
#include "proto/service/log_line.h"
#include "proto/service/logging.h"

namespace telpher::broker {
namespace {

using service::log_line;

void log_problems(const config::Problems& problems) {
    for (const config::Problem& problem : problems) log_line(spdlog::level::err, "config.error", problem.line());
    log_line(spdlog::level::err, "config.refused", "configuration: " + config::sum_up(problems));
}

void log_change(const config::Setting& setting, const config::Change& change) {
    const std::string before = format_text(setting, change.before.value);
    const std::string after = format_text(setting, change.after.value);
    const char* effect = setting.reloadable ? "applied now" : "needs a restart";
    log_line(setting.reloadable ? spdlog::level::info : spdlog::level::warn, "config.changed",
             setting.path + ": '" + before + "' -> '" + after + "' (" + change.after.origin.text() + "): " + effect,
             {{"key", setting.path}, {"before", before}, {"after", after}, {"effect", effect}});
}

}  // namespace

LiveSettings live_settings(const DaemonOptions& options) {
    return {.scrub_interval = std::chrono::milliseconds(options.scrub_interval_ms),
            .disk_reserve_bytes = options.disk_reserve_bytes,
            .queue_defaults = options.queue_defaults,
            .connections_max = options.connections_max,
            .hello_timeout = std::chrono::milliseconds(options.hello_timeout_ms)};
}

void reload(const Invocation& invocation, Configuration& running, Served served) {
    const config::Settings& settings = daemon_table().settings();
    Configuration next = configure(invocation);
    if (next.resolved.ok()) {
        const auto raised = raise_descriptors(next.options.connections_max);
        if (!raised) next.resolved.complain(settings, {"limits.connections"}, raised.error().detail());
    }
    if (next.resolved.ok()) {
        const auto read = served.door.read_users(next.options);
        if (!read) next.resolved.complain(settings, {"security.users_dir"}, read.error().detail());
    }
    if (!next.resolved.ok()) return log_problems(next.resolved.problems);
    const auto changes = config::changes(running.resolved, next.resolved);
    for (const config::Change& change : changes) {
        const config::Setting& setting = settings[change.index];
        log_change(setting, change);
        if (!setting.reloadable) continue;
        running.resolved.values[change.index] = change.after;
        daemon_table().store(change.index, change.after.value, running.options);
    }
    spdlog::set_level(service::log_level(running.options.log_level));
    served.shard.change(live_settings(running.options));
    served.shard.users_changed();
    log_line(spdlog::level::info, "config.reloaded",
             "configuration read again: " + std::to_string(changes.size()) + " differences");
}

}  // namespace telpher::broker
