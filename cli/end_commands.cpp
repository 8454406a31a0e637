// join, seal, reopen.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/commands.h"
#include "cli/render.h"
#include "producer/open_queue.h"
#include "proto/command/exit.h"
#include "proto/command/output.h"
#include "proto/command/signals.h"

namespace telpher::cli {
namespace {

using command::Globals;
using command::Program;

struct EndFlags {
    std::string queue;
    bool wait_queue = false;
};

int join(const EndFlags& flags, const Globals& globals) {
    const command::StopSignals signals;
    Client client(globals.client_options());
    auto queue = open_queue(client, flags.queue, {.options = {}, .create = false, .wait = flags.wait_queue}, globals,
                            signals.token());
    const auto joined = queue ? queue->join(globals.timeout_or(kForever), signals.token()) : fail(queue.error());
    if (!joined) {
        const bool stopped = joined.error().code() == Code::kStopped;
        return stopped ? signals.exit_status(command::kExitFailed) : command::print_error(joined.error());
    }
    if (globals.output != command::Format::kTable) {
        if (const int status = command::print(render(*joined, globals)); status != command::kExitOk) return status;
    }
    return joined->dead > 0 ? command::kExitDead : command::kExitOk;
}

template <class Change>
int change(const EndFlags& flags, const Globals& globals, Change apply) {
    Client client(globals.client_options());
    QueueOptions options;
    options.create = false;
    auto queue = client.open(flags.queue, options, globals.timeout_or(command::kAnswerTimeout));
    const auto done = queue ? apply(*queue, globals.timeout_or(command::kAnswerTimeout)) : fail(queue.error());
    return done ? command::kExitOk : command::print_error(done.error());
}

std::shared_ptr<EndFlags> add(CLI::App& app) {
    auto flags = std::make_shared<EndFlags>();
    app.add_option("QUEUE", flags->queue, "Name of the queue")->required();
    return flags;
}

/// seal and reopen are to be found beside join and among what is done to queues.
void add_changes(Program& program, CLI::App& parent) {
    CLI::App* seal_app = parent.add_subcommand("seal", "Let no more messages in: consumers end when all is settled");
    const auto seal_flags = add(*seal_app);
    program.on(*seal_app, [seal_flags, &program] {
        return change(*seal_flags, program.globals(), [](Queue& queue, Millis timeout) { return queue.seal(timeout); });
    });

    CLI::App* reopen_app = parent.add_subcommand("reopen", "Start the next generation of a sealed queue");
    const auto reopen_flags = add(*reopen_app);
    program.on(*reopen_app, [reopen_flags, &program] {
        return change(*reopen_flags, program.globals(),
                      [](Queue& queue, Millis timeout) { return queue.reopen(timeout); });
    });
}

}  // namespace

void add_end_commands(Program& program) {
    CLI::App* join_app =
        program.app().add_subcommand("join", "Wait until the queue is sealed and everything in it is settled");
    const auto join_flags = add(*join_app);
    join_app->add_flag("--wait-queue", join_flags->wait_queue, "Wait until somebody makes the queue");
    program.on(*join_app, [join_flags, &program] { return join(*join_flags, program.globals()); });

    for (CLI::App* parent : {&program.app(), program.app().get_subcommand("queue")}) add_changes(program, *parent);
}

}  // namespace telpher::cli
