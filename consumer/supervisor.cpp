#include "consumer/supervisor.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace telpher::consumer {
namespace {

using namespace std::chrono_literals;

constexpr Duration kRestartFirst = 100ms;
constexpr Duration kRestartMax = 5s;
constexpr Duration kHealthy = 10s;  // a worker that lived this long has not died in a row
constexpr unsigned kDoublingsMax = 6;
constexpr unsigned kAtOnceMax = 3;    // deaths in a row before there is a pause, of workers that had begun something
constexpr Duration kSettleMax = 4s;   // longer than a settler takes
constexpr Duration kLeaveSlack = 5s;  // over the time to drain: for the last verdicts
constexpr Duration kRollPoll = 20ms;
constexpr Duration kComeUpMax = 10s;  // a replacement that does not take messages by then holds up no others

sigset_t watched() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGCHLD, SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, number);
    return set;
}

std::string how_ended(int wait_status) {
    if (WIFSIGNALED(wait_status)) return signal_name(WTERMSIG(wait_status));
    return "status " + std::to_string(WEXITSTATUS(wait_status));
}

Instant after(Instant now, Millis drain) { return drain == kForever ? Instant::never() : now + drain + kLeaveSlack; }

}  // namespace

Duration restart_pause(unsigned deaths, bool begun) {
    const unsigned free = begun ? kAtOnceMax : 0;
    if (deaths <= free) return Duration::zero();
    return std::min<Duration>(kRestartMax, kRestartFirst * (1 << std::min(deaths - free - 1, kDoublingsMax)));
}

Supervisor::Supervisor(Options options, Launcher& launcher)
    : options_(std::move(options)), launcher_(launcher), workers_(options_.processes) {}

int Supervisor::run() {
    const sigset_t set = watched();
    sigset_t before;
    pthread_sigmask(SIG_BLOCK, &set, &before);
    while (!done()) step(set);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (status_ != 0) return status_;
    return stop_signal_ == SIGINT ? 128 + SIGINT : 0;
}

void Supervisor::step(const sigset_t& set) {
    Instant now = system_clock().now();
    start_due(now);
    roll(now);
    end_late(now);
    const Duration wait = std::clamp<Duration>(next_due(now) - now, 0ns, 3600s);
    const timespec limit{wait.count() / 1'000'000'000, wait.count() % 1'000'000'000};
    const int number = ::sigtimedwait(&set, nullptr, &limit);
    now = system_clock().now();
    if (number > 0 && number != SIGCHLD) on_signal(number, now);
    reap(now);
}

void Supervisor::note(const std::string& text) const {
    if (options_.note) options_.note(text);
}

// --- starting ---

void Supervisor::start_due(Instant now) {
    for (Worker& worker : workers_) {
        if (!stopping_ && !worker.ended && worker.pid == 0 && worker.restart <= now) start(worker, now);
    }
}

void Supervisor::start(Worker& worker, Instant now) {
    worker.started = now;
    worker.stale = worker.leaving = worker.killed = false;
    worker.leave_by = Instant::never();
    auto table = LeaseTable::create(options_.threads);
    std::string error;
    if (!table) {
        error = table.error().detail();
    } else if (const int number = launcher_.start(Task::kWork, *table, worker.pid); number != 0) {
        error = std::strerror(number);
    } else {
        if (options_.book != nullptr) options_.book->began(worker.pid, *table);
        worker.table = std::move(*table);
        for (const std::uint64_t offset : suspects_) worker.table->suspect(offset);
        return;
    }
    worker.pid = 0;
    worker.restart = now + restart_pause(++worker.deaths, false);
    note("cannot start a worker: " + error);
}

// --- the ends of processes ---

void Supervisor::reap(Instant now) {
    int wait_status = 0;
    for (Worker& worker : workers_) {
        if (worker.pid != 0 && ::waitpid(worker.pid, &wait_status, WNOHANG) == worker.pid)
            on_end(worker, wait_status, now);
    }
    std::erase_if(settlers_,
                  [&](const Settler& settler) { return ::waitpid(settler.pid, &wait_status, WNOHANG) == settler.pid; });
    while (options_.reaps_all) {  // what workers left behind
        siginfo_t other{};
        if (::waitid(P_ALL, 0, &other, WEXITED | WNOHANG | WNOWAIT) != 0 || other.si_pid == 0) return;
        const auto ours = [&](const auto& process) { return process.pid == other.si_pid; };
        if (std::any_of(workers_.begin(), workers_.end(), ours) ||
            std::any_of(settlers_.begin(), settlers_.end(), ours))
            return;  // the next turn is about it
        ::waitpid(other.si_pid, nullptr, WNOHANG);
    }
}

void Supervisor::on_end(Worker& worker, int wait_status, Instant now) {
    const pid_t pid = std::exchange(worker.pid, 0);
    const bool exited = WIFEXITED(wait_status);
    const int status = exited ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
    // A handler may end its process with an exit status that is not ours.
    const bool died = !exited || worker.table->phase() == Phase::kTaking;
    const bool again = worker.leaving || worker.table->recycle();
    const bool away = options_.forever && (status == kStatusUnavailable || status == kStatusTemporary);
    const std::uint64_t verdicts = worker.table->counts().all();
    const std::uint64_t begun = worker.table->begun();
    const Code ended = worker.table->ended();
    const bool over = stopping_ || (!died && !away && !(again && status == 0));
    if (options_.book != nullptr) {
        const Restart why = died             ? Restart::kCrash
                            : away           ? Restart::kUnavailable
                            : worker.leaving ? Restart::kHangup
                                             : Restart::kRecycle;
        options_.book->ended(pid, died, over ? std::nullopt : std::optional(why));
    }
    take_over(worker, wait_status, died, now);
    if (over) {
        worker.ended = true;
        if (!died) finish(status, ended, now);
        return;
    }
    if (!died && !away) return replace(worker, 1, 1, {}, now);
    replace(worker, verdicts, begun, "worker " + std::to_string(pid) + " ended with " + how_ended(wait_status), now);
}

/// What the worker left is settled by somebody else, whose reason is who is to blame.
void Supervisor::take_over(Worker& worker, int wait_status, bool died, Instant now) {
    LeaseTable table = std::move(*std::exchange(worker.table, std::nullopt));
    const LeaseTable::Counts counts = table.counts();
    counts_.acked += counts.acked;
    counts_.nacked += counts.nacked;
    counts_.released += counts.released;
    counts_.dead += counts.dead;
    const auto running = table.running();
    if (options_.reaps_all) {
        // Nobody but us can have reaped them, so these are still their numbers.
        for (const LeaseTable::Running& one : running) {
            if (one.process > 0) ::kill(-one.process, SIGKILL);
        }
    }
    if (!died && running.empty()) return;
    if (table.phase() == Phase::kStarting || signals_ > 1) return;
    if (died && options_.in_process && !worker.killed && running.size() == 1) {
        if (WIFSIGNALED(wait_status))
            table.blame(running.front().thread, Cause::kSignal, static_cast<std::uint64_t>(WTERMSIG(wait_status)));
        else
            table.blame(running.front().thread, Cause::kExit, static_cast<std::uint64_t>(WEXITSTATUS(wait_status)));
    }
    const bool blamed =
        std::any_of(running.begin(), running.end(), [](const auto& one) { return one.cause != Cause::kNone; });
    if (died && options_.in_process && !worker.killed && running.size() > 1 && !blamed) {
        for (const LeaseTable::Running& one : running) suspect(one.offset);
    }
    pid_t pid = 0;
    if (const int error = launcher_.start(Task::kSettle, table, pid); error != 0)
        return note(std::string("cannot settle for a worker: ") + std::strerror(error));
    settlers_.push_back({pid, std::move(table), now + kSettleMax});
}

/// One of several that may have ended their process: whoever gets it next runs it alone.
void Supervisor::suspect(std::uint64_t offset) {
    suspects_.push_back(offset);
    if (suspects_.size() > LeaseTable::kSuspects) suspects_.pop_front();
    for (Worker& worker : workers_) {
        if (worker.table) worker.table->suspect(offset);
    }
}

void Supervisor::replace(Worker& worker, std::uint64_t verdicts, std::uint64_t begun, const std::string& how,
                         Instant now) {
    const bool well = verdicts > 0 || now - worker.started >= kHealthy;
    worker.deaths = well ? 0 : worker.deaths + 1;
    const Duration pause = well ? Duration::zero() : restart_pause(worker.deaths, begun > 0);
    worker.restart = now + pause;
    if (how.empty()) return;
    note(how + ", another one starts " +
         (pause == Duration::zero() ? "now" : "in " + std::to_string(pause / 1ms) + " ms"));
}

/// A worker has done its part. One that failed for good fails for all.
void Supervisor::finish(int status, Code ended, Instant now) {
    if (status_ == 0) ended_ = ended;
    if (status == 0) return;
    if (status_ == 0) status_ = status;
    if (status != kStatusDead) stop_all(now);
}

// --- stopping ---

void Supervisor::on_signal(int number, Instant now) {
    if (number == SIGHUP) {
        for (Worker& worker : workers_) worker.stale = worker.pid != 0;
        return;
    }
    if (stop_signal_ == 0) stop_signal_ = number;
    ++signals_;
    if (!stopping_) return stop_all(now);
    for (const Worker& worker : workers_) {
        if (worker.pid != 0) ::kill(worker.pid, SIGTERM);  // a second one tells them to leave at once
    }
}

void Supervisor::stop_all(Instant now) {
    if (stopping_) return;
    stopping_ = true;
    for (Worker& worker : workers_) {
        if (worker.pid == 0) continue;
        if (!worker.leaving) ::kill(worker.pid, SIGTERM);
        worker.leave_by = after(now, options_.drain);
    }
}

/// Tells the next stale worker to leave once the one before has its replacement, and that takes messages.
void Supervisor::roll(Instant now) {
    if (stopping_) return;
    for (const Worker& worker : workers_) {
        if (worker.leaving || (worker.pid == 0 && !worker.ended)) return;
        if (worker.pid != 0 && worker.table->phase() == Phase::kStarting && now < worker.started + kComeUpMax) return;
    }
    const auto next =
        std::find_if(workers_.begin(), workers_.end(), [](const Worker& w) { return w.stale && w.pid != 0; });
    if (next == workers_.end()) return;
    next->leaving = true;
    next->leave_by = after(now, options_.drain);
    ::kill(next->pid, SIGTERM);
}

/// Ends who should have left by itself.
void Supervisor::end_late(Instant now) {
    for (Worker& worker : workers_) {
        if (worker.pid == 0 || worker.leave_by > now) continue;
        worker.leave_by = Instant::never();
        worker.killed = true;
        note("worker " + std::to_string(worker.pid) + " does not leave and is killed");
        ::kill(worker.pid, SIGKILL);
    }
    for (Settler& settler : settlers_) {
        if (settler.leave_by > now) continue;
        settler.leave_by = Instant::never();
        ::kill(settler.pid, SIGKILL);
    }
}

Instant Supervisor::next_due(Instant now) const {
    Instant next = Instant::never();
    bool rolls = false;
    for (const Worker& worker : workers_) {
        if (!stopping_ && !worker.ended && worker.pid == 0) next = std::min(next, worker.restart);
        if (worker.pid != 0) next = std::min(next, worker.leave_by);
        rolls = rolls || worker.stale;
    }
    for (const Settler& settler : settlers_) next = std::min(next, settler.leave_by);
    return rolls && !stopping_ ? std::min(next, now + kRollPoll) : next;
}

bool Supervisor::done() const {
    return settlers_.empty() && std::all_of(workers_.begin(), workers_.end(),
                                            [this](const Worker& w) { return w.pid == 0 && (w.ended || stopping_); });
}

}  // namespace telpher::consumer
