// Keeps P worker processes at work: starts others in the place of those that die, has somebody settle for the dead,
// replaces the workers one by one when told to, stops them when told to, ends when they are done. Runs on the one
// thread of a process that has no other.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "consumer/lease_table.h"
#include "consumer/worker_book.h"
#include "proto/base/clock.h"
#include "telpher/options.h"

namespace telpher::consumer {

/// Exit statuses of a worker that mean something to its supervisor (those of sysexits.h).
inline constexpr int kStatusUnavailable = 69;  ///< No broker.
inline constexpr int kStatusTemporary = 75;    ///< The same may succeed later.
inline constexpr int kStatusDead = 3;          ///< Done, but some messages are dead.

/// What a new process is for.
enum class Task : std::uint8_t {
    kWork,    ///< To handle messages, and say so in the table.
    kSettle,  ///< To settle for the dead worker of the table, and end.
};

/// How a process of ours is started.
class Launcher {
public:
    virtual ~Launcher() = default;
    /// 0 and its pid, or the errno.
    virtual int start(Task task, const LeaseTable& table, pid_t& pid) = 0;
};

class Supervisor {
public:
    struct Options {
        unsigned processes = 1;
        unsigned threads = 1;     ///< Of each.
        bool forever = false;     ///< Workers that end because the broker is away are started again too.
        bool in_process = false;  ///< Handlers run in the workers: a worker that dies died of one.
        bool reaps_all = false;   ///< Takes in what dead workers leave behind, and ends it.
        Millis drain{60'000};     ///< How long a worker may take to leave.
        std::function<void(const std::string&)> note = {};  ///< A remark for people.
        WorkerBook* book = nullptr;                         ///< May be nullptr; outlives it.
    };

    /// `launcher` outlives it.
    Supervisor(Options options, Launcher& launcher);

    /// Until all workers have ended. The exit status: the first that is not 0; after SIGINT 130; after SIGTERM 0.
    int run();

    /// What all workers did.
    [[nodiscard]] const LeaseTable::Counts& counts() const { return counts_; }
    /// The signal that stopped it; 0 = none.
    [[nodiscard]] int stop_signal() const { return stop_signal_; }
    /// Why the last worker, or the first that failed, ended.
    [[nodiscard]] Code ended() const { return ended_; }

private:
    struct Worker {
        pid_t pid = 0;  // 0: not running
        std::optional<LeaseTable> table;
        bool ended = false;
        bool stale = false;    // to be replaced
        bool leaving = false;  // told to leave, to be replaced
        bool killed = false;   // by us
        unsigned deaths = 0;   // in a row, without a verdict
        Instant started;
        Instant leave_by = Instant::never();
        Instant restart = Instant{};
    };
    struct Settler {
        pid_t pid = 0;
        LeaseTable table;
        Instant leave_by;
    };

    void step(const sigset_t& set);
    void start_due(Instant now);
    void start(Worker& worker, Instant now);
    void reap(Instant now);
    void on_end(Worker& worker, int wait_status, Instant now);
    void take_over(Worker& worker, int wait_status, bool died, Instant now);
    void suspect(std::uint64_t offset);
    void replace(Worker& worker, std::uint64_t verdicts, std::uint64_t begun, const std::string& how, Instant now);
    void on_signal(int number, Instant now);
    void roll(Instant now);
    void end_late(Instant now);
    void finish(int status, Code ended, Instant now);
    void stop_all(Instant now);
    void note(const std::string& text) const;
    [[nodiscard]] Instant next_due(Instant now) const;
    [[nodiscard]] bool done() const;

    const Options options_;
    Launcher& launcher_;
    std::vector<Worker> workers_;
    std::vector<Settler> settlers_;
    std::deque<std::uint64_t> suspects_;  // the latest, for workers to come
    LeaseTable::Counts counts_;
    bool stopping_ = false;
    unsigned signals_ = 0;
    int stop_signal_ = 0;
    int status_ = 0;
    Code ended_ = Code::kOk;
};

/// How long a worker waits for its replacement that died so often in a row without a verdict, having begun something
/// (or not). Pure.
Duration restart_pause(unsigned deaths, bool begun);

}  // namespace telpher::consumer
