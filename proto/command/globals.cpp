#include "proto/command/globals.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

#include "proto/base/units.h"
#include "proto/command/exit.h"

namespace telpher::command {

ClientOptions Globals::client_options() const {
    ClientOptions options;
    options.server = server;
    if (timeout) options.connect_timeout = std::min(options.connect_timeout, *timeout);
    if (verbose) options.log = [](const std::string& line) { print_note(line); };
    return options;
}

CLI::Option* add_duration(CLI::App& app, const std::string& names, std::function<void(Millis)> store,
                          const std::string& help) {
    auto read = [names, store = std::move(store)](const std::string& text) {
        const auto parsed = parse_duration(text);
        if (!parsed) throw CLI::ValidationError(names, parsed.error().detail());
        store(*parsed);
    };
    return app.add_option_function<std::string>(names, read, help)->type_name("DUR");
}

CLI::Option* add_size(CLI::App& app, const std::string& names, std::function<void(std::uint64_t)> store,
                      const std::string& help) {
    auto read = [names, store = std::move(store)](const std::string& text) {
        const auto parsed = parse_size(text);
        if (!parsed) throw CLI::ValidationError(names, parsed.error().detail());
        store(*parsed);
    };
    return app.add_option_function<std::string>(names, read, help)->type_name("SIZE");
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
