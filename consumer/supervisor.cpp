#include "consumer/supervisor.h"

#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <utility>

#include "proto/command/exit.h"

namespace telpher {
namespace {

using namespace std::chrono_literals;

constexpr Duration kRestartFirst = 100ms;
constexpr Duration kRestartMax = 5s;
constexpr Duration kHealthy = 10s;  // a child that lived this long has not died in a row
constexpr unsigned kDoublingsMax = 6;

Duration back_off(unsigned deaths) {
    return std::min<Duration>(kRestartMax, kRestartFirst * (1 << std::min(deaths - 1, kDoublingsMax)));
}

/// The words this process was started with.
std::vector<std::string> own_words() {
    std::ifstream file("/proc/self/cmdline", std::ios::binary);
    std::vector<std::string> words;
    for (std::string word; std::getline(file, word, '\0');) words.push_back(word);
    return words;
}

/// 0 or the errno of posix_spawn.
int spawn_self(pid_t& pid) {
    std::vector<std::string> words = own_words();
    std::string mark = std::string(kSupervisorVariable) + "=" + std::to_string(::getpid());
    std::vector<char*> arguments, variables;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    for (char** variable = environ; *variable != nullptr; ++variable) variables.push_back(*variable);
    variables.push_back(mark.data());
    variables.push_back(nullptr);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0);  // Ctrl-C is the supervisor's to hand on
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    const int error = posix_spawn(&pid, "/proc/self/exe", nullptr, &attributes, arguments.data(), variables.data());
    posix_spawnattr_destroy(&attributes);
    return error;
}

sigset_t watched() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGCHLD, SIGINT, SIGTERM}) sigaddset(&set, number);
    return set;
}

}  // namespace

Upbringing join_supervisor() {
    const char* mark = std::getenv(std::string(kSupervisorVariable).c_str());
    if (mark == nullptr) return Upbringing::kNone;
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    return std::to_string(::getppid()) == mark ? Upbringing::kSupervised : Upbringing::kOrphan;
}

int Supervisor::run() {
    const sigset_t set = watched();
    sigprocmask(SIG_BLOCK, &set, nullptr);
    while (!done()) {
        const Instant now = system_clock().now();
        start_due(now);
        const Duration wait = std::clamp<Duration>(next_restart() - now, 0ns, 3600s);
        const timespec limit{wait.count() / 1'000'000'000, wait.count() % 1'000'000'000};
        const int number = ::sigtimedwait(&set, nullptr, &limit);
        if (number == SIGINT || number == SIGTERM) on_signal(number);
        reap(system_clock().now());
    }
    if (status_ != 0) return status_;
    return stop_signal_ == SIGINT ? 128 + SIGINT : command::kExitOk;
}

void Supervisor::start_due(Instant now) {
    for (Child& child : children_) {
        if (!stopping_ && !child.ended && child.pid == 0 && child.restart <= now) start(child, now);
    }
}

void Supervisor::start(Child& child, Instant now) {
    child.started = now;
    if (const int error = spawn_self(child.pid); error != 0) {
        child.pid = 0;
        child.restart = now + back_off(++child.deaths);
        command::print_note(std::string("cannot start a worker: ") + std::strerror(error));
    }
}

void Supervisor::reap(Instant now) {
    int wait_status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &wait_status, WNOHANG)) > 0;) {
        const auto child =
            std::find_if(children_.begin(), children_.end(), [&](const Child& c) { return c.pid == pid; });
        if (child != children_.end()) on_end(*child, wait_status, now);
    }
}

void Supervisor::on_end(Child& child, int wait_status, Instant now) {
    const pid_t pid = std::exchange(child.pid, 0);
    const int status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
    const bool away = status == command::kExitUnavailable || status == command::kExitTemporary;
    const bool died = WIFSIGNALED(wait_status) || (forever_ && away);
    if (stopping_ || !died) {
        child.ended = true;
        if (!WIFSIGNALED(wait_status)) finish(status);
        return;
    }
    child.deaths = now - child.started >= kHealthy ? 1 : child.deaths + 1;
    const Duration wait = back_off(child.deaths);
    child.restart = now + wait;
    command::print_note("worker " + std::to_string(pid) + " ended with " + std::to_string(status) +
                        ", another one starts in " + std::to_string(wait / 1ms) + " ms");
}

/// A child has done its part. One that failed for good fails for all.
void Supervisor::finish(int status) {
    if (status == command::kExitOk) return;
    if (status_ == 0) status_ = status;
    if (status == command::kExitDead || stopping_) return;
    stopping_ = true;
    signal_all(SIGTERM);
}

void Supervisor::on_signal(int number) {
    stopping_ = true;
    if (stop_signal_ == 0) stop_signal_ = number;
    signal_all(SIGTERM);  // a second one tells the children to leave at once
}

void Supervisor::signal_all(int number) const {
    for (const Child& child : children_) {
        if (child.pid != 0) ::kill(child.pid, number);
    }
}

Instant Supervisor::next_restart() const {
    Instant next = Instant::never();
    for (const Child& child : children_) {
        if (!stopping_ && !child.ended && child.pid == 0) next = std::min(next, child.restart);
    }
    return next;
}

bool Supervisor::done() const {
    return std::all_of(children_.begin(), children_.end(),
                       [&](const Child& c) { return c.pid == 0 && (c.ended || stopping_); });
}

}  // namespace telpher
