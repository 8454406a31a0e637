// The machine's files behind the file seam. Every error carries the system call, the path and errno's text; a full disk
// is kDiskFull, all else kIo. Descriptors are closed on exec.
#pragma once

#include <string>

#include "broker/log/file.h"

namespace telpher::log {

class PosixFileSystem final : public FileSystem {
public:
    Result<std::unique_ptr<File>> create(const std::string& path) override;
    /// Opened for writing, cached pages of the file that are not dirty are dropped first: after a failed sync of an
    /// earlier process the kernel may hold clean pages that never reached the disk.
    Result<std::unique_ptr<File>> open(const std::string& path, bool writable) override;
    Result<std::unique_ptr<File>> reuse(const std::string& path) override;
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> remove(const std::string& path) override;
    [[nodiscard]] Result<std::vector<std::string>> list(const std::string& dir) const override;
    Result<void> make_dir(const std::string& path) override;
    Result<void> sync_dir(const std::string& path) override;
    [[nodiscard]] Result<std::uint64_t> free_bytes(const std::string& dir) const override;
};

}  // namespace telpher::log
