#include "producer/file_follower.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "proto/limits.h"

namespace telpher {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kReadBytes = 256 * limits::kKiB;
/// A record is remembered as a place to begin after so many.
constexpr std::uint64_t kMarkEvery = 256;
constexpr Duration kSaveEvery = 1s;
/// Older files are forgotten when what follows on them is stored.
constexpr std::size_t kFilesKept = 16;

std::string folder_of(const std::string& path) {
    const auto folder = std::filesystem::path(path).parent_path();
    return folder.empty() ? "." : folder.string();
}

/// N of "NAME.N"; 0: `name` is not of this kind.
unsigned rotation_of(std::string_view name, std::string_view base) {
    if (!name.starts_with(base) || name.size() < base.size() + 2 || name[base.size()] != '.') return 0;
    name.remove_prefix(base.size() + 1);
    unsigned number = 0;
    const auto read = std::from_chars(name.data(), name.data() + name.size(), number);
    return read.ec == std::errc() && read.ptr == name.data() + name.size() ? number : 0;
}

/// What logrotate and its like add to a name: a number, a date, or "old". Nothing else is a rotated file: a state file
/// of ours may lie beside it, or the swap file of an editor.
bool is_rotation(std::string_view added) {
    if (added.empty() || added == ".old") return true;
    if (added.size() < 2 || (added[0] != '.' && added[0] != '-')) return false;
    return added.find_first_not_of("0123456789.-_:T") == std::string_view::npos;
}

/// Names like `base`, `base`.1 or `base`-20260131 in `folder`.
std::vector<std::string> family(const std::string& folder, const std::string& base) {
    const std::unique_ptr<DIR, int (*)(DIR*)> list(::opendir(folder.c_str()), &::closedir);
    std::vector<std::string> names;
    while (list != nullptr) {
        const dirent* entry = ::readdir(list.get());  // NOLINT(concurrency-mt-unsafe): a stream of our own
        if (entry == nullptr) break;
        const std::string name = entry->d_name;
        if (name.starts_with(base) && is_rotation(name.substr(base.size()))) names.push_back(name);
    }
    return names;
}

std::uint64_t size_of(int fd) {
    struct stat about {};
    return ::fstat(fd, &about) == 0 ? static_cast<std::uint64_t>(about.st_size) : 0;
}

std::int64_t changed_ns(const struct stat& about) {
    return std::int64_t{about.st_mtim.tv_sec} * 1'000'000'000 + about.st_mtim.tv_nsec;
}

}  // namespace

FileFollower::FileFollower(std::string path, char delimiter, FollowState state, const Clock& clock, Note note)
    : folder_(folder_of(path)),
      base_(std::filesystem::path(path).filename()),
      delimiter_(delimiter),
      state_(std::move(state)),
      clock_(clock),
      note_(std::move(note)),
      watch_(folder_) {}

// --- going to a record ---

Result<void> FileFollower::seek(std::uint64_t number) {
    marks_.clear();
    fd_ = OwnedFd();
    number_ = 0;
    known_ = !state_.files.empty();
    if (!known_) {
        const auto begun = begin_first();
        if (!begun) return fail(begun.error());
        if (number > 0)
            note_("no state file: the first " + std::to_string(number) + " records of " + base_ + " are taken as put");
        if (!*begun && number > 0) return fail(Code::kIo, base_ + ": not there, but records of it are stored");
        return skip_to(number);
    }
    if (auto opened = open_for(number); !opened) return opened;
    return skip_to(number);
}

/// Opens the file that has the record, or, if it is gone, the one that follows on it.
Result<void> FileFollower::open_for(std::uint64_t number) {
    auto& files = state_.files;
    if (files.front().first > number) {
        note_(base_ + ": records " + std::to_string(number) + " to " + std::to_string(files.front().first - 1) +
              " were in files that are not known any more");
        renumber(0, number);
    }
    for (std::size_t i = 0; i < files.size(); ++i) {
        if (i + 1 < files.size() && files[i + 1].first <= number) continue;
        OwnedFd fd = locate(files[i]);
        if (fd.valid() && i + 1 == files.size() && came_after(files[i], number)) break;
        const auto lost_end = [&] { return size_of(fd.get()) < files[i].offset; };
        if (!fd.valid() || lost_end()) {
            // Cut, or without its end since a crash: unless what it held lies beside it.
            if (OwnedFd copy = locate_copy(files[i]); copy.valid()) fd = std::move(copy);
        }
        if (fd.valid()) {
            const bool known = files[i].record <= number && !lost_end();
            open_at(i, std::move(fd), known ? files[i].record : files[i].first, known ? files[i].offset : 0);
            return {};
        }
        note_(base_ + ": a file of it is gone, and what was in it from record " + std::to_string(number) + " on");
        if (i + 1 < files.size()) renumber(i + 1, number);
    }
    // None of them is left: what was written after them begins with this record.
    number_ = number;
    const auto begun = begin_after(files.back().changed_ns);
    return begun ? Result<void>() : fail(begun.error());
}

/// Nothing was in the file when it was seen last, and a rotated one that nobody saw is newer than that: a copy of it.
bool FileFollower::came_after(const FollowedFile& file, std::uint64_t number) const {
    const bool empty = file.head.empty() && file.identity.head_bytes == 0 && file.offset == 0 && file.first == number;
    return empty && file.name == base_ && oldest_after(file.changed_ns).has_value();
}

/// Forgets the files that are gone. Of those that came after them the oldest is next: it may have been rotated too.
Result<bool> FileFollower::begin_after(std::int64_t changed) {
    state_.files.clear();
    fd_ = OwnedFd();
    after_ns_ = changed;
    return begin_first();
}

/// The oldest rotated file that was written to after that.
auto FileFollower::oldest_after(std::int64_t changed) const -> std::optional<Candidate> {
    if (changed == 0) return std::nullopt;
    std::optional<Candidate> oldest;
    std::int64_t oldest_ns = INT64_MAX;
    for (const std::string& name : family(folder_, base_)) {
        OwnedFd fd = open_regular(folder_ + "/" + name);
        struct stat about {};
        if (name == base_ || !fd.valid() || ::fstat(fd.get(), &about) != 0) continue;
        if (changed_ns(about) <= changed || changed_ns(about) >= oldest_ns) continue;
        oldest_ns = changed_ns(about);
        oldest = Candidate{name, std::move(fd)};
    }
    return oldest;
}

/// What follows on something that is gone moves up.
void FileFollower::renumber(std::size_t from, std::uint64_t first) {
    const std::uint64_t by = state_.files[from].first - first;
    for (std::size_t i = from; i < state_.files.size(); ++i) {
        state_.files[i].first -= by;
        state_.files[i].record -= by;
    }
    marks_.clear();
    dirty_ = true;
}

Result<void> FileFollower::skip_to(std::uint64_t number) {
    while (number_ < number) {
        const auto record = next_record();
        if (record) continue;
        if (record.error().code() != Code::kEmpty) return fail(record.error());
        if (known_ && fd_.valid()) return end_here(number);
        return fail(Code::kIo, base_ + " has " + std::to_string(number_) + " records, but " + std::to_string(number) +
                                   " are stored: it is not the file that was followed under this name");
    }
    return {};
}

/// The file has lost its end, in a crash of this machine say, after that was stored.
Result<void> FileFollower::end_here(std::uint64_t number) {
    note_(base_ + ": records " + std::to_string(number_) + " to " + std::to_string(number - 1) +
          " are stored, but not in the file any more");
    number_ = number;
    const std::uint64_t offset = offset_ + begin_;
    place(current(), {current().first, number, offset, FileTail::before(fd_.get(), offset)});
    current().head = head_of(fd_.get(), FollowedFile::kHeadKept);  // what follows is other than what was there
    marks_.clear();
    return save();
}

void FileFollower::place(FollowedFile& file, const Mark& mark) {
    file.record = mark.record;
    file.offset = mark.offset;
    file.tail = mark.tail;
}

OwnedFd FileFollower::locate(const FollowedFile& file) const {
    std::vector<std::string> names = family(folder_, base_);
    names.insert(names.begin(), file.name);
    for (const std::string& name : names) {
        OwnedFd fd = open_regular(folder_ + "/" + name);
        if (fd.valid() && file.is(fd.get())) return fd;
    }
    return OwnedFd();
}

/// `copytruncate` while nobody looked: the file was cut, but what it held lies beside it.
OwnedFd FileFollower::locate_copy(FollowedFile& file) {
    for (const std::string& name : family(folder_, base_)) {
        OwnedFd fd = open_regular(folder_ + "/" + name);
        struct stat about {};
        if (name == base_ || !fd.valid() || ::fstat(fd.get(), &about) != 0) continue;
        if (static_cast<std::uint64_t>(about.st_size) < file.offset || !file.is_copied_in(fd.get())) continue;
        const auto identity = FileIdentity::of(fd.get());
        if (!identity) continue;
        file.name = name;
        file.identity = *identity;
        dirty_ = true;
        return fd;
    }
    return OwnedFd();
}

void FileFollower::open_at(std::size_t index, OwnedFd fd, std::uint64_t record, std::uint64_t offset) {
    at_ = index;
    fd_ = std::move(fd);
    number_ = record;
    offset_ = offset;
    buffer_.clear();
    begin_ = 0;
    scanned_ = 0;
    size_seen_ = 0;
    note_mark();
}

/// Begins with what has the name now; false: nothing has.
Result<bool> FileFollower::begin_first() {
    if (auto oldest = oldest_after(after_ns_)) {
        after_ns_ = 0;
        auto registered = register_next(std::move(*oldest));
        if (!registered) return fail(registered.error());
        return true;
    }
    OwnedFd fd = open_regular(folder_ + "/" + base_);
    if (!fd.valid()) {
        note_unreadable();
        return false;
    }
    after_ns_ = 0;
    auto registered = register_next({base_, std::move(fd)});
    if (!registered) return fail(registered.error());
    return true;
}

/// Once: what has the name can be waited for, but not without a word.
void FileFollower::note_unreadable() {
    const std::string path = folder_ + "/" + base_;
    struct stat about {};
    if (std::exchange(unreadable_told_, true)) return;
    if (::stat(path.c_str(), &about) != 0) {
        unreadable_told_ = errno != ENOENT;
        if (unreadable_told_) note_(path + ": " + std::strerror(errno) + "; waiting");
    } else if (!S_ISREG(about.st_mode)) {
        note_(path + " is no regular file; waiting for one");
    } else if (::access(path.c_str(), R_OK) != 0) {
        note_(path + ": " + std::strerror(errno) + "; waiting");
    } else {
        unreadable_told_ = false;  // it has just come
    }
}

// --- records ---

Result<std::string_view> FileFollower::next(PutOptions& /*put*/) { return next_record(); }

Result<std::string_view> FileFollower::next_record() {
    for (;;) {
        if (!fd_.valid()) {
            const auto begun = begin_first();
            if (!begun) return fail(begun.error());
            if (!*begun) return fail(Code::kEmpty);
        }
        if (number_ < end()) {
            if (const auto record = take_record()) return *record;
            if (buffer_.size() - begin_ > limits::kMessageBytesMax)
                return fail(Code::kTooLarge, base_ + ": the record at byte " + std::to_string(offset_ + begin_));
            const auto more = fill();
            if (!more) return fail(more.error());
            if (*more) continue;
        }
        const auto step = go_on();
        if (!step) return fail(step.error());
        if (*step == Step::kRest) return take_rest();
        if (*step == Step::kNothing) return fail(Code::kEmpty);
    }
}

std::optional<std::string_view> FileFollower::take_record() {
    const std::string_view rest = std::string_view(buffer_).substr(begin_);
    const std::size_t size = rest.find(delimiter_, scanned_);
    if (size == std::string_view::npos) {
        scanned_ = rest.size();
        return std::nullopt;
    }
    if (size > limits::kMessageBytesMax) return std::nullopt;  // refused by the caller
    scanned_ = 0;
    begin_ += size + 1;
    ++number_;
    if (number_ % kMarkEvery == 0) note_mark();
    return rest.substr(0, size);
}

/// The last record of a file, which has no end of line.
std::string_view FileFollower::take_rest() {
    const std::string_view rest = std::string_view(buffer_).substr(begin_);
    begin_ = buffer_.size();
    scanned_ = 0;
    ++number_;
    return rest;
}

void FileFollower::note_mark() {
    if (state_.files.empty()) return;
    const std::uint64_t offset = offset_ + begin_;
    marks_.push_back({current().first, number_, offset, FileTail::before(fd_.get(), offset)});
}

/// Reads once. False: nothing is there now.
Result<bool> FileFollower::fill() {
    offset_ += begin_;
    buffer_.erase(0, begin_);
    begin_ = 0;
    const std::size_t held = buffer_.size();
    if (size_seen_ > 0 && was_cut()) return false;
    buffer_.resize(held + kReadBytes);
    ssize_t got = 0;
    do {
        got = ::pread(fd_.get(), buffer_.data() + held, kReadBytes, static_cast<off_t>(offset_ + held));
    } while (got < 0 && errno == EINTR);
    buffer_.resize(held + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0) return io_failure(base_);
    if (got == 0 && size_seen_ == 0 && size_of(fd_.get()) < offset_ + held)
        note_(base_ + ": was cut before all of it was read");
    size_seen_ = got == 0 ? offset_ + held : 0;
    if (got == 0) {
        end_seen_ = FileTail::before(fd_.get(), size_seen_);
        know_head();
        const std::uint64_t marked = marks_.empty() ? current().record : marks_.back().record;
        if (marked != number_) note_mark();
    }
    return got > 0;
}

/// What a file begins with tells it from others, once there is enough of it.
void FileFollower::know_head() {
    FollowedFile& file = current();
    if (file.head.size() == FollowedFile::kHeadKept) return;
    std::string head = head_of(fd_.get(), FollowedFile::kHeadKept);
    if (head.size() <= file.head.size()) return;
    const auto identity = FileIdentity::of(fd_.get());
    if (!identity) return;
    const bool first = file.head.empty();
    file.identity = *identity;
    file.head = std::move(head);
    dirty_ = true;
    // At once: after a crash an empty head would be that of any file with this inode.
    if (first) static_cast<void>(save());
}

/// The file was cut to nothing, and perhaps written anew, since it was read to its end.
bool FileFollower::was_cut() const {
    struct stat about {};
    if (::fstat(fd_.get(), &about) != 0) return false;
    const std::uint64_t size = static_cast<std::uint64_t>(about.st_size);
    const std::uint64_t read = offset_ + buffer_.size();
    if (size < read) return true;
    // Cut and written anew, to any size.
    const FollowedFile& file = state_.files[at_];
    return !file.begins_like(fd_.get()) || (size_seen_ > 0 && !end_seen_.is_before(fd_.get(), size_seen_));
}

// --- from file to file ---

/// At the end of what is open: goes on with the next file, unless what is left of this one is a record by itself.
auto FileFollower::go_on() -> Result<Step> {
    if (!is_newest()) return go_on_known();
    auto next = successor();
    if (!next) return Step::kNothing;
    // Written between our last look at this file and the first at the next one.
    const auto more = was_cut() ? Result<bool>(false) : fill();
    if (!more) return fail(more.error());
    if (*more) return Step::kAgain;
    if (begin_ < buffer_.size()) return Step::kRest;
    auto registered = register_next(std::move(*next));
    if (!registered) return fail(registered.error());
    return Step::kAgain;
}

/// The same where it is known which record is the first of the next file.
auto FileFollower::go_on_known() -> Result<Step> {
    if (number_ < end()) {
        if (begin_ < buffer_.size()) return Step::kRest;
        note_(base_ + ": a file of it has become shorter; records from " + std::to_string(number_) + " on are gone");
        renumber(at_ + 1, number_);
    }
    for (std::size_t next = at_ + 1; next < state_.files.size(); ++next) {
        OwnedFd fd = locate(state_.files[next]);
        if (fd.valid()) {
            open_at(next, std::move(fd), number_, 0);
            return Step::kAgain;
        }
        note_(base_ + ": a file of it is gone, and what was in it from record " + std::to_string(number_) + " on");
        if (next + 1 < state_.files.size()) renumber(next + 1, number_);
    }
    const auto begun = begin_after(state_.files.back().changed_ns);
    if (!begun) return fail(begun.error());
    return *begun ? Step::kAgain : Step::kNothing;
}

Result<void> FileFollower::register_next(Candidate next) {
    const auto identity = FileIdentity::of(next.fd.get());
    if (!identity) return fail(identity.error());
    FollowedFile file;
    file.name = next.name;
    file.identity = *identity;
    file.first = number_;
    file.record = number_;
    struct stat about {};
    if (::fstat(next.fd.get(), &about) == 0) file.changed_ns = changed_ns(about);
    if (!state_.files.empty()) state_.files.back().head.clear();  // it changes no more
    state_.files.push_back(std::move(file));
    if (auto saved = state_.save(); !saved) return saved;
    dirty_ = false;
    open_at(state_.files.size() - 1, std::move(next.fd), number_, 0);
    return {};
}

/// The file that follows on the open one, which has something in it.
std::optional<FileFollower::Candidate> FileFollower::successor() const {
    if (was_cut()) {
        OwnedFd same = open_regular(folder_ + "/" + base_);
        struct stat about {};
        const bool there = same.valid() && ::fstat(same.get(), &about) == 0 && about.st_size > 0;
        if (there && state_.files[at_].identity.same_inode(about)) return Candidate{base_, std::move(same)};
        return there ? in_family() : std::nullopt;
    }
    return in_family();
}

std::optional<FileFollower::Candidate> FileFollower::in_family() const {
    struct stat here {};
    if (::fstat(fd_.get(), &here) != 0) return std::nullopt;
    const std::string called = name_of_current();
    const unsigned rotation = rotation_of(called, base_);
    struct Found {
        std::int64_t changed;
        Candidate file;
    };
    std::optional<Found> best;
    for (const std::string& name : family(folder_, base_)) {
        OwnedFd fd = open_regular(folder_ + "/" + name);
        struct stat about {};
        if (!fd.valid() || ::fstat(fd.get(), &about) != 0) continue;
        if (about.st_ino == here.st_ino && about.st_dev == here.st_dev) {
            if (name == base_) return std::nullopt;  // the newest
            continue;
        }
        if (name == base_ && about.st_size == 0) continue;  // its writer may still write to the old one
        const bool is_next = rotation > 1 && rotation_of(name, base_) == rotation - 1;
        const bool newer = name == base_ || is_next || (rotation == 0 && changed_ns(about) > changed_ns(here));
        const std::int64_t changed = name == base_ ? INT64_MAX : is_next ? INT64_MIN : changed_ns(about);
        if (newer && (!best || changed < best->changed)) best = Found{changed, {name, std::move(fd)}};
    }
    // Rotated while we looked: what is next has another name now, or another file has this one.
    if (!best || name_of_current() != called) return std::nullopt;
    return std::move(best->file);
}

/// What the open file is called now; empty: it has no name in its folder any more.
std::string FileFollower::name_of_current() const {
    struct stat here {};
    if (::fstat(fd_.get(), &here) != 0) return {};
    for (const std::string& name : family(folder_, base_)) {
        struct stat about {};
        const bool there = ::stat((folder_ + "/" + name).c_str(), &about) == 0;
        if (there && about.st_ino == here.st_ino && about.st_dev == here.st_dev) return name;
    }
    return {};
}

// --- what is stored ---

Result<void> FileFollower::stored_below(std::uint64_t number) {
    std::optional<Mark> reached;
    while (!marks_.empty() && marks_.front().record <= number) {
        reached = marks_.front();
        marks_.pop_front();
    }
    if (reached) {
        for (FollowedFile& file : state_.files) {
            if (file.first != reached->file_first || reached->record < file.record) continue;
            place(file, *reached);
        }
        dirty_ = true;
    }
    while (state_.files.size() > kFilesKept && at_ > 0 && state_.files[1].first <= number) {
        state_.files.pop_front();
        --at_;
        dirty_ = true;
    }
    if (!dirty_ || clock_.now() - saved_at_ < kSaveEvery) return {};
    return save();
}

Result<void> FileFollower::save() {
    if (state_.files.empty()) return {};
    saved_at_ = clock_.now();
    dirty_ = false;
    struct stat about {};
    if (fd_.valid() && ::fstat(fd_.get(), &about) == 0) current().changed_ns = changed_ns(about);
    return state_.save();
}

}  // namespace telpher
