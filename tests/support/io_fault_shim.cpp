// Preloaded into a program: numbers the calls that change files below one folder, and lets one of them fail. Told by
// the environment:
//
//   IO_FAULT_DIR      the folder
//   IO_FAULT_REPORT   file that gets a line for each call with IO_FAULT_TRACE, else for the one that failed:
//                     `call N NAME PATH` or `injected N NAME PATH`; N counts from 1
//   IO_FAULT_AT       the number of the call to fail; 0 or absent: none
//   IO_FAULT_KIND     eio, enospc, or short: half of the bytes are written, and said to be (not of calls that write
//                     nothing)
//   IO_FAULT_STICKY   set: every later call fails, too
//
// Thread-safe; keeps nothing but a table of the folder's descriptors.

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr std::size_t kDescriptorsMax = 65'536;

enum class Kind { kNone, kEio, kEnospc, kShort };

std::string from_env(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

Kind kind_from_env() {
    const std::string kind = from_env("IO_FAULT_KIND");
    return kind == "eio" ? Kind::kEio : kind == "enospc" ? Kind::kEnospc : kind == "short" ? Kind::kShort : Kind::kNone;
}

/// What a call is to do.
enum class Fate { kDo, kFail, kHalve };

class Shim {
public:
    static Shim& get() {
        static Shim* const shim = new Shim();  // never destroyed: files are closed by destructors that run later
        return *shim;
    }

    [[nodiscard]] bool below(const char* path) const {
        return !dir_.empty() && std::strncmp(path, dir_.c_str(), dir_.size()) == 0;
    }
    void opened(int fd, const char* path) {
        if (fd >= 0 && static_cast<std::size_t>(fd) < kDescriptorsMax)
            known_[static_cast<std::size_t>(fd)] = below(path);
    }
    void closed(int fd) {
        if (fd >= 0 && static_cast<std::size_t>(fd) < kDescriptorsMax) known_[static_cast<std::size_t>(fd)] = false;
    }
    [[nodiscard]] bool known(int fd) const {
        return fd >= 0 && static_cast<std::size_t>(fd) < kDescriptorsMax && known_[static_cast<std::size_t>(fd)];
    }

    /// Counts the call and says what becomes of it; if it is to fail, errno says why.
    Fate fate(const char* name, const std::string& path, bool writes) {
        const std::uint64_t number = ++calls_;
        const bool hit = kind_ != Kind::kNone && at_ != 0 && (sticky_ ? number >= at_ : number == at_);
        if (!hit || (kind_ == Kind::kShort && !writes)) {
            if (trace_) report("call", number, name, path);
            return Fate::kDo;
        }
        report("injected", number, name, path);
        if (kind_ == Kind::kShort) return Fate::kHalve;
        errno = kind_ == Kind::kEio ? EIO : ENOSPC;
        return Fate::kFail;
    }
    Fate fate(const char* name, int fd, bool writes) {
        std::array<char, 4096> path{};
        const std::string link = "/proc/self/fd/" + std::to_string(fd);
        const ssize_t bytes = ::readlink(link.c_str(), path.data(), path.size());
        return fate(name, std::string(path.data(), bytes > 0 ? static_cast<std::size_t>(bytes) : 0), writes);
    }

private:
    Shim()
        : dir_(from_env("IO_FAULT_DIR")),
          at_(std::strtoull(from_env("IO_FAULT_AT").c_str(), nullptr, 10)),
          kind_(kind_from_env()),
          sticky_(!from_env("IO_FAULT_STICKY").empty()),
          trace_(!from_env("IO_FAULT_TRACE").empty()) {
        const std::string path = from_env("IO_FAULT_REPORT");
        report_ = static_cast<int>(
            ::syscall(SYS_openat, AT_FDCWD, path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    }

    void report(const char* what, std::uint64_t number, const char* name, const std::string& path) const {
        const std::string line = std::string(what) + " " + std::to_string(number) + " " + name + " " + path + "\n";
        [[maybe_unused]] const auto written = ::syscall(SYS_write, report_, line.data(), line.size());
    }

    const std::string dir_;
    const std::uint64_t at_;
    const Kind kind_;
    const bool sticky_;
    const bool trace_;
    int report_ = -1;
    std::atomic<std::uint64_t> calls_{0};
    std::array<std::atomic<bool>, kDescriptorsMax> known_{};
};

/// The function of that name which this one hides.
template <class Function>
Function* next(const char* name) {
    return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

int open_file(const char* name, const char* path, int flags, mode_t mode) {
    Shim& shim = Shim::get();
    const bool makes = (flags & O_CREAT) != 0 && shim.below(path);
    if (makes && shim.fate(name, std::string(path), false) == Fate::kFail) return -1;
    const int fd = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
    shim.opened(fd, path);
    return fd;
}

mode_t mode_of(int flags, va_list arguments) {
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : mode_t{0};
}

/// The first half of the bytes.
std::vector<iovec> half_of(const iovec* parts, int count) {
    std::size_t left = 0;
    for (int i = 0; i < count; ++i) left += parts[i].iov_len;
    left /= 2;
    std::vector<iovec> half;
    for (int i = 0; i < count && left > 0; ++i) {
        half.push_back({parts[i].iov_base, std::min(left, parts[i].iov_len)});
        left -= half.back().iov_len;
    }
    return half;
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return open_file("open", path, flags, mode);
}

int open64(const char* path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return open_file("open", path, flags, mode);
}

int close(int fd) {
    static auto* const real = next<int(int)>("close");
    Shim::get().closed(fd);
    return real(fd);
}

ssize_t write(int fd, const void* bytes, size_t count) {
    static auto* const real = next<ssize_t(int, const void*, size_t)>("write");
    Shim& shim = Shim::get();
    const Fate fate = shim.known(fd) ? shim.fate("write", fd, true) : Fate::kDo;
    if (fate == Fate::kFail) return -1;
    return real(fd, bytes, fate == Fate::kHalve ? count / 2 : count);
}

ssize_t pwrite(int fd, const void* bytes, size_t count, off_t at) {
    static auto* const real = next<ssize_t(int, const void*, size_t, off_t)>("pwrite");
    Shim& shim = Shim::get();
    const Fate fate = shim.known(fd) ? shim.fate("pwrite", fd, true) : Fate::kDo;
    if (fate == Fate::kFail) return -1;
    return real(fd, bytes, fate == Fate::kHalve ? count / 2 : count, at);
}

ssize_t pwritev(int fd, const iovec* parts, int count, off_t at) {
    static auto* const real = next<ssize_t(int, const iovec*, int, off_t)>("pwritev");
    Shim& shim = Shim::get();
    const Fate fate = shim.known(fd) ? shim.fate("pwritev", fd, true) : Fate::kDo;
    if (fate == Fate::kFail) return -1;
    if (fate == Fate::kDo) return real(fd, parts, count, at);
    const std::vector<iovec> half = half_of(parts, count);
    return real(fd, half.data(), static_cast<int>(half.size()), at);
}

int fsync(int fd) {
    static auto* const real = next<int(int)>("fsync");
    Shim& shim = Shim::get();
    if (shim.known(fd) && shim.fate("fsync", fd, false) == Fate::kFail) return -1;
    return real(fd);
}

int fdatasync(int fd) {
    static auto* const real = next<int(int)>("fdatasync");
    Shim& shim = Shim::get();
    if (shim.known(fd) && shim.fate("fdatasync", fd, false) == Fate::kFail) return -1;
    return real(fd);
}

int posix_fallocate(int fd, off_t from, off_t bytes) {
    static auto* const real = next<int(int, off_t, off_t)>("posix_fallocate");
    Shim& shim = Shim::get();
    if (shim.known(fd) && shim.fate("posix_fallocate", fd, false) == Fate::kFail) return errno;
    return real(fd, from, bytes);
}

int ftruncate(int fd, off_t size) noexcept {
    static auto* const real = next<int(int, off_t)>("ftruncate");
    Shim& shim = Shim::get();
    if (shim.known(fd) && shim.fate("ftruncate", fd, false) == Fate::kFail) return -1;
    return real(fd, size);
}

int rename(const char* from, const char* to) noexcept {
    static auto* const real = next<int(const char*, const char*)>("rename");
    Shim& shim = Shim::get();
    if (shim.below(to) && shim.fate("rename", std::string(to), false) == Fate::kFail) return -1;
    return real(from, to);
}

int unlink(const char* path) noexcept {
    static auto* const real = next<int(const char*)>("unlink");
    Shim& shim = Shim::get();
    if (shim.below(path) && shim.fate("unlink", std::string(path), false) == Fate::kFail) return -1;
    return real(path);
}

int mkdir(const char* path, mode_t mode) noexcept {
    static auto* const real = next<int(const char*, mode_t)>("mkdir");
    Shim& shim = Shim::get();
    if (shim.below(path) && shim.fate("mkdir", std::string(path), false) == Fate::kFail) return -1;
    return real(path, mode);
}

}  // extern "C"
