#include "producer/file_identity.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

namespace telpher {
namespace {

/// XXH3 of the first `bytes` bytes; nothing if the file has not that many.
std::optional<std::uint64_t> hash_head(int fd, std::size_t bytes) {
    std::array<char, FileIdentity::kHeadBytes> head{};
    std::size_t got = 0;
    while (got < bytes) {
        const ssize_t read = ::pread(fd, head.data() + got, bytes - got, static_cast<off_t>(got));
        if (read < 0 && errno == EINTR) continue;
        if (read <= 0) return std::nullopt;
        got += static_cast<std::size_t>(read);
    }
    return XXH3_64bits(head.data(), bytes);
}

}  // namespace

Result<FileIdentity> FileIdentity::of(int fd) {
    struct stat about {};
    if (::fstat(fd, &about) != 0) return io_failure("fstat");
    FileIdentity identity;
    identity.device = about.st_dev;
    identity.inode = about.st_ino;
    identity.head_bytes = std::min<std::uint64_t>(static_cast<std::uint64_t>(about.st_size), kHeadBytes);
    const auto hash = hash_head(fd, identity.head_bytes);
    if (!hash) return fail(Code::kIo, "the file changes while its beginning is read");
    identity.head_hash = *hash;
    return identity;
}

bool FileIdentity::is(int fd) const {
    struct stat about {};
    if (::fstat(fd, &about) != 0 || !same_inode(about)) return false;
    return hash_head(fd, head_bytes) == std::optional(head_hash);
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
