// The quarantine: a folder inside the log folder that takes what recovery removes from the log (FORMAT.md), so that
// people can look at it. The broker writes it and never reads it again. It is bounded, and it is a courtesy: whoever
// cannot keep a thing here says so and goes on without. One thread, at start or in fsck.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "broker/log/file.h"
#include "proto/limits.h"

namespace telpher::log {

inline constexpr std::string_view kQuarantineName = "quarantine";
inline constexpr std::size_t kQuarantineFilesMax = 32;
inline constexpr std::uint64_t kQuarantineBytesMax = 256 * limits::kMiB;

class Quarantine {
public:
    Quarantine(FileSystem& files, std::string log_dir);

    /// Copies `bytes` bytes of `from`, from `at` on; durable when it returns. `what` becomes the end of the name.
    /// Returns the name within the log folder.
    Result<std::string> keep_copy(const File& from, std::uint64_t at, std::uint64_t bytes, std::string_view what);
    /// Moves a file of the log folder here. The caller syncs the log folder.
    Result<std::string> keep_file(const std::string& name, std::uint64_t bytes, std::string_view what);

private:
    /// Removes the oldest until there is room for one more. Returns the new one's name in the folder.
    Result<std::string> make_room(std::uint64_t bytes, std::string_view what);
    Result<void> copy(const File& from, std::uint64_t at, std::uint64_t bytes, const std::string& path);

    FileSystem& files_;
    const std::string log_dir_;
    const std::string dir_;
};

}  // namespace telpher::log
