#include "broker/log/posix_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <limits>
#include <system_error>

namespace telpher::log {
namespace {

constexpr std::size_t kPartsMax = 1024;  // IOV_MAX of Linux
constexpr mode_t kFileMode = 0640;
constexpr mode_t kDirMode = 0750;

tl::unexpected<Error> failed(const char* call, const std::string& path, int error) {
    const bool full = error == ENOSPC || error == EDQUOT;
    return fail(full ? Code::kDiskFull : Code::kIo,
                std::string(call) + " " + path + ": " + std::generic_category().message(error));
}

Result<off_t> offset_of(std::uint64_t position, const std::string& path) {
    if (position > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max()))
        return failed("seek", path, EOVERFLOW);
    return static_cast<off_t>(position);
}

/// Owns a descriptor.
class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    Descriptor& operator=(Descriptor&&) = delete;
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] int get() const { return fd_; }

private:
    int fd_;
};

class PosixFile final : public File {
public:
    PosixFile(Descriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

    Result<void> write_at(std::uint64_t position, std::span<const Bytes> parts) override {
        std::array<iovec, kPartsMax> vectors;
        std::size_t first = 0;  // part being written
        std::size_t skip = 0;   // bytes of it that are
        while (first < parts.size()) {
            const std::size_t count = std::min(parts.size() - first, kPartsMax);
            for (std::size_t i = 0; i < count; ++i) {
                const Bytes part = i == 0 ? parts[first].subspan(skip) : parts[first + i];
                vectors[i] = {const_cast<std::byte*>(part.data()), part.size()};
            }
            const auto at = offset_of(position, path_);
            if (!at) return fail(at.error());
            const ssize_t wrote = ::pwritev(fd_.get(), vectors.data(), static_cast<int>(count), *at);
            if (wrote < 0 && errno == EINTR) continue;
            if (wrote < 0) return failed("pwritev", path_, errno);
            position += static_cast<std::uint64_t>(wrote);
            std::size_t left = skip + static_cast<std::size_t>(wrote);
            while (first < parts.size() && left >= parts[first].size()) left -= parts[first++].size();
            skip = left;
        }
        return {};
    }

    void begin_write_back(std::uint64_t position, std::uint64_t bytes) override {
        const auto at = offset_of(position, path_);
        const auto count = offset_of(bytes, path_);
        if (at && count) static_cast<void>(::sync_file_range(fd_.get(), *at, *count, SYNC_FILE_RANGE_WRITE));
    }

    Result<void> sync() override {
        // Not even EINTR is tried again: after any failure nobody knows what the kernel still holds.
        if (::fdatasync(fd_.get()) != 0) return failed("fdatasync", path_, errno);
        return {};
    }

    Result<std::size_t> read_at(std::uint64_t position, MutableBytes into) const override {
        std::size_t got = 0;
        while (got < into.size()) {
            const auto at = offset_of(position + got, path_);
            if (!at) return fail(at.error());
            const ssize_t count = ::pread(fd_.get(), into.data() + got, into.size() - got, *at);
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) return failed("pread", path_, errno);
            if (count == 0) break;
            got += static_cast<std::size_t>(count);
        }
        return got;
    }

    Result<void> allocate(std::uint64_t size) override {
        const auto end = offset_of(size, path_);
        if (!end) return fail(end.error());
        int error = EINTR;
        while (error == EINTR) error = ::posix_fallocate(fd_.get(), 0, *end);
        if (error != 0) return failed("fallocate", path_, error);
        return {};
    }

    Result<void> truncate(std::uint64_t size) override {
        const auto end = offset_of(size, path_);
        if (!end) return fail(end.error());
        int error = EINTR;
        while (error == EINTR) error = ::ftruncate(fd_.get(), *end) == 0 ? 0 : errno;
        if (error != 0) return failed("ftruncate", path_, error);
        return {};
    }

    [[nodiscard]] Result<std::uint64_t> size() const override {
        struct stat status {};
        if (::fstat(fd_.get(), &status) != 0) return failed("fstat", path_, errno);
        return static_cast<std::uint64_t>(status.st_size);
    }

private:
    Descriptor fd_;
    const std::string path_;
};

std::string parent_of(const std::string& path) {
    const std::size_t slash = path.find_last_of('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

FileSystem& posix_file_system() {
    static PosixFileSystem files;
    return files;
}

Result<std::unique_ptr<File>> PosixFileSystem::create(const std::string& path) {
    Descriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, kFileMode));
    if (fd.get() < 0) return failed("create", path, errno);
    return std::make_unique<PosixFile>(std::move(fd), path);
}

Result<std::unique_ptr<File>> PosixFileSystem::open(const std::string& path, bool writable) {
    // Opening a FIFO that lies there would wait for somebody at its other end.
    Descriptor fd(::open(path.c_str(), (writable ? O_RDWR : O_RDONLY) | O_NONBLOCK | O_CLOEXEC));
    if (fd.get() < 0) return failed("open", path, errno);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return failed("fstat", path, errno);
    if (S_ISFIFO(status.st_mode)) return fail(Code::kIo, "open " + path + ": not a regular file");
    if (writable) {
        if (const int error = ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED); error != 0) {
            return failed("fadvise", path, error);
        }
    }
    return std::make_unique<PosixFile>(std::move(fd), path);
}

Result<std::unique_ptr<File>> PosixFileSystem::reuse(const std::string& path) {
    Descriptor fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (fd.get() < 0) return failed("open", path, errno);
    return std::make_unique<PosixFile>(std::move(fd), path);
}

Result<void> PosixFileSystem::rename(const std::string& from, const std::string& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) return failed("rename", from + " to " + to, errno);
    return {};
}

Result<void> PosixFileSystem::remove(const std::string& path) {
    if (::unlink(path.c_str()) != 0) return failed("unlink", path, errno);
    return {};
}

Result<std::vector<std::string>> PosixFileSystem::list(const std::string& dir) const {
    const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(dir.c_str()), ::closedir);
    if (open == nullptr) return failed("opendir", dir, errno);
    std::vector<std::string> names;
    for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(open.get());
        if (entry == nullptr) break;
        std::string name = entry->d_name;
        if (name != "." && name != "..") names.push_back(std::move(name));
    }
    if (errno != 0) return failed("readdir", dir, errno);
    std::sort(names.begin(), names.end());
    return names;
}

Result<void> PosixFileSystem::make_dir(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0) {
        if (!S_ISDIR(status.st_mode)) return failed("mkdir", path, ENOTDIR);
        return {};
    }
    const std::string parent = parent_of(path);
    if (parent != path) {
        if (auto done = make_dir(parent); !done) return done;
    }
    if (::mkdir(path.c_str(), kDirMode) != 0 && errno != EEXIST) return failed("mkdir", path, errno);
    return sync_dir(parent);
}

Result<void> PosixFileSystem::sync_dir(const std::string& path) {
    const Descriptor fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.get() < 0) return failed("open", path, errno);
    if (::fsync(fd.get()) != 0) return failed("fsync", path, errno);
    return {};
}

Result<std::uint64_t> PosixFileSystem::free_bytes(const std::string& dir) const {
    struct statvfs status {};
    if (::statvfs(dir.c_str(), &status) != 0) return failed("statvfs", dir, errno);
    return std::uint64_t{status.f_bavail} * status.f_frsize;
}

}  // namespace telpher::log
