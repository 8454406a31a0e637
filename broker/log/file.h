// The file seam: the only way the log touches storage. PosixFileSystem is the real one; tests use one in memory that
// tears and drops what was not synced. A failed write or sync is final: the caller never retries it (the kernel may
// have marked the pages clean) and stops the shard.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "proto/base/bytes.h"
#include "telpher/error.h"

namespace telpher::log {

/// An open file. One thread writes; any thread may read what was synced.
class File {
public:
    virtual ~File() = default;
    /// Writes the parts one after the other from `position`; all or an error.
    virtual Result<void> write_at(std::uint64_t position, std::span<const Bytes> parts) = 0;
    /// Lets the disk begin with what was written there. A hint: nothing is durable for it, and errors are told by
    /// sync().
    virtual void begin_write_back(std::uint64_t position, std::uint64_t bytes) = 0;
    /// Makes every finished write durable (fdatasync).
    virtual Result<void> sync() = 0;
    /// Reads up to `into.size()` bytes; fewer only at the end of the file.
    virtual Result<std::size_t> read_at(std::uint64_t position, MutableBytes into) const = 0;
    /// Reserves the file's blocks up to `size` so that later writes cannot meet a full disk.
    virtual Result<void> allocate(std::uint64_t size) = 0;
    /// Cuts the file to `size`, which it has at least.
    virtual Result<void> truncate(std::uint64_t size) = 0;
    [[nodiscard]] virtual Result<std::uint64_t> size() const = 0;
};

/// A directory tree. Thread-safe.
class FileSystem {
public:
    virtual ~FileSystem() = default;
    virtual Result<std::unique_ptr<File>> create(const std::string& path) = 0;  ///< Fails if it exists.
    /// Opened for writing, what a failed sync left in memory only is not seen any more.
    virtual Result<std::unique_ptr<File>> open(const std::string& path, bool writable) = 0;
    /// Opened for writing by somebody who reads nothing of it that he has not written: what is in memory stays there.
    virtual Result<std::unique_ptr<File>> reuse(const std::string& path) = 0;
    virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
    virtual Result<void> remove(const std::string& path) = 0;
    virtual Result<std::vector<std::string>> list(const std::string& dir) const = 0;  ///< Names, sorted.
    virtual Result<void> make_dir(const std::string& path) = 0;                       ///< Parents too; there is fine.
    virtual Result<void> sync_dir(const std::string& path) = 0;                       ///< Makes names durable.
    virtual Result<std::uint64_t> free_bytes(const std::string& dir) const = 0;
};

/// The machine's file system; lives as long as the process.
FileSystem& posix_file_system();

}  // namespace telpher::log
