#include "proto/command/globals.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

#include "proto/command/exit.h"
#include "proto/command/value_flags.h"

namespace telpher::command {

ClientOptions Globals::client_options() const {
    ClientOptions options;
    options.server = server;
    if (timeout) options.connect_timeout = std::min(options.connect_timeout, *timeout);
    if (verbose) options.log = [](const std::string& line) { print_note(line); };
    return options;
}

void add_global_flags(CLI::App& app, Globals& globals) {
    const std::map<std::string, Format> formats{
        {"table", Format::kTable}, {"json", Format::kJson}, {"ndjson", Format::kNdjson}};
    const std::string group = "For every command";
    app.add_option("-s,--server", globals.server, "Broker: tcp://HOST:PORT or ipc:///PATH (default: $TELPHER_SERVER)")
        ->type_name("URL")
        ->group(group);
    app.add_option("-o,--output", globals.output, "table, json (one document) or ndjson (one object a line)")
        ->transform(CLI::CheckedTransformer(formats).description(""))
        ->type_name("FORMAT")
        ->group(group);
    add_duration(
        app, "--timeout", [&globals](Millis timeout) { globals.timeout = timeout; },
        "Give up after this long: 500ms, 30s, 5m, 2h")
        ->group(group);
    app.add_flag("-q,--quiet", globals.quiet, "Only results and errors")->group(group);
    app.add_flag("-v,--verbose", globals.verbose, "Say on stderr what the connection does")->group(group);
    app.add_flag("--no-progress", globals.no_progress, "No progress on stderr")->group(group);
    app.add_flag("-y,--yes", globals.yes, "Do not ask before something is destroyed")->group(group);
    app.add_option("--color", globals.color, "auto, always or never")
        ->check(CLI::IsMember({"auto", "always", "never"}).description(""))
        ->type_name("WHEN")
        ->group(group);
    app.add_flag("--version", globals.version, "Print version and revision")->group(group);
}

}  // namespace telpher::command
