#include "consumer/exec_launcher.h"

#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace telpher {
namespace {

using consumer::Task;

constexpr std::string_view kWork = "work";
constexpr std::string_view kSettle = "settle";

/// The words this process was started with.
std::vector<std::string> own_words() {
    std::ifstream file("/proc/self/cmdline", std::ios::binary);
    std::vector<std::string> words;
    for (std::string word; std::getline(file, word, '\0');) words.push_back(word);
    return words;
}

/// Descriptors above stderr that are open now.
std::set<int> open_descriptors() {
    std::set<int> open;
    const std::unique_ptr<DIR, int (*)(DIR*)> list(::opendir("/proc/self/fd"), &::closedir);
    while (list != nullptr) {
        const dirent* entry = ::readdir(list.get());  // NOLINT(concurrency-mt-unsafe): a stream of our own
        if (entry == nullptr) break;
        const int fd = std::atoi(entry->d_name);  // NOLINT(cert-err34-c): a number, or "." and ".."
        if (fd > STDERR_FILENO && fd != ::dirfd(list.get())) open.insert(fd);
    }
    return open;
}

struct Attributes {
    Attributes() {
        posix_spawnattr_init(&value);
        sigset_t none;
        sigemptyset(&none);
        posix_spawnattr_setsigmask(&value, &none);
        posix_spawnattr_setpgroup(&value, 0);  // Ctrl-C is the supervisor's to hand on
        posix_spawnattr_setflags(&value, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    }
    ~Attributes() { posix_spawnattr_destroy(&value); }
    Attributes(const Attributes&) = delete;
    Attributes& operator=(const Attributes&) = delete;
    posix_spawnattr_t value{};
};

}  // namespace

ExecLauncher::ExecLauncher() {
    for (const int fd : open_descriptors()) inherited_ += " " + std::to_string(fd);
}

int ExecLauncher::start(Task task, const consumer::LeaseTable& table, pid_t& pid) {
    std::vector<std::string> words = own_words();
    std::string mark = std::string(kSupervisorVariable) + "=" + std::to_string(::getpid()) + " " +
                       std::to_string(table.fd()) + " " + std::string(task == Task::kWork ? kWork : kSettle) +
                       inherited_;
    std::vector<char*> arguments, variables;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    for (char** variable = environ; *variable != nullptr; ++variable) variables.push_back(*variable);
    variables.push_back(mark.data());
    variables.push_back(nullptr);
    const Attributes attributes;
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, table.fd(), table.fd());  // survives the exec
    const int error =
        posix_spawn(&pid, "/proc/self/exe", &files, &attributes.value, arguments.data(), variables.data());
    posix_spawn_file_actions_destroy(&files);
    return error;
}

Upbringing join_supervisor() {
    const char* mark = std::getenv(std::string(kSupervisorVariable).c_str());
    if (mark == nullptr) return {};
    Upbringing upbringing;
    std::istringstream words(mark);
    pid_t parent = 0;
    std::string task;
    words >> parent >> upbringing.table_fd >> task;
    // Not all that the supervisor has open closes by itself: cpp-httplib accepts its clients without O_CLOEXEC.
    std::set<int> others = open_descriptors();
    others.erase(upbringing.table_fd);
    for (int fd = 0; words >> fd;) others.erase(fd);
    for (const int fd : others) ::close(fd);
    ::unsetenv(std::string(kSupervisorVariable).c_str());  // what is started from here is not the supervisor's
    upbringing.task = task == kSettle ? Task::kSettle : Task::kWork;
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    ::signal(SIGHUP, SIG_IGN);  // a terminal that hangs up is the supervisor's to notice
    if (upbringing.table_fd >= 0) ::fcntl(upbringing.table_fd, F_SETFD, FD_CLOEXEC);
    upbringing.kind = ::getppid() == parent ? Upbringing::Kind::kSupervised : Upbringing::Kind::kOrphan;
    return upbringing;
}

}  // namespace telpher
