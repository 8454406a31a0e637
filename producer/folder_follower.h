// The files that are moved into a folder, as records: a record a file, or a record a line. In the order of their names
// as far as they are there together. A file whose records are all stored is moved to the folder .done in it.
//
// What is found is written down, in its order, before a record of it is given out. A file is moved, and that made
// durable, before it is left out of what is written down; so after a crash it is in one place or the other.
//
// Files must be complete when they get their names: move them in. Names that begin with a dot, or end in .tmp or .part,
// are not looked at. One per folder; owned and used by one thread.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>

#include "producer/folder_watch.h"
#include "producer/follow_state.h"
#include "producer/record_reader.h"
#include "producer/record_source.h"

namespace telpher {

class FolderFollower final : public RecordSource {
public:
    using Note = std::function<void(const std::string&)>;

    /// `framing`: kWhole = a record a file.
    FolderFollower(std::string folder, Framing framing, FollowState state, Note note);

    /// Reads the state file; makes .done.
    Result<void> load();

    Result<void> seek(std::uint64_t number) override;
    Result<std::string_view> next(PutOptions& put) override;
    Result<void> stored_below(std::uint64_t number) override;
    Result<void> save() override { return state_.files.empty() ? Result<void>() : state_.save(); }
    void wait(int stop_fd, Millis at_most) override { watch_.wait(stop_fd, at_most); }

private:
    Result<std::string_view> next_record();
    Result<bool> open_next();
    Result<bool> scan();
    [[nodiscard]] OwnedFd locate(const FollowedFile& file) const;
    Result<void> move_done(std::size_t count);
    Result<void> move(const FollowedFile& file) const;

    const std::string folder_;
    const Framing framing_;
    FollowState state_;
    const Note note_;
    FolderWatch watch_;

    std::size_t next_file_ = 0;  // of state_.files: the next to be opened; the one before is open
    OwnedFd fd_;
    std::optional<RecordReader> reader_;
    std::uint64_t number_ = 0;  // of the next record
};

}  // namespace telpher
