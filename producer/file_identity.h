// What tells one file from another although it is renamed, and although its inode is used again later: device, inode
// and the beginning of its content. Values; any thread.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>

#include "telpher/error.h"

namespace telpher {

struct FileIdentity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t head_bytes = 0;  ///< So many bytes of the beginning, at most kHeadBytes, ...
    std::uint64_t head_hash = 0;   ///< ... have this XXH3.
    static constexpr std::size_t kHeadBytes = 256;

    /// Of an open file, as it is now.
    static Result<FileIdentity> of(int fd);
    /// The open file is the one this was taken of, perhaps longer by now.
    [[nodiscard]] bool is(int fd) const;
    /// What the open file begins with is what this one began with.
    [[nodiscard]] bool begins_like(int fd) const;
    [[nodiscard]] bool same_inode(const struct stat& about) const {
        return device == about.st_dev && inode == about.st_ino;
    }
};

/// A descriptor that closes itself.
class OwnedFd {
public:
    explicit OwnedFd(int fd = -1) : fd_(fd) {}
    OwnedFd(OwnedFd&& other) noexcept : fd_(other.release()) {}
    OwnedFd& operator=(OwnedFd&& other) noexcept;
    ~OwnedFd();
    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] bool valid() const { return fd_ >= 0; }
    int release();

private:
    int fd_;
};

/// What a file begins with, `bytes` of it at most; less if it has not so many.
std::string head_of(int fd, std::size_t bytes);

/// XXH3 of `bytes` bytes of a file from `offset` on, at most FileIdentity::kHeadBytes; nothing if it has not that many.
std::optional<std::uint64_t> hash_at(int fd, std::uint64_t offset, std::size_t bytes);

/// What lies before a place in a file: that it is still the same tells that the file was not cut and written anew.
struct FileTail {
    std::uint64_t bytes = 0;  ///< At most FileIdentity::kHeadBytes; 0: nothing is known.
    std::uint64_t hash = 0;

    static FileTail before(int fd, std::uint64_t offset);
    /// True as well if the file is shorter than that now: it has lost its end, which is another thing.
    [[nodiscard]] bool is_before(int fd, std::uint64_t offset) const;
};

/// kIo with what errno says.
tl::unexpected<Error> io_failure(const std::string& what);

/// Opens a regular file to read; invalid if there is none, or it is none.
OwnedFd open_regular(const std::string& path);

}  // namespace telpher
