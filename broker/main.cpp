// telpherd: the broker daemon, and the offline tools for its data directory.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>

#include "broker/config.h"
#include "broker/daemon.h"
#include "broker/manual.h"
#include "broker/offline.h"
#include "proto/base/standard_descriptors.h"
#include "proto/command/hidden.h"
#include "proto/config/flags.h"
#include "proto/config/print.h"
#include "proto/version.h"

namespace {

using telpher::broker::Invocation;
using telpher::broker::OfflineOptions;

/// What is to be shown of the configuration instead of serving.
struct Showing {
    bool check = false;
    bool print = false;
    bool origin = false;
    bool commented = false;
    std::string output = "toml";
};

void add_daemon_flags(CLI::App& app, Invocation& invocation, Showing& showing) {
    app.add_option("--config", invocation.file,
                   "Configuration file, with conf.d/*.toml beside it (default: /etc/telpher/telpherd.toml if it is "
                   "there; '': none)")
        ->type_name("FILE");
    app.add_flag("--dev", invocation.dev, "Try it: temporary data directory, ipc, no file; prints how to connect");
    telpher::config::add_flags(app, telpher::broker::daemon_table().settings(), invocation.flags);
    app.add_flag("--check-config", showing.check, "Check the configuration and end: 0, or 78 with every error");
    CLI::Option* print = app.add_flag("--print-config", showing.print, "Print the configuration and end");
    app.add_flag("--origin", showing.origin, "With --print-config: and where each value comes from")->needs(print);
    app.add_flag("--commented", showing.commented, "With --print-config: the example file, with all defaults")
        ->needs(print);
    app.add_option("-o,--output", showing.output, "With --print-config: toml, json, or markdown (the reference)")
        ->check(CLI::IsMember({"toml", "json", "markdown"}))
        ->needs(print);
}

void add_copying(CLI::App& app, OfflineOptions& offline, CLI::App*& exporting, CLI::App*& importing) {
    exporting = app.add_subcommand(
        "export", "Writes a stopped daemon's queues and messages as JSON lines: a backup, or to be imported elsewhere");
    exporting->add_option("--data-dir", offline.data_dir, "Data directory; nothing in it changes")
        ->required()
        ->type_name("DIR");
    exporting->add_option("--queue", offline.queues, "Only this queue (again for more)")
        ->type_name("NAME")
        ->allow_extra_args(false);
    exporting->add_option("-o,--output", offline.file, "Where to, all or nothing (default: stdout)")->type_name("FILE");
    importing = app.add_subcommand("import", "Makes a data directory of what export wrote, all or nothing");
    importing->add_option("--data-dir", offline.data_dir, "Data directory: a new or an empty one")
        ->required()
        ->type_name("DIR");
    importing->add_option("-i,--input", offline.file, "The export (default: stdin)")->type_name("FILE");
}

int print_config(const Invocation& invocation, const Showing& showing) {
    const auto& settings = telpher::broker::daemon_table().settings();
    std::string text;
    if (showing.commented) {
        text = telpher::broker::example_config();
    } else if (showing.output == "markdown") {
        text = telpher::config::print_markdown(settings);
    } else {
        const auto configuration = telpher::broker::configure(invocation);
        const auto& resolved = configuration.resolved;
        if (!resolved.ok()) return telpher::broker::print_problems(resolved.problems);
        text = showing.output == "json" ? telpher::config::print_json(settings, resolved, showing.origin)
                                        : telpher::config::print_toml(settings, resolved, showing.origin);
    }
    return std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0
               ? telpher::broker::exit_status(telpher::Code::kIo)
               : 0;
}

int check_config(const Invocation& invocation) {
    const auto configuration = telpher::broker::configure(invocation);
    if (!configuration.resolved.ok()) return telpher::broker::print_problems(configuration.resolved.problems);
    std::puts("telpherd: the configuration is good");
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    telpher::fill_standard_descriptors();
    std::signal(SIGXFSZ, SIG_IGN);  // a file above `ulimit -f` is an error of the write, with its text
    CLI::App app{"Telpher's broker: bounded, durable queues between processes", "telpherd"};
    app.set_version_flag(
        "--version", "telpherd " + std::string(telpher::kVersion) + " (" + std::string(telpher::kGitRevision) + ")");
    Invocation invocation;
    Showing showing;
    add_daemon_flags(app, invocation, showing);
    OfflineOptions offline;
    CLI::App* dump = app.add_subcommand("dump", "Prints a stopped daemon's log, one JSON object a record");
    dump->add_option("DIR", offline.data_dir, "Data directory")->required();
    dump->add_option("--queue", offline.queue, "Only this queue (name or number)");
    dump->add_option("-o,--output", offline.output, "ndjson")->check(CLI::IsMember({"ndjson"}));
    CLI::App* fsck = app.add_subcommand("fsck", "Checks a stopped daemon's log");
    fsck->add_option("DIR", offline.data_dir, "Data directory")->required();
    CLI::Option* repair = fsck->add_flag(
        "--repair", offline.repair,
        "Do what a start would do: take what was never confirmed out of the log, into quarantine, and tidy up. With "
        "damage to confirmed data nothing is changed");
    fsck->add_flag("--dry-run", offline.dry_run, "With --repair: print what it would do and change nothing")
        ->needs(repair);
    CLI::App* exporting = nullptr;
    CLI::App* importing = nullptr;
    add_copying(app, offline, exporting, importing);
    app.require_subcommand(0, 1);
    if (argc == 3 && std::string_view(argv[1]) == "__man" && std::string_view(argv[2]) == "telpherd.toml") {
        return std::fputs(telpher::broker::config_page().c_str(), stdout) < 0 ? 1 : 0;
    }
    if (const auto answered = telpher::command::answer_hidden(app, argc, argv, 8, {})) return *answered;
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
    if (exporting->parsed()) return telpher::broker::export_data(offline);
    if (importing->parsed()) return telpher::broker::import_data(offline);
    invocation.file_given = app.count("--config") > 0;
    if (showing.print) return print_config(invocation, showing);
    if (showing.check) return check_config(invocation);
    return telpher::broker::run_daemon(invocation);
}
