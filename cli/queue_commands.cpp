// queue create|ls|show|set|rm|pause|resume, and status.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/commands.h"
#include "cli/confirm.h"
#include "cli/render.h"
#include "proto/command/exit.h"
#include "proto/command/output.h"
#include "proto/command/queue_flags.h"

namespace telpher::cli {
namespace {

using command::Globals;
using command::Program;

struct QueueFlags {
    std::string name;
    QueueOptions options;
    bool force = false;
};

Millis timeout_of(const Globals& globals) { return globals.timeout_or(command::kAnswerTimeout); }

int status_of(const Result<void>& done) { return done ? command::kExitOk : command::print_error(done.error()); }

template <class T>
int print_result(const Result<T>& result, const Globals& globals) {
    return result ? command::print(render(*result, globals)) : command::print_error(result.error());
}

bool asks_nothing(const QueueOptions& options) {
    return !options.maxsize && !options.max_bytes && !options.on_full && !options.durability && !options.lease &&
           !options.max_attempts && !options.backoff && !options.backoff_max;
}

int remove(const QueueFlags& flags, const Globals& globals) {
    if (!globals.yes && !flags.force) {
        if (auto sure = confirm("remove the queue " + flags.name + "?"); !sure)
            return command::print_error(sure.error());
    }
    Client client(globals.client_options());
    return status_of(client.remove(flags.name, flags.force, timeout_of(globals)));
}

int set(const QueueFlags& flags, const Globals& globals) {
    if (asks_nothing(flags.options)) return command::print_error(Error(Code::kUsage, "nothing to set"));
    Client client(globals.client_options());
    return status_of(client.set(flags.name, flags.options, timeout_of(globals)));
}

using Run = int (*)(const QueueFlags&, const Globals&);

CLI::App& add(Program& program, CLI::App& parent, const char* name, const char* help,
              const std::shared_ptr<QueueFlags>& flags, Run run) {
    CLI::App* app = parent.add_subcommand(name, help);
    program.on(*app, [flags, run, &program] { return run(*flags, program.globals()); });
    return *app;
}

CLI::App& add_named(Program& program, CLI::App& parent, const char* name, const char* help,
                    const std::shared_ptr<QueueFlags>& flags, Run run) {
    CLI::App& app = add(program, parent, name, help, flags, run);
    app.add_option("QUEUE", flags->name, "Name of the queue")->required();
    return app;
}

int set_paused(const QueueFlags& flags, const Globals& globals, bool paused) {
    Client client(globals.client_options());
    return status_of(client.pause(flags.name, paused, timeout_of(globals)));
}

}  // namespace

void add_queue_commands(Program& program) {
    CLI::App& queue = *program.app().add_subcommand("queue", "Make, show, change and remove queues");
    const auto flags = std::make_shared<QueueFlags>();  // one command runs, so all can share them
    CLI::App& create = add_named(program, queue, "create", "Make a queue; there with the same options is fine", flags,
                                 [](const QueueFlags& f, const Globals& globals) {
                                     Client client(globals.client_options());
                                     return status_of(client.create(f.name, f.options, timeout_of(globals)));
                                 });
    command::add_queue_flags(create, flags->options);
    add(program, queue, "ls", "Show all queues", flags, [](const QueueFlags&, const Globals& globals) {
        Client client(globals.client_options());
        return print_result(client.list(timeout_of(globals)), globals);
    });
    add_named(program, queue, "show", "Show one queue", flags, [](const QueueFlags& f, const Globals& globals) {
        Client client(globals.client_options());
        return print_result(client.show(f.name, timeout_of(globals)), globals);
    });
    command::add_queue_flags(add_named(program, queue, "set", "Change options of a queue", flags, set), flags->options);
    add_named(program, queue, "rm", "Remove a queue", flags, remove)
        .add_flag("-f,--force", flags->force, "Although it is not empty, and without asking");
    add_named(program, queue, "pause", "Give out no more messages", flags,
              [](const QueueFlags& f, const Globals& globals) { return set_paused(f, globals, true); });
    add_named(program, queue, "resume", "Give out messages again", flags,
              [](const QueueFlags& f, const Globals& globals) { return set_paused(f, globals, false); });
}

void add_status_command(Program& program) {
    CLI::App* app = program.app().add_subcommand("status", "Show what the broker says of itself");
    program.on(*app, [&program] {
        Client client(program.globals().client_options());
        return print_result(client.status(timeout_of(program.globals())), program.globals());
    });
}

}  // namespace telpher::cli
