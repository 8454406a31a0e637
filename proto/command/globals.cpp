#include "proto/command/globals.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <map>

#include "proto/command/contexts.h"
#include "proto/command/exit.h"
#include "proto/command/value_flags.h"
#include "telpher/client.h"

namespace telpher::command {

namespace {

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

/// The context that says which broker, if one does.
std::optional<Context> chosen_context(const Globals& globals) {
    if (!globals.server.empty()) return std::nullopt;
    std::string name = globals.context;
    if (name.empty() && !environment("TELPHER_SERVER").empty()) return std::nullopt;
    if (name.empty()) name = environment("TELPHER_CONTEXT");
    const auto path = contexts_path();
    if (!path) {
        if (name.empty()) return std::nullopt;  // nobody's home: as if there were no contexts
        throw Failure(path.error());
    }
    const auto contexts = load_contexts(*path);
    if (!contexts) throw Failure(contexts.error());
    if (name.empty()) name = contexts->current;
    if (name.empty()) return std::nullopt;
    auto context = contexts->find(name);
    if (!context) throw Failure(context.error());
    return std::move(*context);
}

}  // namespace

ClientOptions Globals::client_options() const {
    ClientOptions options;
    options.server = server;
    options.key_file = key_file;
    if (auto context_used = chosen_context(*this)) {
        options.server = std::move(context_used->server);
        const bool other_key = !key_file.empty() || (context.empty() && !environment("TELPHER_KEY_FILE").empty());
        if (!other_key) options.key_file = std::move(context_used->key_file);
    }
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
    app.add_option("--key-file", globals.key_file, "Your key for brokers that use keys (default: $TELPHER_KEY_FILE)")
        ->type_name("FILE")
        ->group(group);
    app.add_option("-c,--context", globals.context,
                   "Broker and key of `telpher context add` (default: $TELPHER_CONTEXT)")
        ->type_name("NAME")
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
