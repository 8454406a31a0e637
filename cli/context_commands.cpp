// context add|ls|use|show|rm: brokers by name, for people with more than one.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "cli/commands.h"
#include "proto/command/contexts.h"
#include "proto/command/exit.h"
#include "proto/command/message_json.h"
#include "proto/command/output.h"
#include "proto/security/key_file.h"
#include "proto/security/user_file.h"
#include "proto/session/zmq_transport.h"

namespace telpher::cli {
namespace {

using command::Context;
using command::Contexts;
using command::Format;
using command::Globals;
using command::Json;
using command::Program;

struct ContextFlags {
    std::string name;
};

/// Loads, lets `change` work on it, and saves.
Result<void> edit(const std::function<Result<void>(Contexts&)>& change) {
    const auto path = command::contexts_path();
    if (!path) return fail(path.error());
    auto contexts = command::load_contexts(*path);
    if (!contexts) return fail(contexts.error());
    if (auto done = change(*contexts); !done) return done;
    return command::save_contexts(*path, *contexts);
}

Result<Contexts> load() {
    const auto path = command::contexts_path();
    return path ? command::load_contexts(*path) : fail(path.error());
}

int status_of(const Result<void>& done) { return done ? command::kExitOk : command::print_error(done.error()); }

Json to_json(const std::string& name, const Context& context, bool current) {
    return {{"name", name}, {"server", context.server}, {"key_file", context.key_file}, {"current", current}};
}

int list(const ContextFlags&, const Globals& globals) {
    const auto contexts = load();
    if (!contexts) return command::print_error(contexts.error());
    if (globals.output == Format::kTable) {
        command::Table table({"NAME", "SERVER", "KEY FILE", "CURRENT"});
        for (const auto& [name, context] : contexts->all) {
            table.add({name, context.server, context.key_file, name == contexts->current ? "*" : ""});
        }
        return command::print(table.text(command::use_color(globals)));
    }
    Json all = Json::array();
    std::string lines;
    for (const auto& [name, context] : contexts->all) {
        all.push_back(to_json(name, context, name == contexts->current));
        lines += command::dump(all.back()) + "\n";
    }
    return command::print(globals.output == Format::kNdjson ? lines : command::dump(all) + "\n");
}

int show(const ContextFlags& flags, const Globals& globals) {
    const auto contexts = load();
    if (!contexts) return command::print_error(contexts.error());
    const std::string name = flags.name.empty() ? contexts->current : flags.name;
    if (name.empty()) return command::print_error(Error(Code::kUsage, "there is no current context"));
    const auto context = contexts->find(name);
    if (!context) return command::print_error(context.error());
    if (globals.output != Format::kTable) {
        return command::print(command::dump(to_json(name, *context, name == contexts->current)) + "\n");
    }
    return command::print("name      " + name + "\nserver    " + context->server + "\nkey_file  " + context->key_file +
                          "\n");
}

int add(const ContextFlags& flags, const Globals& globals) {
    return status_of(edit([&](Contexts& contexts) -> Result<void> {
        if (!security::legal_user_name(flags.name)) return fail(Code::kUsage, "'" + flags.name + "' is no name");
        if (globals.server.empty()) return fail(Code::kUsage, "--server URL is due");
        if (!session::legal_endpoint(globals.server))
            return fail(Code::kUsage, "server '" + globals.server + "': tcp://host:port or ipc:///path");
        if (contexts.all.contains(flags.name))
            return fail(Code::kConfig, "there is a context " + flags.name + " already: `telpher context rm` first");
        Context context{globals.server, {}};
        if (!globals.key_file.empty()) {
            if (auto readable = security::read_key_file(globals.key_file); !readable) return fail(readable.error());
            context.key_file = std::filesystem::absolute(globals.key_file).lexically_normal();
        }
        contexts.all.emplace(flags.name, std::move(context));
        if (contexts.current.empty()) contexts.current = flags.name;
        return {};
    }));
}

int use(const ContextFlags& flags, const Globals&) {
    return status_of(edit([&](Contexts& contexts) -> Result<void> {
        if (auto found = contexts.find(flags.name); !found) return fail(found.error());
        contexts.current = flags.name;
        return {};
    }));
}

int remove(const ContextFlags& flags, const Globals&) {
    return status_of(edit([&](Contexts& contexts) -> Result<void> {
        if (auto found = contexts.find(flags.name); !found) return fail(found.error());
        contexts.all.erase(flags.name);
        if (contexts.current == flags.name) contexts.current.clear();
        return {};
    }));
}

using Run = int (*)(const ContextFlags&, const Globals&);

}  // namespace

void add_context_commands(Program& program) {
    CLI::App& context = *program.app().add_subcommand("context", "Brokers by name: URL and key file");
    context.require_subcommand(1);
    const auto flags = std::make_shared<ContextFlags>();
    const auto make = [&](const char* name, const char* help, Run run) -> CLI::App& {
        CLI::App* app = context.add_subcommand(name, help);
        program.on(*app, [flags, run, &program] { return run(*flags, program.globals()); });
        return *app;
    };
    const auto named = [&](CLI::App& app) { return app.add_option("NAME", flags->name, "Name of the context"); };
    named(make("add", "Keep --server and --key-file under a name; the first one is current", add))->required();
    make("ls", "Show all", list);
    named(make("use", "Make it the current one", use))->required();
    named(make("show", "Show one, or the current one", show));
    named(make("rm", "Forget it; the key file stays", remove))->required();
}

}  // namespace telpher::cli
