#include "producer/file_identity.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace telpher {

std::string head_of(int fd, std::size_t bytes) {
    std::string head(bytes, '\0');
    std::size_t got = 0;
    while (got < bytes) {
        const ssize_t read = ::pread(fd, head.data() + got, bytes - got, static_cast<off_t>(got));
        if (read < 0 && errno == EINTR) continue;
        if (read <= 0) break;
        got += static_cast<std::size_t>(read);
    }
    head.resize(got);
    return head;
}

std::optional<std::uint64_t> hash_at(int fd, std::uint64_t offset, std::size_t bytes) {
    std::array<char, FileIdentity::kHeadBytes> part{};
    if (bytes > part.size()) return std::nullopt;
    std::size_t got = 0;
    while (got < bytes) {
        const ssize_t read = ::pread(fd, part.data() + got, bytes - got, static_cast<off_t>(offset + got));
        if (read < 0 && errno == EINTR) continue;
        if (read <= 0) return std::nullopt;
        got += static_cast<std::size_t>(read);
    }
    return XXH3_64bits(part.data(), bytes);
}

FileTail FileTail::before(int fd, std::uint64_t offset) {
    const std::uint64_t bytes = std::min<std::uint64_t>(offset, FileIdentity::kHeadBytes);
    const auto hash = hash_at(fd, offset - bytes, bytes);
    return hash ? FileTail{bytes, *hash} : FileTail{};
}

bool FileTail::is_before(int fd, std::uint64_t offset) const {
    if (bytes == 0 || bytes > offset) return true;
    const auto now = hash_at(fd, offset - bytes, bytes);
    return !now || *now == hash;
}

Result<FileIdentity> FileIdentity::of(int fd) {
    struct stat about {};
    if (::fstat(fd, &about) != 0) return io_failure("fstat");
    FileIdentity identity;
    identity.device = about.st_dev;
    identity.inode = about.st_ino;
    identity.head_bytes = std::min<std::uint64_t>(static_cast<std::uint64_t>(about.st_size), kHeadBytes);
    const auto hash = hash_at(fd, 0, identity.head_bytes);
    if (!hash) return fail(Code::kIo, "the file changes while its beginning is read");
    identity.head_hash = *hash;
    return identity;
}

bool FileIdentity::begins_like(int fd) const { return hash_at(fd, 0, head_bytes) == std::optional(head_hash); }

bool FileIdentity::is(int fd) const {
    struct stat about {};
    if (::fstat(fd, &about) != 0 || !same_inode(about)) return false;
    return begins_like(fd);
}

OwnedFd& OwnedFd::operator=(OwnedFd&& other) noexcept {
    if (this == &other) return *this;
    if (fd_ >= 0) ::close(fd_);
    fd_ = other.release();
    return *this;
}

OwnedFd::~OwnedFd() {
    if (fd_ >= 0) ::close(fd_);
}

int OwnedFd::release() { return std::exchange(fd_, -1); }

tl::unexpected<Error> io_failure(const std::string& what) {
    return fail(Code::kIo, what + ": " + std::strerror(errno));
}

OwnedFd open_regular(const std::string& path) {
    OwnedFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a FIFO must not hold it up
    struct stat about {};
    if (!fd.valid() || ::fstat(fd.get(), &about) != 0 || !S_ISREG(about.st_mode)) return OwnedFd();
    return fd;
}

}  // namespace telpher
