// check ready, check queue.
#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <string>

#include "cli/check.h"
#include "cli/commands.h"
#include "proto/command/output.h"
#include "proto/command/value_flags.h"

namespace telpher::cli {
namespace {

using command::Globals;
using command::Program;

/// A health check that takes longer is no healthy answer.
constexpr Millis kCheckTimeout{3'000};

struct CheckFlags {
    CheckFormat format = CheckFormat::kText;
    std::string queue;
    QueueDemands demands;
};

int tell(const Findings& findings, const CheckFlags& flags, const Globals& globals) {
    if (!globals.quiet) {
        if (const int status = command::print(render(findings, flags.format)); status != 0) return status;
    }
    return exit_status(findings, flags.format);
}

ClientOptions client_options(const Globals& globals) {
    ClientOptions options = globals.client_options();
    options.connect_timeout = std::min(options.connect_timeout, globals.timeout_or(kCheckTimeout));
    return options;
}

int check_ready(const CheckFlags& flags, const Globals& globals) {
    Client client(client_options(globals));
    const auto status = client.status(globals.timeout_or(kCheckTimeout));
    if (!status) return tell(unknown("ready", status.error()), flags, globals);
    const Findings ready{
        .subject = "ready",
        .known = true,
        .wrong = {},
        .figures = {{"uptime_ms", status->uptime_ms}, {"sessions", status->sessions}, {"queues", status->queues}}};
    return tell(ready, flags, globals);
}

int check_one(const CheckFlags& flags, const Globals& globals) {
    Client client(client_options(globals));
    const auto queue = client.show(flags.queue, globals.timeout_or(kCheckTimeout));
    return tell(queue ? check_queue(*queue, flags.demands) : unknown(flags.queue, queue.error()), flags, globals);
}

void add_format(CLI::App& app, const std::shared_ptr<CheckFlags>& flags) {
    const std::map<std::string, CheckFormat> formats{
        {"text", CheckFormat::kText}, {"json", CheckFormat::kJson}, {"nagios", CheckFormat::kNagios}};
    app.add_option_function<std::string>(
           "--format", [flags, formats](const std::string& name) { flags->format = formats.at(name); },
           "text, json, nagios (default text)")
        ->check(CLI::IsMember({"text", "json", "nagios"}));
}

}  // namespace

void add_check_commands(Program& program) {
    CLI::App* check = program.app().add_subcommand("check", "Say whether all is well, for scripts and monitoring");
    check->require_subcommand(1);
    const auto flags = std::make_shared<CheckFlags>();
    CLI::App* ready = check->add_subcommand("ready", "The broker answers");
    add_format(*ready, flags);
    program.on(*ready, [flags, &program] { return check_ready(*flags, program.globals()); });

    CLI::App* queue = check->add_subcommand("queue", "The queue is there and keeps to what is asked for");
    queue->add_option("QUEUE", flags->queue, "Name of the queue")->required();
    const auto add = [&](const char* name, std::optional<std::uint64_t> QueueDemands::*demand, const char* help) {
        command::add_count(
            *queue, name, {0, UINT64_MAX}, [flags, demand](std::uint64_t count) { flags->demands.*demand = count; },
            help);
    };
    add("--max-ready", &QueueDemands::ready_max, "Ready messages at most");
    add("--max-dead", &QueueDemands::dead_max, "Dead messages at most");
    add("--max-blocked", &QueueDemands::blocked_max, "Producers that wait for room at most");
    add("--min-consumers", &QueueDemands::consumers_min, "Consumers at least");
    add_format(*queue, flags);
    program.on(*queue, [flags, &program] { return check_one(*flags, program.globals()); });
}

}  // namespace telpher::cli
