// The input at hand as a file, for parsers that take a path. One folder for a process, removed at its end.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "proto/base/check.h"
#include "tests/support/temp_dir.h"

namespace telpher::fuzz {

class InputFile {
public:
    explicit InputFile(const std::string& name) : path_(dir_.path() / name) {}

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    /// Its owner alone may read it, as it must be for secrets. Not cut to nothing first: file systems take that for a
    /// file that is replaced, and wait for the disk.
    void write(std::string_view bytes) const {
        const int fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
        TELPHER_CHECK(fd >= 0);
        TELPHER_CHECK(::pwrite(fd, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
        TELPHER_CHECK(::ftruncate(fd, static_cast<off_t>(bytes.size())) == 0);
        ::close(fd);
    }

private:
    test::TempDir dir_;
    std::filesystem::path path_;
};

}  // namespace telpher::fuzz
