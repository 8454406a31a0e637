#include "tests/support/small_disk.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace telpher::test {
namespace {

constexpr std::size_t kStepBytes = 1024 * 1024;

std::string failed(const char* call) { return std::string(call) + ": " + std::strerror(errno); }

}  // namespace

SmallDisk::SmallDisk(const std::string& size) {
    if (::unshare(CLONE_NEWNS) != 0) {
        missing_ = failed("unshare");
    } else if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
        missing_ = failed("mount /");
    } else if (::mount("tmpfs", path().c_str(), "tmpfs", 0, ("size=" + size).c_str()) != 0) {
        missing_ = failed("mount tmpfs");
    }
}

SmallDisk::~SmallDisk() {
    if (missing_.empty()) ::umount2(path().c_str(), MNT_DETACH);
}

void SmallDisk::take_room(std::size_t left) const {
    const int fd = ::open(hog().c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) throw std::runtime_error(failed("open"));
    for (std::size_t step = kStepBytes; step > 0;) {
        const std::size_t free = std::filesystem::space(path()).available;
        const off_t taken = ::lseek(fd, 0, SEEK_END);
        if (left > 0 && free < left + step) break;
        if (::posix_fallocate(fd, taken, static_cast<off_t>(step)) != 0) step /= 2;
    }
    ::close(fd);
}

void SmallDisk::give_room_back() const { std::filesystem::remove(hog()); }

}  // namespace telpher::test
