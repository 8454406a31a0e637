// telpher::run(): the supervisor and its workers, made with fork().
#include "telpher/run.h"

#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "consumer/cpus.h"
#include "consumer/handler_pool.h"
#include "consumer/supervisor.h"
#include "consumer/worker_process.h"

namespace telpher {
namespace {

using consumer::LeaseTable;
using consumer::Task;

constexpr unsigned kProcessesMax = 1'024;
constexpr Millis kOpenTimeout{10'000};

class FunctionHandling final : public consumer::Handling {
public:
    FunctionHandling(const WorkerOptions& options, const std::function<Verdict(Message&)>& handler)
        : options_(options), handler_(handler) {}
    Verdict handle(unsigned /*thread*/, Message& message) override { return handler_(message); }
    [[nodiscard]] bool in_process() const override { return true; }
    [[nodiscard]] Millis time_limit() const override { return options_.time_limit; }
    [[nodiscard]] std::uint64_t rss_max() const override { return options_.rss_max; }

private:
    const WorkerOptions& options_;
    const std::function<Verdict(Message&)>& handler_;
};

/// What the supervisor understands.
int status_of(Code code) {
    switch (code) {
        case Code::kOk:
        case Code::kEnd:
        case Code::kEmpty:
        case Code::kStopped:
            return 0;
        case Code::kUnreachable:
        case Code::kRestarting:
            return consumer::kStatusUnavailable;
        default:
            return info(code).retryable ? consumer::kStatusTemporary : 1;
    }
}

class ForkLauncher final : public consumer::Launcher {
public:
    ForkLauncher(std::string name, const WorkerOptions& options, const std::function<Verdict(Message&)>& handler)
        : name_(std::move(name)), options_(options), handler_(handler) {}

    int start(Task task, const LeaseTable& table, pid_t& pid) override {
        std::fflush(nullptr);  // or both would write it
        const pid_t parent = ::getpid();
        pid = ::fork();
        if (pid < 0) return errno;
        if (pid > 0) return 0;
        become_child(parent);
        const int status = live(task, table);
        std::fflush(nullptr);
        ::_exit(status);
    }

private:
    static void become_child(pid_t parent) {
        ::prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (::getppid() != parent) ::_exit(0);  // whoever wanted the work done is gone
        ::setpgid(0, 0);                        // Ctrl-C is the supervisor's to hand on
        ::signal(SIGHUP, SIG_IGN);
        sigset_t set;
        sigemptyset(&set);
        for (const int number : {SIGCHLD, SIGHUP}) sigaddset(&set, number);
        pthread_sigmask(SIG_UNBLOCK, &set, nullptr);  // SIGTERM and SIGINT are the warden's
    }

    int live(Task task, const LeaseTable& table) {
        auto own = LeaseTable::open(::dup(table.fd()));
        if (!own) return 1;
        try {
            return task == Task::kWork ? work(*own) : settle(*own);
        } catch (const Failure& failure) {
            own->set_ended(failure.error().code());
        } catch (const std::exception& error) {
            if (options_.log) options_.log(error.what());
            own->set_ended(Code::kInternal);
        }
        own->set_phase(consumer::Phase::kLeft);
        return 1;
    }

    int work(LeaseTable& table) {
        FunctionHandling handling(options_, handler_);
        const consumer::WorkOptions work{.threads = options_.threads,
                                         .prefetch = options_.prefetch,
                                         .idle = options_.idle,
                                         .forever = options_.forever,
                                         .messages_max = options_.messages_max,
                                         .drain = options_.drain};
        consumer::WorkerProcess process(work, table, handling, options_.log);
        Client client(options_.client);
        const auto ended =
            process.run([&](const std::stop_token&) { return client.open(name_, options_.queue, kOpenTimeout); });
        if (!ended) table.set_ended(ended.error().code());
        return status_of(ended ? *ended : ended.error().code());
    }

    int settle(const LeaseTable& table) {
        Client client(options_.client);
        QueueOptions options;
        options.create = false;
        auto queue = client.open(name_, options, kOpenTimeout);
        if (!queue) return 1;
        consumer::inherit(*queue, table, options_.log);
        return 0;
    }

    const std::string name_;
    const WorkerOptions& options_;
    const std::function<Verdict(Message&)>& handler_;
};

/// Whether this process has one thread.
bool single_threaded() {
    std::error_code error;
    std::size_t threads = 0;
    for (std::filesystem::directory_iterator at("/proc/self/task", error), end; !error && at != end;
         at.increment(error))
        ++threads;
    return !error && threads == 1;
}

}  // namespace

Result<RunResult> run(std::string_view name, const WorkerOptions& options,
                      const std::function<Verdict(Message&)>& handler) {
    if (options.processes > kProcessesMax) return fail(Code::kUsage, "WorkerOptions::processes must be 0..1024");
    if (options.threads < 1 || options.threads > consumer::HandlerPool::kThreadsMax)
        return fail(Code::kUsage, "WorkerOptions::threads must be 1..1024");
    if (!handler) return fail(Code::kUsage, "no handler");
    if (!single_threaded())
        return fail(Code::kUsage, "run() makes processes with fork(): call it before there is a second thread");
    ForkLauncher launcher(std::string(name), options, handler);
    consumer::Supervisor supervisor({.processes = options.processes == 0 ? consumer::cpus() : options.processes,
                                     .threads = options.threads,
                                     .forever = options.forever,
                                     .in_process = true,
                                     .reaps_all = false,
                                     .drain = options.drain,
                                     .note = options.log},
                                    launcher);
    const int status = supervisor.run();
    const LeaseTable::Counts& counts = supervisor.counts();
    RunResult result{.handled = counts.all(),
                     .acked = counts.acked,
                     .nacked = counts.nacked,
                     .released = counts.released,
                     .dead = counts.dead,
                     .ended = supervisor.ended()};
    if (supervisor.stop_signal() != 0) {
        result.ended = Code::kStopped;
        return result;
    }
    if (status != 0) return fail(result.ended == Code::kOk ? Code::kInternal : result.ended, std::string(name));
    return result;
}

}  // namespace telpher
