#include "cli/bench_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>

#include "proto/base/check.h"
#include "proto/command/output.h"

namespace telpher::cli {
namespace {

constexpr int kAnswerMaxMs = 300'000;  // a run that takes longer hangs

void close_once(int& fd) {
    if (fd >= 0) ::close(fd);
    fd = -1;
}

}  // namespace

Pipe::Pipe() { TELPHER_CHECK_MSG(::pipe2(ends_.data(), O_CLOEXEC) == 0, "no descriptors left"); }
Pipe::~Pipe() {
    close_read();
    close_write();
}
void Pipe::close_read() { close_once(ends_[0]); }
void Pipe::close_write() { close_once(ends_[1]); }

bool stay_with_parent() {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    pollfd orders{STDIN_FILENO, POLLIN, 0};  // the parent holds the other end
    return ::poll(&orders, 1, 0) == 0 || (orders.revents & POLLHUP) == 0;
}

Result<std::unique_ptr<BenchProcess>> BenchProcess::start(const std::vector<std::string>& words, int pace_fd) {
    std::unique_ptr<BenchProcess> process(new BenchProcess());
    std::string name = "telpher";
    std::vector<char*> arguments{name.data()};
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, process->orders_.read_end(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, process->answers_.write_end(), STDOUT_FILENO);
    if (pace_fd >= 0) posix_spawn_file_actions_adddup2(&files, pace_fd, kPaceFd);
    const int error = posix_spawn(&process->pid_, "/proc/self/exe", &files, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&files);
    if (error != 0) return fail(Code::kIo, std::string("posix_spawn: ") + std::strerror(error));
    process->orders_.close_read();
    process->answers_.close_write();
    return process;
}

BenchProcess::~BenchProcess() {
    if (pid_ <= 0) return;
    orders_.close_write();
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) continue;
}

Result<std::string> BenchProcess::read_line() {
    for (;;) {
        if (const std::size_t end = text_.find('\n'); end != std::string::npos) {
            std::string line = text_.substr(0, end);
            text_.erase(0, end + 1);
            return line;
        }
        pollfd wait{answers_.read_end(), POLLIN, 0};
        if (::poll(&wait, 1, kAnswerMaxMs) == 0)
            return fail(Code::kTimeout, "a process of the benchmark did not answer");
        std::array<char, 4096> chunk{};
        const ssize_t got = ::read(answers_.read_end(), chunk.data(), chunk.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0)
            return fail(Code::kIo, "a process of the benchmark ended before its work; its own message says why");
        text_.append(chunk.data(), static_cast<std::size_t>(got));
    }
}

void BenchProcess::tell(const std::string& line) { command::write_all(orders_.write_end(), line + "\n"); }

}  // namespace telpher::cli
