// A small file system of a test's own, in a mount namespace that only the test's thread and the processes that it
// starts from then on see; and somebody else's file on it that takes all room. Unmounted with the object.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "tests/support/temp_dir.h"

namespace telpher::test {

class SmallDisk {
public:
    /// `size` as mount(8) takes it for a tmpfs, "160m".
    explicit SmallDisk(const std::string& size);
    SmallDisk(const SmallDisk&) = delete;
    SmallDisk& operator=(const SmallDisk&) = delete;
    ~SmallDisk();

    /// Why there is none (it takes root, say); empty if there is.
    [[nodiscard]] const std::string& missing() const { return missing_; }
    [[nodiscard]] const std::filesystem::path& path() const { return dir_.path(); }

    /// Fills the disk up to its last `left` bytes. Throws std::runtime_error if it cannot even begin.
    void take_room(std::size_t left = 0) const;
    void give_room_back() const;

private:
    [[nodiscard]] std::filesystem::path hog() const { return path() / "hog"; }

    TempDir dir_;
    std::string missing_;
};

}  // namespace telpher::test
