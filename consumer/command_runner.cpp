#include "consumer/command_runner.h"

#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>

#include "consumer/supervisor.h"
#include "proto/command/output.h"

namespace telpher {
namespace {

constexpr int kCannotExecute = 126;
constexpr int kNotFound = 127;

/// The body as a file in memory: a command that reads late, in parts or not at all can never block us, as a pipe would.
class BodyFile {
public:
    explicit BodyFile(std::string_view body) : fd_(::memfd_create("telpher-body", MFD_CLOEXEC)) {
        if (fd_ < 0) return;
        ok_ = command::write_all(fd_, body) && ::lseek(fd_, 0, SEEK_SET) == 0;
    }
    ~BodyFile() {
        if (fd_ >= 0) ::close(fd_);
    }
    BodyFile(const BodyFile&) = delete;
    BodyFile& operator=(const BodyFile&) = delete;
    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] int fd() const { return fd_; }

private:
    int fd_;
    bool ok_ = false;
};

/// Our environment without what is ours, and the variables of this message.
class Environment {
public:
    explicit Environment(const CommandInput& input) {
        add("TELPHER_QUEUE", input.queue);
        add("TELPHER_ID", std::to_string(input.id));
        add("TELPHER_ATTEMPT", std::to_string(input.attempt));
        add("TELPHER_DELIVERY", std::to_string(input.delivery));
        add("TELPHER_KEY", input.key);
        for (char** variable = environ; *variable != nullptr; ++variable) {
            if (!replaces(*variable)) pointers_.push_back(*variable);
        }
        for (std::string& own : own_) pointers_.push_back(own.data());
        pointers_.push_back(nullptr);
    }
    [[nodiscard]] char** data() { return pointers_.data(); }

private:
    void add(std::string_view name, std::string_view value) {
        own_[count_++] = std::string(name) + "=" + std::string(value);
    }
    [[nodiscard]] bool replaces(std::string_view variable) const {
        const std::string_view name = variable.substr(0, variable.find('=') + 1);
        if (name == std::string(kSupervisorVariable) + "=") return true;  // a telpher in the command is not our child
        return std::any_of(own_.begin(), own_.end(), [&](const std::string& own) { return own.starts_with(name); });
    }

    std::array<std::string, 5> own_;
    std::size_t count_ = 0;
    std::vector<char*> pointers_;
};

/// A process group of its own, so that Ctrl-C reaches only the supervisor; nothing blocked, nothing ignored.
struct Attributes {
    Attributes() {
        posix_spawnattr_init(&value);
        sigset_t none, all;
        sigemptyset(&none);
        sigfillset(&all);
        posix_spawnattr_setsigmask(&value, &none);
        posix_spawnattr_setsigdefault(&value, &all);
        posix_spawnattr_setpgroup(&value, 0);
        posix_spawnattr_setflags(&value, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    }
    ~Attributes() { posix_spawnattr_destroy(&value); }
    Attributes(const Attributes&) = delete;
    Attributes& operator=(const Attributes&) = delete;
    posix_spawnattr_t value{};
};

/// 0 or the errno of posix_spawn.
int spawn(pid_t& pid, const std::vector<std::string>& command, int stdin_fd, char** environment) {
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const Attributes attributes;
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, stdin_fd, STDIN_FILENO);
    const int error = posix_spawnp(&pid, arguments[0], &files, &attributes.value, arguments.data(), environment);
    posix_spawn_file_actions_destroy(&files);
    return error;
}

bool is_of_machine(int error) { return error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE; }

}  // namespace

Result<int> CommandRunner::run(const CommandInput& input) {
    const BodyFile body(input.body);
    if (!body.ok()) return fail(Code::kIo, std::string("memfd: ") + std::strerror(errno));
    Environment environment(input);
    pid_t pid = 0;
    {
        // Under the lock, so that kill_all() sees every command that was started.
        const std::lock_guard lock(mutex_);
        if (const int error = spawn(pid, command_, body.fd(), environment.data()); error != 0) {
            return fail(is_of_machine(error) ? Code::kIo : Code::kConfig, command_[0] + ": " + std::strerror(error));
        }
        running_.insert(pid);
    }
    int status = 0;
    siginfo_t ended{};
    // Not reaped before it is out of running_: its number must not be another's when kill_all() uses it.
    while (::waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED | WNOWAIT) < 0 && errno == EINTR) continue;
    {
        const std::lock_guard lock(mutex_);
        running_.erase(pid);
    }
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    if (WIFSIGNALED(status)) return 128 + WTERMSIG(status);
    const int code = WEXITSTATUS(status);
    if (code == kCannotExecute || code == kNotFound) {
        return fail(Code::kConfig, command_[0] + " ended with " + std::to_string(code) + ": it cannot be executed");
    }
    return code;
}

void CommandRunner::kill_all() {
    const std::lock_guard lock(mutex_);
    for (const pid_t pid : running_) ::kill(-pid, SIGKILL);
}

}  // namespace telpher
