#include "tests/support/process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <fstream>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

extern char** environ;

namespace telpher::test {
namespace {

[[noreturn]] void throw_errno(const std::string& what) { throw std::runtime_error(what + ": " + std::strerror(errno)); }

/// A descriptor, closed with its owner.
class Fd {
public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Fd() { reset(); }
    void reset() {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }
    [[nodiscard]] int get() const { return fd_; }

private:
    int fd_ = -1;
};

struct Pipe {
    Fd read, write;
};

Pipe make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw_errno("pipe2");
    return {Fd(ends[0]), Fd(ends[1])};
}

/// Everything the child needs, made before fork(): between fork and exec it may only make system calls.
struct Launch {
    Launch(const std::filesystem::path& program, std::vector<std::string> args, const ProcessOptions& options)
        : path(program.string()), cwd(options.cwd.string()), descriptors(options.descriptors), words(std::move(args)) {
        words.insert(words.begin(), path);
        std::map<std::string, std::string> merged;
        for (char** entry = environ; *entry != nullptr; ++entry) {
            const std::string_view text(*entry);
            const auto equals = text.find('=');
            if (equals != std::string_view::npos) merged[std::string(text.substr(0, equals))] = text.substr(equals + 1);
        }
        for (const auto& [name, value] : options.env) merged[name] = value;
        for (const auto& [name, value] : merged) variables.push_back(name + "=" + value);
        for (auto& word : words) argv.push_back(word.data());
        for (auto& variable : variables) envp.push_back(variable.data());
        argv.push_back(nullptr);
        envp.push_back(nullptr);
    }

    std::string path, cwd;
    std::optional<ProcessOptions::Descriptors> descriptors;
    std::vector<std::string> words, variables;
    std::vector<char*> argv, envp;
};

/// The child's side: never returns; a failure is reported as errno through `failure`.
[[noreturn]] void become(const Launch& launch, int in, int out, int err, int failure, pid_t parent) {
    const auto fail = [failure] {
        const int error = errno;
        [[maybe_unused]] const auto n = ::write(failure, &error, sizeof error);
        ::_exit(127);
    };
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
    ::setpgid(0, 0);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    if (::dup2(in, 0) < 0 || ::dup2(out, 1) < 0 || ::dup2(err, 2) < 0) fail();
    if (!launch.cwd.empty() && ::chdir(launch.cwd.c_str()) != 0) fail();
    if (launch.descriptors) {
        const rlimit limit{launch.descriptors->soft, launch.descriptors->hard};
        if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) fail();
    }
    // The test's own files are not its business: a stream of the standard library has no O_CLOEXEC.
    ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    ::execve(launch.path.c_str(), launch.argv.data(), launch.envp.data());
    fail();
    ::_exit(127);
}

Ended decode(int status) { return WIFSIGNALED(status) ? Ended{0, WTERMSIG(status)} : Ended{WEXITSTATUS(status), 0}; }

}  // namespace

struct Process::Impl {
    Impl(const std::filesystem::path& program, std::vector<std::string> args, const ProcessOptions& options)
        : output_bytes_max(options.output_bytes_max), stop(::eventfd(0, EFD_CLOEXEC)) {
        Pipe in = make_pipe();
        Pipe out = make_pipe();
        Pipe err = make_pipe();
        Pipe failure = make_pipe();
        const Launch launch(program, std::move(args), options);
        const pid_t parent = ::getpid();
        pid = ::fork();
        if (pid < 0) throw_errno("fork");
        if (pid == 0) {
            become(launch, in.read.get(), out.write.get(), err.write.get(), failure.write.get(), parent);
        }
        pidfd = Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));  // glibc 2.36 declares it for C only
        if (pidfd.get() < 0) throw_errno("pidfd_open");
        for (Fd* theirs : {&in.read, &out.write, &err.write, &failure.write}) theirs->reset();
        int error = 0;
        if (::read(failure.read.get(), &error, sizeof error) == sizeof error) {
            ::waitpid(pid, nullptr, 0);
            throw std::runtime_error(launch.path + ": cannot start: " + std::strerror(error));
        }
        if (!options.input.empty() && ::write(in.write.get(), options.input.data(), options.input.size()) !=
                                          static_cast<ssize_t>(options.input.size())) {
            throw std::runtime_error("input does not fit the pipe");
        }
        streams[0].fd = std::move(out.read);
        streams[1].fd = std::move(err.read);
        reader = std::thread([this] { read_all(); });
    }

    ~Impl() {
        kill();
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto n = ::write(stop.get(), &one, sizeof one);
        if (reader.joinable()) reader.join();
    }

    void kill() {
        if (ended) return;
        ::kill(-pid, SIGKILL);
        ::kill(pid, SIGKILL);
        reap(nullptr);
    }

    /// Reaps the process; with a deadline only if it ends in time.
    bool reap(const Deadline* deadline) {
        if (ended) return true;
        if (deadline != nullptr) {
            pollfd wait{pidfd.get(), POLLIN, 0};
            int ready = 0;
            do {
                ready = ::poll(&wait, 1, deadline->left_ms());
            } while (ready < 0 && errno == EINTR);
            if (ready == 0) return false;
        }
        int status = 0;
        while (::waitpid(pid, &status, 0) < 0) {
            if (errno != EINTR) throw_errno("waitpid");
        }
        ended = decode(status);
        return true;
    }

    void read_all() {
        while (streams[0].fd.get() >= 0 || streams[1].fd.get() >= 0) {
            std::array<pollfd, 3> waits{
                {{streams[0].fd.get(), POLLIN, 0}, {streams[1].fd.get(), POLLIN, 0}, {stop.get(), POLLIN, 0}}};
            if (::poll(waits.data(), waits.size(), -1) < 0) continue;
            for (std::size_t i = 0; i < 2; ++i) {
                if (waits[i].revents != 0) read_some(streams[i]);
            }
            if (waits[2].revents != 0 && waits[0].revents == 0 && waits[1].revents == 0) break;
        }
        const std::lock_guard lock(mutex);
        drained = true;
        changed.notify_all();
    }

    struct Stream {
        Fd fd;
        std::string text;
    };

    void read_some(Stream& stream) {
        std::array<char, 16 * 1024> buffer;  // NOLINT: filled by read
        const ssize_t got = ::read(stream.fd.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) return;
        if (got <= 0) {
            stream.fd.reset();
            return;
        }
        const std::lock_guard lock(mutex);
        stream.text.append(buffer.data(), static_cast<std::size_t>(got));
        if (stream.text.size() > output_bytes_max) stream.text.erase(0, stream.text.size() - output_bytes_max / 2);
        changed.notify_all();
    }

    bool wait_for(const Stream& stream, std::string_view text, Duration limit) {
        std::unique_lock lock(mutex);
        const auto found = [&] { return stream.text.find(text) != std::string::npos; };
        changed.wait_for(lock, limit, [&] { return found() || drained; });
        return found();
    }

    pid_t pid = -1;
    Fd pidfd;
    std::optional<Ended> ended;
    std::size_t output_bytes_max;
    Fd stop;
    std::array<Stream, 2> streams;  // their text is guarded by mutex, their descriptors belong to the reader
    bool drained = false;           // guarded by mutex: the reader has ended
    mutable std::mutex mutex;
    std::condition_variable changed;
    std::thread reader;
};

std::string Ended::text() const {
    return signal != 0 ? "signal " + std::to_string(signal) : "exit " + std::to_string(code);
}

Process::Process(const std::filesystem::path& program, std::vector<std::string> args, const ProcessOptions& options)
    : impl_(std::make_unique<Impl>(program, std::move(args), options)) {}
Process::Process(Process&&) noexcept = default;
Process& Process::operator=(Process&&) noexcept = default;
Process::~Process() = default;

pid_t Process::pid() const { return impl_->pid; }

bool Process::running() {
    const Deadline now(0s);
    return !impl_->reap(&now);
}

std::optional<Ended> Process::wait(Duration limit) {
    const Deadline deadline(limit);
    if (!impl_->reap(&deadline)) return std::nullopt;
    // The pipes are at their end too, unless a child of it lives on: what it wrote is complete.
    std::unique_lock lock(impl_->mutex);
    impl_->changed.wait_for(lock, 1s, [&] { return impl_->drained; });
    return impl_->ended;
}

void Process::signal(int signal) {
    if (running()) ::kill(impl_->pid, signal);
}

void Process::kill() { impl_->kill(); }

std::string Process::output() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->streams[0].text;
}

std::string Process::errors() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->streams[1].text;
}

bool Process::wait_for_output(std::string_view text, Duration limit) {
    return impl_->wait_for(impl_->streams[0], text, limit);
}

bool Process::wait_for_errors(std::string_view text, Duration limit) {
    return impl_->wait_for(impl_->streams[1], text, limit);
}

Usage Process::usage() const {
    Usage usage;
    if (impl_->ended) return usage;
    const std::filesystem::path proc = "/proc/" + std::to_string(impl_->pid);
    std::ifstream status(proc / "status");
    for (std::string line; std::getline(status, line);) {
        std::istringstream words(line);
        std::string name;
        std::size_t value = 0;
        words >> name >> value;
        if (name == "VmRSS:") usage.resident_bytes = value * 1024;
        if (name == "VmHWM:") usage.resident_peak_bytes = value * 1024;
        if (name == "Threads:") usage.threads = value;
    }
    std::ifstream stat(proc / "stat");
    std::string line;
    std::getline(stat, line);
    const auto name_end = line.rfind(')');  // the name may hold blanks and brackets
    if (name_end != std::string::npos) {
        std::istringstream words(line.substr(name_end + 1));
        std::string skipped;
        for (int i = 0; i < 11; ++i) words >> skipped;
        double user = 0;
        double system = 0;
        words >> user >> system;
        usage.cpu_seconds = (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
    }
    std::error_code error;
    for (std::filesystem::directory_iterator at(proc / "fd", error), end; !error && at != end; at.increment(error)) {
        ++usage.descriptors;
    }
    return usage;
}

bool alive(const std::string& pid) {
    std::ifstream file("/proc/" + pid + "/stat");
    std::string number, name, state;
    file >> number >> name >> state;
    return file && state != "Z" && state != "X";
}

std::vector<std::string> children_of(pid_t pid) {
    const std::string number = std::to_string(pid);
    std::ifstream file("/proc/" + number + "/task/" + number + "/children");
    std::vector<std::string> children;
    for (std::string child; file >> child;) children.push_back(child);
    return children;
}

std::filesystem::path program(std::string_view name) {
    return std::filesystem::read_symlink("/proc/self/exe").parent_path() / name;
}

Finished run(const std::filesystem::path& program, std::vector<std::string> args, Duration limit,
             const ProcessOptions& options) {
    Process process(program, std::move(args), options);
    const auto ended = process.wait(limit);
    if (!ended) {
        throw std::runtime_error(program.string() + " did not end in time; stdout:\n" + process.output() +
                                 "\nstderr:\n" + process.errors());
    }
    return {*ended, process.output(), process.errors()};
}

}  // namespace telpher::test
