#include "broker/log/dir_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace telpher::log {
namespace {

tl::unexpected<Error> failed(const char* call, const std::string& path) {
    return fail(Code::kIo, std::string(call) + " " + path + ": " + std::generic_category().message(errno));
}

std::string holder_of(int fd) {
    std::array<char, 32> text{};
    const ssize_t got = ::pread(fd, text.data(), text.size(), 0);
    std::string holder(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    holder.erase(holder.find_last_not_of('\n') + 1);
    return holder.empty() ? "unknown" : holder;
}

}  // namespace

Result<DirLock> DirLock::take(const std::string& dir) {
    const std::string path = dir + "/lock";
    DirLock lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
    if (lock.fd_ < 0) return failed("open", path);
    if (::flock(lock.fd_, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return failed("flock", path);
        return fail(Code::kLocked, dir + " is in use by process " + holder_of(lock.fd_));
    }
    // For people only, so a full disk is no reason not to start: the lock itself is what holds.
    const std::string text = std::to_string(::getpid()) + "\n";
    [[maybe_unused]] const bool noted =
        ::ftruncate(lock.fd_, 0) == 0 && ::pwrite(lock.fd_, text.data(), text.size(), 0) > 0;
    return lock;
}

DirLock::~DirLock() {
    if (fd_ >= 0) ::close(fd_);
}

}  // namespace telpher::log
