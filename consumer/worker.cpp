#include "consumer/worker.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "consumer/command_runner.h"
#include "producer/open_queue.h"
#include "proto/base/units.h"
#include "proto/command/exit.h"
#include "proto/command/signals.h"

namespace telpher {
namespace {

using namespace std::chrono_literals;

constexpr Millis kRetryDelay{1'000};  // of a message whose command failed
constexpr auto kNextGeneration = 1s;  // how often a drained queue is looked at with --exit-on never

class Worker {
public:
    Worker(const RunFlags& flags, const ExitOn& exit_on, CommandRunner& runner, command::StopSignals& signals,
           Queue queue)
        : exit_on_(exit_on), runner_(runner), signals_(signals), queue_(std::move(queue)) {
        options_.threads = flags.threads;
        options_.prefetch = 0;
        options_.stop = signals_.token();
        if (exit_on.what == ExitOn::What::kIdle) options_.idle = exit_on.idle;
    }

    int run() {
        RunResult result;
        do {
            result = queue_.run(options_, [this](Message& message) { return handle(message); });
        } while (result.ended == Code::kEnd && exit_on_.what == ExitOn::What::kNever && wait_next_generation());
        if (const auto broken = broken_command()) return command::print_error(*broken);
        return status_of(result.ended);
    }

private:
    Verdict handle(Message& message) {
        const auto status = runner_.run({.queue = queue_.name(),
                                         .key = message.key(),
                                         .body = message.text(),
                                         .id = message.id(),
                                         .attempt = message.attempt(),
                                         .delivery = message.delivery()});
        if (status) return *status == command::kExitOk ? Verdict::ack() : Verdict::nack(kRetryDelay);
        if (status.error().code() != Code::kConfig) {
            command::print_error(status.error());
            return Verdict::nack(kRetryDelay);
        }
        // A broken deployment must not burn the queue: hand everything back and leave.
        const std::lock_guard lock(mutex_);
        broken_ = status.error();
        signals_.stop();
        return Verdict::release();
    }

    /// False: told to stop.
    bool wait_next_generation() {
        std::mutex mutex;
        std::condition_variable_any never;
        std::unique_lock lock(mutex);
        return !never.wait_for(lock, signals_.token(), kNextGeneration,
                               [&] { return signals_.token().stop_requested(); });
    }

    std::optional<Error> broken_command() {
        const std::lock_guard lock(mutex_);
        return broken_;
    }

    int status_of(Code ended) {
        switch (ended) {
            case Code::kOk:
            case Code::kStopped:
            case Code::kEmpty:
                return command::kExitOk;
            case Code::kEnd: {
                const auto stats = queue_.stats(command::kAnswerTimeout);
                return stats && stats->dead > 0 ? command::kExitDead : command::kExitOk;
            }
            default:
                return command::print_error(Error(ended, queue_.name()));
        }
    }

    const ExitOn exit_on_;
    CommandRunner& runner_;
    command::StopSignals& signals_;
    Queue queue_;
    RunOptions options_;
    std::mutex mutex_;  // guards broken_
    std::optional<Error> broken_;
};

}  // namespace

int run_worker(const RunFlags& flags, const ExitOn& exit_on, const command::Globals& globals) {
    CommandRunner runner(flags.command);
    command::StopSignals signals([&runner] { runner.kill_all(); });
    Client client(globals.client_options());
    auto queue = open_queue(client, flags.queue, {.options = {}, .create = false, .wait = flags.wait_queue}, globals,
                            signals.token());
    if (!queue && queue.error().code() == Code::kStopped) return command::kExitOk;
    if (!queue) return command::print_error(queue.error());
    return Worker(flags, exit_on, runner, signals, std::move(*queue)).run();
}

}  // namespace telpher
