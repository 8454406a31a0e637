// A folder of a test, removed with the object. Its path is short: a unix socket in it must fit in 107 bytes.
#pragma once

#include <filesystem>

namespace telpher::test {

class TempDir {
public:
    /// Makes the folder, mode 0700. Not in $TMPDIR: that may be long. Throws std::runtime_error if it cannot.
    explicit TempDir(const std::filesystem::path& parent = "/tmp");
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    ~TempDir();
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

}  // namespace telpher::test
