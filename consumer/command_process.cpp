#include "consumer/command_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "consumer/process_tree.h"
#include "proto/command/output.h"

namespace telpher {
namespace {

using namespace std::chrono_literals;

constexpr Duration kRssFirst = 20ms;
constexpr Duration kRssEvery = 50ms;
constexpr Duration kLastWordsMax = 1s;
constexpr Duration kDescriptorWaitMax = 1s;
constexpr int kFirstFreeFd = 10;  // ours are above those that the command gets
constexpr std::size_t kPumpBytes = 16 * 1024;

/// It may pass: the machine is short of something, or the program is being replaced just now.
bool is_of_machine(int error) {
    constexpr std::array kPassing{EAGAIN, ENOMEM, EMFILE, ENFILE, ETXTBSY, EIO, ESTALE};
    return std::find(kPassing.begin(), kPassing.end(), error) != kPassing.end();
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
    std::vector<char*> list;
    list.reserve(words.size() + 1);
    for (const std::string& word : words) list.push_back(const_cast<char*>(word.c_str()));
    list.push_back(nullptr);
    return list;
}

/// Closes its descriptor.
class Fd {
public:
    explicit Fd(int fd = -1) : fd_(fd) {}
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] int get() const { return fd_; }
    int release() { return std::exchange(fd_, -1); }

private:
    int fd_;
};

/// A copy that is none of 0..3, which the command's take.
Fd above(int fd) { return Fd(fd < 0 ? -1 : ::fcntl(fd, F_DUPFD_CLOEXEC, kFirstFreeFd)); }

/// The limit of descriptors that commands get: the one we were started with, as programs exist that cannot deal with
/// numbers over 1,023. Ours is raised, as every command takes a few while it runs. nullptr: it is as it was.
const rlimit* descriptors_of_commands() {
    struct Limits {
        rlimit before{};
        bool raised = false;
        Limits() {
            if (::getrlimit(RLIMIT_NOFILE, &before) != 0 || before.rlim_cur == before.rlim_max) return;
            const rlimit most{before.rlim_max, before.rlim_max};
            raised = ::setrlimit(RLIMIT_NOFILE, &most) == 0;  // a sandbox may forbid it
        }
    };
    static const Limits limits;
    return limits.raised ? &limits.before : nullptr;
}

/// Everything the child needs, made before it exists: it shares our memory until it is another program.
struct Plan {
    char* const* arguments;
    char* const* environment;
    const char* folder;  // nullptr: stay
    int in, out, err, extra;
    const rlimit* descriptors;  // nullptr: ours
    pid_t parent;
    int error = 0;  // by the child
};

/// Other threads may have taken what was reserved for it just now; they give back soon.
int open_pidfd(pid_t pid) {
    const Instant end = system_clock().now() + kDescriptorWaitMax;
    for (;;) {
        const int fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
        if (fd >= 0 || (errno != EMFILE && errno != ENFILE) || system_clock().now() >= end) return fd;
        ::poll(nullptr, 0, 5);
    }
}

// Only system calls: it runs on our memory while this thread waits.
[[noreturn]] void become(Plan& plan) {
    const auto must = [&plan](int result) {
        if (result >= 0) return;
        plan.error = errno;
        ::_exit(127);
    };
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != plan.parent) ::_exit(127);
    for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
    must(::dup2(plan.in, STDIN_FILENO));
    if (plan.out >= 0) must(::dup2(plan.out, STDOUT_FILENO));
    must(::dup2(plan.err, STDERR_FILENO));
    if (plan.extra >= 0) must(::dup2(plan.extra, 3));
    if (plan.folder != nullptr) must(::chdir(plan.folder));
    if (plan.descriptors != nullptr) must(::setrlimit(RLIMIT_NOFILE, plan.descriptors));
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execvpe(plan.arguments[0], plan.arguments, plan.environment);
    plan.error = errno;
    ::_exit(127);
}

// No signal may find the child on our memory with our handlers.
pid_t start_child(Plan& plan) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t pid = ::vfork();
    if (pid == 0) become(plan);
    if (pid < 0) plan.error = errno;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return pid;
}

}  // namespace

MemoryFile::MemoryFile(std::string_view bytes) : fd_(::memfd_create("telpher", MFD_CLOEXEC)) {
    if (fd_ < 0) return;
    ok_ = command::write_all(fd_, bytes) && ::lseek(fd_, 0, SEEK_SET) == 0;
}

MemoryFile::~MemoryFile() {
    if (fd_ >= 0) ::close(fd_);
}

CommandProcess::~CommandProcess() {
    if (!started()) return;
    ::kill(-pid_, SIGKILL);
    (void)finish([] {});
}

Result<void> CommandProcess::start(const Launch& launch) {
    const auto arguments = pointers(launch.command);
    const auto environment = pointers(launch.environment);
    std::array<int, 2> err{};
    if (::pipe2(err.data(), O_CLOEXEC) != 0) return fail(Code::kIo, std::string("pipe: ") + std::strerror(errno));
    Fd err_read(err[0]);
    const Fd err_pipe(err[1]);
    // What is needed once it runs is there before, or it is not started.
    std::optional<Fd> reserved(std::in_place, ::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (reserved->get() < 0) return fail(Code::kIo, std::string("descriptors: ") + std::strerror(errno));
    const Fd in = above(launch.in), err_write = above(err[1]), extra = above(launch.extra);
    const Fd out(launch.out >= 0                   ? above(launch.out).release()
                 : launch.to == StdoutTo::kLog     ? above(err[1]).release()
                 : launch.to == StdoutTo::kDiscard ? ::open("/dev/null", O_WRONLY | O_CLOEXEC)
                                                   : -1);
    const auto missing = [](bool wanted, const Fd& got) { return wanted && got.get() < 0; };
    const bool passes_out = launch.out < 0 && launch.to == StdoutTo::kPass;
    if (missing(launch.in >= 0, in) || missing(launch.extra >= 0, extra) || missing(true, err_write) ||
        missing(!passes_out, out))
        return fail(Code::kIo, std::string("descriptors: ") + std::strerror(errno));
    Plan plan{arguments.data(),
              environment.data(),
              launch.folder.empty() ? nullptr : launch.folder.c_str(),
              in.get(),
              out.get(),
              err_write.get(),
              extra.get(),
              descriptors_of_commands(),
              ::getpid()};
    const pid_t pid = start_child(plan);
    if (pid > 0 && plan.error != 0) ::waitpid(pid, nullptr, 0);
    if (plan.error != 0) {
        return fail(is_of_machine(plan.error) ? Code::kIo : Code::kConfig,
                    launch.command[0] + ": " + std::strerror(plan.error));
    }
    pid_ = pid;
    reserved.reset();
    pidfd_ = open_pidfd(pid);
    err_ = err_read.release();
    ::fcntl(err_, F_SETFL, O_NONBLOCK);
    if (pidfd_ >= 0) return {};
    const int error = errno;
    ::kill(-pid_, SIGKILL);
    (void)finish([] {});
    return fail(Code::kIo, std::string("pidfd: ") + std::strerror(error));
}

bool CommandProcess::ended() const {
    siginfo_t ended{};
    return ::waitid(P_PID, static_cast<id_t>(pid_), &ended, WEXITED | WNOWAIT | WNOHANG) == 0 && ended.si_pid != 0;
}

// --- limits ---

void CommandProcess::limit(const CommandLimits& limits, Instant from) {
    soft_at_ = limits.soft == kForever ? Instant::never() : from + limits.soft;
    hard_at_ = limits.hard == kForever ? Instant::never() : from + limits.hard;
    rss_max_ = limits.rss_max;
    rss_at_ = rss_max_ == 0 ? Instant::never() : from + kRssFirst;
    exceeded_.reset();
}

void CommandProcess::keep_limits(Instant now) {
    if (now >= soft_at_) {
        soft_at_ = Instant::never();
        exceeded_ = CommandEnd::Why::kTimeLimit;
        ::kill(-pid_, SIGTERM);
    }
    if (now >= hard_at_) {
        hard_at_ = Instant::never();
        exceeded_ = CommandEnd::Why::kTimeLimit;
        ::kill(-pid_, SIGKILL);
    }
    if (now < rss_at_) return;
    rss_at_ = now + kRssEvery;
    if (tree_rss(pid_) <= rss_max_) return;
    rss_at_ = Instant::never();
    exceeded_ = CommandEnd::Why::kRssLimit;
    ::kill(-pid_, SIGKILL);
}

int CommandProcess::wait_ms(Instant now) const {
    const Instant next = std::min({soft_at_, hard_at_, rss_at_});
    if (next == Instant::never()) return -1;
    return static_cast<int>(std::clamp<std::int64_t>((next - now + 999'999ns) / 1ms, 0, 3'600'000));
}

// --- waiting ---

CommandProcess::Event CommandProcess::wait(int fd, bool writes) {
    for (;;) {
        // Who writes more on stderr than ours takes has to wait, as with a pipe between.
        std::array<pollfd, 3> waits{{{pidfd_, POLLIN, 0}, {err_, POLLIN, 0}, {fd, 0, 0}}};
        if (relay_.waits()) waits[1] = {STDERR_FILENO, POLLOUT, 0};
        waits[2].events = writes ? POLLOUT : POLLIN;
        if (::poll(waits.data(), waits.size(), wait_ms(system_clock().now())) < 0 && errno != EINTR)
            return Event::kEnded;
        if (waits[1].revents != 0) (void)pump();
        // What it wrote before it ended comes first.
        if (waits[2].revents != 0 && !writes) return Event::kReadable;
        if (waits[0].revents != 0) return Event::kEnded;
        if (waits[2].revents != 0) return Event::kWritable;
        keep_limits(system_clock().now());
    }
}

/// Passes on what there is on stderr; false: nothing now, or ours takes nothing.
bool CommandProcess::pump() {
    if (relay_.waits()) relay_.push();
    if (relay_.waits()) return false;
    std::array<char, kPumpBytes> buffer;  // NOLINT: filled by read
    const ssize_t got = ::read(err_, buffer.data(), buffer.size());
    if (got > 0) {
        const std::string_view text(buffer.data(), static_cast<std::size_t>(got));
        tail_.add(text);
        relay_.take(text);
        return true;
    }
    if (got == 0) {  // all who could write are gone
        ::close(err_);
        err_ = -1;
    }
    return false;
}

// A descendant may hold its stderr for as long as it likes: what is there now is taken, then nobody listens.
CommandEnd CommandProcess::finish(const std::function<void()>& before_reaped) {
    siginfo_t ended{};
    while (::waitid(P_PID, static_cast<id_t>(pid_), &ended, WEXITED | WNOWAIT) < 0 && errno == EINTR) continue;
    constexpr int kReadsMax = 64;  // one who writes without end does not keep us
    // The verdict waits for a reader of stderr a little, so that no words are lost, and not at all for one that was
    // over its limit.
    const Instant end = system_clock().now() + (exceeded_ ? Duration::zero() : kLastWordsMax);
    const auto pass_on = [&] { relay_.flush(end - system_clock().now()); };
    pass_on();
    for (int reads = 0; err_ >= 0 && reads < kReadsMax && pump(); ++reads) pass_on();
    if (exceeded_) ::kill(-pid_, SIGKILL);  // the rest of the group, before its number is free
    before_reaped();
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) continue;
    pid_ = 0;
    for (int* fd : {&err_, &pidfd_}) {
        if (*fd >= 0) ::close(*fd);
        *fd = -1;
    }
    const bool killed = WIFSIGNALED(status);
    const int number = killed ? WTERMSIG(status) : WEXITSTATUS(status);
    if (exceeded_ && (killed || *exceeded_ == CommandEnd::Why::kRssLimit)) return {*exceeded_, number};
    return {killed ? CommandEnd::Why::kSignal : CommandEnd::Why::kExit, number};
}

}  // namespace telpher
