#include "producer/folder_follower.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include "proto/limits.h"

namespace telpher {
namespace {

/// Files that are written down at a time.
constexpr std::size_t kScanMax = 1'000;
/// Files that are moved at a time, unless there is nothing else to do.
constexpr std::size_t kMoveAtOnce = 64;
constexpr const char* kDone = ".done";

bool is_taken(std::string_view name) {
    return !name.starts_with('.') && !name.ends_with(".tmp") && !name.ends_with(".part");
}

}  // namespace

FolderFollower::FolderFollower(std::string folder, Framing framing, FollowState state, Note note)
    : folder_(std::move(folder)),
      framing_(framing),
      state_(std::move(state)),
      note_(std::move(note)),
      watch_(folder_) {}

Result<void> FolderFollower::load() {
    const std::string done = folder_ + "/" + kDone;
    if (::mkdir(done.c_str(), 0755) != 0 && errno != EEXIST) return io_failure(done);
    return state_.load();
}

Result<void> FolderFollower::seek(std::uint64_t number) {
    reader_.reset();
    fd_ = OwnedFd();
    next_file_ = 0;
    number_ = state_.files.empty() ? number : state_.files.front().first;
    if (number_ > number) {
        note_(folder_ + ": records " + std::to_string(number) + " to " + std::to_string(number_ - 1) +
              " were in files that are done; they are not put again");
        number_ = number;
    }
    while (number_ < number) {
        const auto record = next_record();
        if (record) continue;
        if (record.error().code() != Code::kEmpty) return fail(record.error());
        note_(folder_ + ": records " + std::to_string(number_) + " to " + std::to_string(number - 1) +
              " are stored, but their files are gone");
        number_ = number;
    }
    return {};
}

Result<std::string_view> FolderFollower::next(PutOptions& /*put*/) { return next_record(); }

Result<std::string_view> FolderFollower::next_record() {
    for (;;) {
        if (reader_) {
            const auto record = reader_->next();
            if (record) {
                ++number_;
                return record;
            }
            const Error& error = record.error();
            const std::string& name = state_.files[next_file_ - 1].name;
            if (error.code() != Code::kEnd) return fail(error.code(), folder_ + "/" + name + ": " + error.detail());
            reader_.reset();
            fd_ = OwnedFd();
        }
        const auto opened = open_next();
        if (!opened) return fail(opened.error());
        if (!*opened) return fail(Code::kEmpty);
    }
}

/// Opens the next file that is written down; false: there is none.
Result<bool> FolderFollower::open_next() {
    if (next_file_ == state_.files.size()) {
        const auto found = scan();
        if (!found || !*found) return found;
    }
    FollowedFile& file = state_.files[next_file_++];
    file.first = number_;
    fd_ = locate(file);
    if (fd_.valid()) {
        reader_.emplace(fd_.get(), -1, framing_);
    } else {
        note_(folder_ + "/" + file.name + " is gone, and what of it was not put yet");
    }
    return true;
}

OwnedFd FolderFollower::locate(const FollowedFile& file) const {
    const std::string done = folder_ + "/" + kDone + "/";
    for (const std::string& path :
         {folder_ + "/" + file.name, done + file.name, done + file.name + "." + std::to_string(file.identity.inode)}) {
        OwnedFd fd = open_regular(path);
        if (fd.valid() && file.identity.is(fd.get())) return fd;
    }
    return OwnedFd();
}

/// Writes down what has come; false: nothing has.
Result<bool> FolderFollower::scan() {
    std::set<std::string> known;
    for (const FollowedFile& file : state_.files) known.insert(file.name);
    std::vector<std::string> names;
    const std::unique_ptr<DIR, int (*)(DIR*)> list(::opendir(folder_.c_str()), &::closedir);
    if (list == nullptr) return io_failure(folder_);
    while (const dirent* entry = ::readdir(list.get())) {  // NOLINT(concurrency-mt-unsafe): a stream of our own
        if (is_taken(entry->d_name) && !known.contains(entry->d_name)) names.emplace_back(entry->d_name);
    }
    std::sort(names.begin(), names.end());
    const std::size_t before = state_.files.size();
    for (const std::string& name : names) {
        if (state_.files.size() - before == kScanMax) break;
        const OwnedFd fd = open_regular(folder_ + "/" + name);
        const auto identity = fd.valid() ? FileIdentity::of(fd.get()) : fail(Code::kNotFound);
        if (!identity) continue;
        state_.files.push_back({name, *identity, number_, number_, 0});
    }
    if (state_.files.size() == before) return false;
    if (auto saved = state_.save(); !saved) return fail(saved.error());
    return true;
}

Result<void> FolderFollower::stored_below(std::uint64_t number) {
    // A file is done when the one after it has begun, and what is before that is stored.
    std::size_t done = 0;
    const std::size_t read = reader_ ? next_file_ - 1 : next_file_;
    while (done < read && (done + 1 < next_file_ ? state_.files[done + 1].first : number_) <= number) ++done;
    if (done == 0 || (done < kMoveAtOnce && done < read)) return {};
    return move_done(done);
}

Result<void> FolderFollower::move_done(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        if (auto moved = move(state_.files[i]); !moved) return moved;
    }
    if (auto synced = sync_folder(folder_ + "/" + kDone); !synced) return synced;
    if (auto synced = sync_folder(folder_); !synced) return synced;
    state_.files.erase(state_.files.begin(), state_.files.begin() + static_cast<std::ptrdiff_t>(count));
    next_file_ -= count;
    if (next_file_ == 0 && !state_.files.empty()) state_.files.front().first = number_;
    return state_.save();
}

Result<void> FolderFollower::move(const FollowedFile& file) const {
    const std::string from = folder_ + "/" + file.name;
    const OwnedFd fd = open_regular(from);
    if (!fd.valid() || !file.identity.is(fd.get())) return {};  // it was, before a crash; or it is gone
    std::string to = folder_ + "/" + kDone + "/" + file.name;
    if (::access(to.c_str(), F_OK) == 0) to += "." + std::to_string(file.identity.inode);
    if (std::rename(from.c_str(), to.c_str()) != 0) return io_failure(from);
    return {};
}

}  // namespace telpher
