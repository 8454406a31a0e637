// The records of a file that grows, is rotated (by rename, or cut to nothing) and goes on under the same name, as one
// row of records. One per followed file; owned and used by one thread, which tells it when to look.
//
// It writes down each file before it gives out the first record of it. So a record that was given out lies in a file
// that is written down, and where a file ends that has a successor is known for good.
//
// The last line of a file waits for its end of line as long as the file is the newest; once there is a newer one with
// something in it, it is a record as it is. A writer must have done with the old file when it begins to write to the
// new one.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "producer/folder_watch.h"
#include "producer/follow_state.h"
#include "producer/record_source.h"
#include "proto/base/clock.h"

namespace telpher {

class FileFollower final : public RecordSource {
public:
    /// What people should know: that something is gone.
    using Note = std::function<void(const std::string&)>;

    /// `path`: of the file, which need not be there yet. `delimiter` ends a record.
    FileFollower(std::string path, char delimiter, FollowState state, const Clock& clock, Note note);

    /// Reads the state file.
    Result<void> load() { return state_.load(); }

    Result<void> seek(std::uint64_t number) override;
    Result<std::string_view> next(PutOptions& put) override;
    Result<void> stored_below(std::uint64_t number) override;
    Result<void> save() override;
    void wait(int stop_fd, Millis at_most) override { watch_.wait(stop_fd, at_most); }

private:
    /// A place in a file where a record begins.
    struct Mark {
        std::uint64_t file_first;  ///< Says which file.
        std::uint64_t record;
        std::uint64_t offset;
        FileTail tail;
    };
    /// What there is at the end of a file.
    enum class Step : std::uint8_t { kNothing, kAgain, kRest };
    /// A file that may come next.
    struct Candidate {
        std::string name;
        OwnedFd fd;
    };

    [[nodiscard]] FollowedFile& current() { return state_.files[at_]; }
    [[nodiscard]] bool is_newest() const { return at_ + 1 == state_.files.size(); }
    [[nodiscard]] std::uint64_t end() const { return is_newest() ? UINT64_MAX : state_.files[at_ + 1].first; }
    [[nodiscard]] OwnedFd locate(const FollowedFile& file) const;
    OwnedFd locate_copy(FollowedFile& file);
    void open_at(std::size_t index, OwnedFd fd, std::uint64_t record, std::uint64_t offset);
    Result<void> open_for(std::uint64_t number);
    Result<void> skip_to(std::uint64_t number);
    Result<void> end_here(std::uint64_t number);
    void renumber(std::size_t from, std::uint64_t first);

    static void place(FollowedFile& file, const Mark& mark);
    void note_unreadable();
    Result<bool> begin_first();
    Result<bool> begin_after(std::int64_t changed);
    [[nodiscard]] std::optional<Candidate> oldest_after(std::int64_t changed) const;
    [[nodiscard]] bool came_after(const FollowedFile& file, std::uint64_t number) const;
    Result<std::string_view> next_record();
    std::optional<std::string_view> take_record();
    std::string_view take_rest();
    Result<bool> fill();
    void know_head();
    [[nodiscard]] bool was_cut() const;
    Result<Step> go_on();
    Result<Step> go_on_known();
    Result<void> register_next(Candidate next);
    [[nodiscard]] std::optional<Candidate> successor() const;
    [[nodiscard]] std::optional<Candidate> in_family() const;
    [[nodiscard]] std::string name_of_current() const;
    void note_mark();

    const std::string folder_;
    const std::string base_;  // the name of the file in it
    const char delimiter_;
    FollowState state_;
    const Clock& clock_;
    const Note note_;
    FolderWatch watch_;

    bool known_ = false;  // there was a state
    std::size_t at_ = 0;  // of state_.files: the one that is open
    OwnedFd fd_;
    std::uint64_t number_ = 0;     // of the next record
    std::uint64_t offset_ = 0;     // of buffer_ in the file
    std::string buffer_;           // read, not given out but for the first begin_ bytes
    std::size_t begin_ = 0;        // of the next record
    std::size_t scanned_ = 0;      // from begin_: known to hold no delimiter
    std::uint64_t size_seen_ = 0;  // of the file, when it was read to its end, ...
    FileTail end_seen_;            // ... and what lay there
    bool unreadable_told_ = false;
    std::int64_t after_ns_ = 0;  // what was written to before that is known; 0: nothing is
    std::deque<Mark> marks_;     // given out, not known to be stored
    bool dirty_ = false;
    Instant saved_at_;
};

}  // namespace telpher
