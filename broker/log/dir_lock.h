// Keeps a second daemon out of a data directory: an flock on DIR/lock, which the kernel lets go of when the process
// dies, however it dies. Held by the daemon's main for as long as the logs are open; offline tools take it too.
#pragma once

#include <string>
#include <utility>

#include "telpher/error.h"

namespace telpher::log {

class DirLock {
public:
    /// Takes the lock of `dir`, which exists. kLocked names the holder's process id; kIo.
    static Result<DirLock> take(const std::string& dir);
    DirLock(DirLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    DirLock& operator=(DirLock&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    DirLock(const DirLock&) = delete;
    DirLock& operator=(const DirLock&) = delete;
    ~DirLock();

private:
    explicit DirLock(int fd) : fd_(fd) {}
    int fd_;
};

}  // namespace telpher::log
