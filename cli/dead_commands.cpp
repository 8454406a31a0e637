// dead ls|peek|redrive|drop: the dead letters of queues.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/confirm.h"
#include "cli/render.h"
#include "proto/base/units.h"
#include "proto/command/exit.h"
#include "proto/command/output.h"
#include "proto/command/signals.h"
#include "proto/command/value_flags.h"

namespace telpher::cli {
namespace {

using command::Globals;
using command::Program;

constexpr std::uint32_t kShownMax = 100'000;
constexpr Millis kStep{100};  // between two steps at a rate, and before a full queue is asked again

struct DeadFlags {
    std::string queue;
    std::uint32_t count = 20;
    std::uint64_t from = 0;
    std::vector<std::uint64_t> ids;
    std::uint64_t limit = UINT64_MAX;
    double rate = 0;  // messages a second; 0 = as fast as it goes
    bool dry_run = false;
};

Millis timeout_of(const Globals& globals) { return globals.timeout_or(command::kAnswerTimeout); }

int show(Client& client, const DeadFlags& flags, const Globals& globals,
         std::string (*as_text)(const std::vector<Peeked>&, const Globals&)) {
    const auto messages = client.peek(flags.queue, flags.count, flags.from, timeout_of(globals), Peeked::State::kDead);
    return messages ? command::print(as_text(*messages, globals)) : command::print_error(messages.error());
}

int list(const DeadFlags& flags, const Globals& globals) {
    Client client(globals.client_options());
    if (flags.queue.empty()) {
        auto queues = client.list(timeout_of(globals));
        if (!queues) return command::print_error(queues.error());
        std::erase_if(*queues, [](const QueueStats& queue) { return queue.dead == 0; });
        return command::print(render(*queues, globals));
    }
    return show(client, flags, globals, render_dead);
}

int peek(const DeadFlags& flags, const Globals& globals) {
    Client client(globals.client_options());
    return show(client, flags, globals, render);
}

/// Goes over the dead letters that the flags ask for, in steps, and counts what was done.
class Walk {
public:
    using Step = Result<DeadHandled> (Client::*)(std::string_view, std::uint64_t, std::uint64_t, std::uint32_t, Millis);

    Walk(const DeadFlags& flags, const Globals& globals, Step step)
        : flags_(flags), globals_(globals), step_(step), client_(globals.client_options()) {}

    int run() {
        Result<void> done;
        if (flags_.ids.empty()) done = over(0, UINT64_MAX);
        for (const std::uint64_t id : flags_.ids) {
            if (done && left() > 0) done = over(id, 1);
        }
        const std::string count = std::to_string(messages_);
        const int printed = command::print(globals_.output == command::Format::kTable
                                               ? count + " messages\n"
                                               : command::Json{{"messages", messages_}}.dump() + "\n");
        if (!done && done.error().code() == Code::kStopped) {
            command::print_note("stopped after " + count + " messages; the same command goes on with the rest");
            return signals_.exit_status(command::kExitFailed);
        }
        return done ? printed : command::print_error(done.error());
    }

private:
    [[nodiscard]] std::uint64_t left() const { return flags_.limit - messages_; }

    Result<void> over(std::uint64_t first, std::uint64_t count) {
        const std::uint64_t end = count == UINT64_MAX ? UINT64_MAX : first + count;
        while (left() > 0 && first < end) {
            if (signals_.token().stop_requested()) return fail(Code::kStopped);
            const auto did = (client_.*step_)(flags_.queue, first, end - first, at_once(), timeout_of(globals_));
            if (!did) return fail(did.error());
            messages_ += did->messages;
            if (!did->more) return {};
            first = did->next;
            if (did->full && !std::exchange(told_, true)) command::print_note("the queue is full: waiting for room");
            if (did->full || flags_.rate > 0) pause();
        }
        return {};
    }

    /// Messages of one step; 0 = as many as the broker does.
    [[nodiscard]] std::uint32_t at_once() const {
        std::uint64_t most = std::min<std::uint64_t>(left(), UINT32_MAX);
        if (flags_.rate > 0) {
            const auto step = static_cast<std::uint64_t>(flags_.rate * kStep.count() / 1000);
            most = std::min(most, std::max<std::uint64_t>(step, 1));
        }
        return most == UINT32_MAX ? 0 : static_cast<std::uint32_t>(most);
    }

    void pause() {
        Millis time = kStep;
        if (flags_.rate > 0) time = std::max(time, Millis(static_cast<Millis::rep>(1000 / flags_.rate)));
        std::mutex mutex;
        std::condition_variable_any never;
        std::unique_lock lock(mutex);
        never.wait_for(lock, signals_.token(), time, [&] { return signals_.token().stop_requested(); });
    }

    const DeadFlags& flags_;
    const Globals& globals_;
    const Step step_;
    command::StopSignals signals_;
    Client client_;
    std::uint64_t messages_ = 0;
    bool told_ = false;
};

int redrive(const DeadFlags& flags, const Globals& globals) {
    if (!flags.dry_run) return Walk(flags, globals, &Client::redrive).run();
    Client client(globals.client_options());
    const auto stats = client.show(flags.queue, timeout_of(globals));
    if (!stats) return command::print_error(stats.error());
    std::uint64_t count = flags.ids.empty() ? stats->dead : 0;
    for (const std::uint64_t id : flags.ids) {
        const auto dead = client.peek(flags.queue, 1, id, timeout_of(globals), Peeked::State::kDead);
        if (!dead) return command::print_error(dead.error());
        count += !dead->empty() && dead->front().id == id ? 1 : 0;
    }
    count = std::min(count, flags.limit);
    if (globals.output != command::Format::kTable)
        return command::print(command::Json{{"messages", count}}.dump() + "\n");
    return command::print(std::to_string(count) + " messages would be redriven\n");
}

int drop(const DeadFlags& flags, const Globals& globals) {
    if (!globals.yes) {
        if (auto sure = confirm("drop dead letters of " + flags.queue + " for good?"); !sure)
            return command::print_error(sure.error());
    }
    return Walk(flags, globals, &Client::drop_dead).run();
}

/// "100" or "100/s".
void add_rate(CLI::App& app, DeadFlags& flags) {
    const auto read = [&flags](std::string text) {
        if (text.ends_with("/s")) text.resize(text.size() - 2);
        const auto rate = parse_count(text);
        if (!rate || *rate == 0) throw CLI::ValidationError("--rate", "messages a second are meant, say 100/s");
        flags.rate = static_cast<double>(*rate);
    };
    app.add_option_function<std::string>("--rate", read, "Messages a second at most, say 100/s")->type_name("RATE");
}

CLI::App& add(Program& program, CLI::App& parent, const char* name, const char* help,
              const std::shared_ptr<DeadFlags>& flags, int (*run)(const DeadFlags&, const Globals&)) {
    CLI::App* app = parent.add_subcommand(name, help);
    program.on(*app, [flags, run, &program] { return run(*flags, program.globals()); });
    return *app;
}

void add_window(CLI::App& app, DeadFlags& flags) {
    command::add_count(app, "-n,--number", {1, kShownMax}, flags.count, "Messages to show at most (default 20)");
    command::add_count(app, "--from", {0}, flags.from, "Begin at this message id")->type_name("ID");
}

void add_choice(CLI::App& app, DeadFlags& flags) {
    app.add_option("--id", flags.ids, "Only this message; may be given again")->allow_extra_args(false);
    command::add_count(app, "--limit", {1}, flags.limit, "Messages at most");
    add_rate(app, flags);
}

}  // namespace

void add_dead_commands(Program& program) {
    CLI::App& dead = *program.app().add_subcommand("dead", "Look at dead letters, redrive and drop them");
    const auto flags = std::make_shared<DeadFlags>();  // one command runs, so all can share them
    const auto named = [&](CLI::App& app) -> CLI::App& {
        app.add_option("QUEUE", flags->queue, "Name of the queue")->required();
        return app;
    };
    CLI::App& ls = add(program, dead, "ls", "Queues with dead letters; of QUEUE: one line each, and why", flags, list);
    ls.add_option("QUEUE", flags->queue, "Name of the queue");
    add_window(ls, *flags);
    add_window(named(add(program, dead, "peek", "Show dead letters with their bodies", flags, peek)), *flags);
    CLI::App& again =
        named(add(program, dead, "redrive", "Hand dead letters out again, with no attempt counted", flags, redrive));
    add_choice(again, *flags);
    again.add_flag("--dry-run", flags->dry_run, "Only say how many there are");
    add_choice(named(add(program, dead, "drop", "Drop dead letters for good", flags, drop)), *flags);
}

}  // namespace telpher::cli
