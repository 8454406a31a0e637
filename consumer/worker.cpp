#include "consumer/worker.h"

#include <unistd.h>

#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "consumer/so_handler.h"
#include "consumer/stream_runner.h"
#include "consumer/worker_process.h"
#include "producer/open_queue.h"
#include "proto/command/exit.h"

namespace telpher {
namespace {

using consumer::LeaseTable;
using consumer::WorkerProcess;

std::string host_name() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

void note(const std::string& text) { command::print_note(text); }

consumer::WorkOptions work_options(const RunFlags& flags, const ExitOn& exit_on) {
    consumer::WorkOptions options;
    options.threads = flags.threads;
    options.prefetch = flags.prefetch;
    if (exit_on.what == ExitOn::What::kIdle) options.idle = exit_on.idle;
    options.forever = exit_on.what == ExitOn::What::kNever;
    options.messages_max = flags.messages_max;
    options.drain = flags.drain;
    return options;
}

/// The three ways to handle a message, and what is done about outcomes that concern the whole worker.
class Worker final : public consumer::Handling {
public:
    Worker(const RunFlags& flags, const ExitOn& exit_on, LeaseTable& table)
        : flags_(flags),
          table_(table),
          worker_(host_name() + ":" + std::to_string(::getpid())),
          runner_(flags.command),
          streams_(flags.threads),
          process_(work_options(flags, exit_on), table, *this, &note) {}

    int run(const command::Globals& globals) {
        if (in_process()) {
            // After the warden is there: threads that the library makes leave the signals to it.
            if (const auto loaded = library_.load(flags_.library); !loaded) {
                table_.set_phase(consumer::Phase::kLeft);
                return command::print_error(loaded.error());
            }
        }
        ClientOptions options = globals.client_options();
        options.on_connection = [this](bool connected) { table_.set_connected(connected); };
        Client client(std::move(options));
        const auto ended = process_.run([&](const std::stop_token& stop) {
            auto queue = open_queue(client, flags_.queue, {.options = {}, .create = false, .wait = flags_.wait_queue},
                                    globals, stop);
            if (queue) note_attempts(*queue);
            return queue;
        });
        if (!ended && ended.error().code() == Code::kStopped) return command::kExitOk;
        if (!ended) return command::print_error(ended.error());
        if (const auto broken = broken_command()) return command::print_error(*broken);
        return status_of(*ended);
    }

    // --- Handling ---
    Verdict handle(unsigned thread, Message& message) override {
        const Instant begun = system_clock().now();
        const Outcome outcome = in_process() ? library_.run(flags_.queue, message) : run_command(thread, message);
        if (outcome.action == Action::kPause) {
            process_.pause(begun);
        } else if (outcome.action == Action::kBroken) {
            give_up(Error(Code::kConfig, outcome.reason));
        } else if (outcome.action != Action::kRelease) {
            process_.resume(begun);
        }
        return to_verdict(outcome);
    }
    [[nodiscard]] bool in_process() const override { return !flags_.library.empty(); }
    [[nodiscard]] Millis time_limit() const override { return in_process() ? flags_.command.limits.hard : kForever; }
    [[nodiscard]] std::uint64_t rss_max() const override { return in_process() ? flags_.command.limits.rss_max : 0; }
    void thread_ends(unsigned thread) noexcept override { streams_[thread].reset(); }
    void hand_back() override { kill_all(); }
    void kill_all() override {
        runner_.kill_all();
        stream_commands_.kill_all();
    }

private:
    Outcome run_command(unsigned thread, const Message& message) {
        const std::string worker = worker_ + ":" + std::to_string(thread);
        CommandInput input{.queue = flags_.queue,
                           .key = message.key(),
                           .body = message.text(),
                           .id = message.id(),
                           .attempt = message.attempt(),
                           .delivery = message.delivery(),
                           .headers = message.headers(),
                           .put_ms = message.put_ms(),
                           .max_attempts = max_attempts_,
                           .worker = worker};
        if (flags_.command.limits.hard != kForever)
            input.deadline_ms = system_clock().wall().ms + flags_.command.limits.hard.count();
        const auto on_process = [this, thread](pid_t pid) { table_.set_process(thread, pid); };
        if (!flags_.stream) return runner_.run(input, on_process);
        auto& stream = streams_[thread];
        if (stream == nullptr) stream = std::make_unique<StreamRunner>(flags_.command, stream_commands_);
        return stream->run(input, on_process);
    }

    void note_attempts(Queue& queue) {
        const auto stats = queue.stats(command::kAnswerTimeout);
        if (stats && stats->max_attempts > 0) max_attempts_ = stats->max_attempts;
    }

    /// A broken deployment must not burn the queue: hand everything back and leave.
    void give_up(const Error& error) {
        const std::lock_guard lock(mutex_);
        if (!broken_) broken_ = error;
        process_.stop();
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
                Queue queue = *process_.queue();
                const auto stats = queue.stats(command::kAnswerTimeout);
                return stats && stats->dead > 0 ? command::kExitDead : command::kExitOk;
            }
            default:
                return command::print_error(Error(ended, flags_.queue));
        }
    }

    const RunFlags& flags_;
    LeaseTable& table_;
    const std::string worker_;
    CommandRunner runner_;
    RunningCommands stream_commands_;
    std::vector<std::unique_ptr<StreamRunner>> streams_;  // each by its own thread
    SoHandler library_;
    std::optional<std::uint32_t> max_attempts_;  // set before the first message
    std::mutex mutex_;                           // guards broken_
    std::optional<Error> broken_;
    WorkerProcess process_;  // last: its threads use the rest
};

}  // namespace

int run_worker(const RunFlags& flags, const ExitOn& exit_on, const command::Globals& globals, int table_fd) {
    auto table = LeaseTable::open(table_fd);
    if (!table) return command::print_error(table.error());
    return Worker(flags, exit_on, *table).run(globals);
}

int run_settler(const RunFlags& flags, const command::Globals& globals, int table_fd) {
    const auto table = LeaseTable::open(table_fd);
    if (!table) return command::print_error(table.error());
    Client client(globals.client_options());
    auto queue = open_queue(client, flags.queue, {}, globals, {});
    if (!queue) return command::print_error(queue.error());
    consumer::inherit(*queue, *table, &note);
    return command::kExitOk;
}

}  // namespace telpher
