// The state file of a follower: which files it reads, in which order, and which record begins where in them. It is
// replaced as a whole, by rename and with fsync, so that a crash leaves the old or the new one. Used by one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "producer/file_identity.h"
#include "telpher/error.h"

namespace telpher {

/// A file that is, or was, read.
struct FollowedFile {
    std::string name;         ///< Without its folder, when it was last seen.
    FileIdentity identity;    ///< Taken when reading began.
    std::uint64_t first = 0;  ///< The number of its first record.
    // A record of it that is known to begin at an offset, and what lies before.
    std::uint64_t record = 0;
    std::uint64_t offset = 0;
    FileTail tail{};
    std::int64_t changed_ns = 0;  ///< When it was last written to, as far as it was seen; 0: not known.

    /// What it begins with, of the file that is read: files of a kind may begin with the same lines, and one that was
    /// cut and written anew may be shorter than it was.
    std::string head{};
    static constexpr std::size_t kHeadKept = 4096;

    /// As far as both go.
    [[nodiscard]] bool begins_like(int fd) const {
        if (head.empty()) return identity.begins_like(fd);
        const std::string now = head_of(fd, head.size());
        return head.compare(0, now.size(), now) == 0;
    }
    /// The open file is this one, and was not cut and written anew; it may have lost its end.
    [[nodiscard]] bool is(int fd) const {
        struct stat about {};
        return ::fstat(fd, &about) == 0 && identity.same_inode(about) && begins_like(fd) && tail.is_before(fd, offset);
    }
    /// The open file, another one, holds what this one held.
    [[nodiscard]] bool is_copied_in(int fd) const {
        const bool known = offset == 0 ? identity.head_bytes > 0 : tail.bytes > 0;
        return known && begins_like(fd) && tail.is_before(fd, offset);
    }
};

class FollowState {
public:
    /// `path`: of the state file. `owner` says what it belongs to (queue, name, source).
    FollowState(std::string path, std::string owner) : path_(std::move(path)), owner_(std::move(owner)) {}

    /// Reads the file; it need not be there. kConfig: it is not a state file, or it is another owner's.
    Result<void> load();
    Result<void> save() const;

    [[nodiscard]] const std::string& path() const { return path_; }

    std::deque<FollowedFile> files;  ///< Oldest first.

private:
    std::string path_;
    std::string owner_;
};

/// fsync of a folder: what was renamed in it stays so.
Result<void> sync_folder(const std::string& path);

/// Where the state of a producer of that name on that queue is kept unless it is told: in $STATE_DIRECTORY, else in
/// $XDG_STATE_HOME/telpher, else in ~/.local/state/telpher. The folder is made.
Result<std::string> default_state_path(const std::string& queue, const std::string& name);

}  // namespace telpher
