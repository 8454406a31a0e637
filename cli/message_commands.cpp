// put, get, run, peek.
#include <CLI/CLI.hpp>
#include <map>
#include <memory>

#include "cli/commands.h"
#include "cli/render.h"
#include "consumer/get_command.h"
#include "consumer/run_command.h"
#include "producer/put_command.h"
#include "proto/command/exit.h"
#include "proto/command/output.h"
#include "proto/command/value_flags.h"

namespace telpher::cli {
namespace {

using command::Globals;
using command::Program;

constexpr std::uint32_t kPeekMax = 100'000;

struct PeekFlags {
    std::string queue;
    std::uint32_t count = 20;
    std::uint64_t from = 0;
    Peeked::State state = Peeked::State::kLive;
};

int peek(const PeekFlags& flags, const Globals& globals) {
    Client client(globals.client_options());
    const auto messages =
        client.peek(flags.queue, flags.count, flags.from, globals.timeout_or(command::kAnswerTimeout), flags.state);
    if (!messages) return command::print_error(messages.error());
    return command::print(render(*messages, globals));
}

void add_peek(Program& program) {
    CLI::App* app = program.app().add_subcommand("peek", "Show messages without taking them");
    const auto flags = std::make_shared<PeekFlags>();
    app->add_option("QUEUE", flags->queue, "Name of the queue")->required();
    command::add_count(*app, "-n,--number", {1, kPeekMax}, flags->count, "Messages to show at most (default 20)");
    command::add_count(*app, "--from", {0}, flags->from, "Begin at this message id")->type_name("ID");
    const std::map<std::string, Peeked::State> states{{"ready", Peeked::State::kReady},
                                                      {"leased", Peeked::State::kLeased},
                                                      {"delayed", Peeked::State::kDelayed},
                                                      {"dead", Peeked::State::kDead}};
    app->add_option("--state", flags->state, "Only ready, leased, delayed or dead ones (default: all but dead)")
        ->transform(CLI::CheckedTransformer(states))
        ->type_name("STATE");
    program.on(*app, [flags, &program] { return peek(*flags, program.globals()); });
}

}  // namespace

void add_message_commands(Program& program) {
    CLI::App* put = program.app().add_subcommand("put", "Put messages into a queue");
    const auto put_flags = std::make_shared<PutFlags>();
    add_put_flags(*put, *put_flags);
    program.on(*put, [put_flags, &program] { return put_command(*put_flags, program.globals()); });

    CLI::App* get = program.app().add_subcommand("get", "Take messages out of a queue and print them");
    const auto get_flags = std::make_shared<GetFlags>();
    add_get_flags(*get, *get_flags);
    program.on(*get, [get_flags, &program] { return get_command(*get_flags, program.globals()); });

    CLI::App* run =
        program.app().add_subcommand("run", "Run a command for every message: telpher run QUEUE -- COMMAND ARGS");
    const auto run_flags = std::make_shared<RunFlags>();
    add_run_flags(*run, *run_flags);
    program.on(*run, [run_flags, &program] { return run_command(*run_flags, program.globals()); });

    add_peek(program);
}

}  // namespace telpher::cli
