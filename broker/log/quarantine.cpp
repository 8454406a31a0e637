#include "broker/log/quarantine.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <deque>
#include <optional>
#include <vector>

#include "broker/log/segment.h"

namespace telpher::log {
namespace {

constexpr std::size_t kCopyBytes = limits::kMiB;
constexpr std::size_t kNumberDigits = 8;

/// A file that this program put there.
struct Kept {
    std::uint64_t number = 0;  ///< Rises with each.
    std::string name;
    std::uint64_t bytes = 0;
};

/// The number a name begins with; nothing for a name of somebody else's.
std::optional<std::uint64_t> number_of(std::string_view name) {
    std::uint64_t number = 0;
    const char* end = name.data() + name.size();
    const auto [rest, error] = std::from_chars(name.data(), end, number);
    const auto digits = static_cast<std::size_t>(rest - name.data());
    if (error != std::errc() || digits < kNumberDigits || rest == end || *rest != '-') return std::nullopt;
    return number;
}

/// What is there, oldest first; what a crash left half-copied is removed.
Result<std::deque<Kept>> look(FileSystem& files, const std::string& dir) {
    const auto names = files.list(dir);
    if (!names) return fail(names.error());
    std::deque<Kept> found;
    for (const std::string& name : *names) {
        const auto number = number_of(name);
        if (!number) continue;
        const std::string path = join_path(dir, name);
        if (name.ends_with(kTemporarySuffix)) {
            if (auto done = files.remove(path); !done) return fail(done.error());
            continue;
        }
        const auto bytes = file_bytes(files, path);
        if (!bytes) return fail(bytes.error());
        found.push_back({*number, name, *bytes});
    }
    std::sort(found.begin(), found.end(), [](const Kept& a, const Kept& b) { return a.number < b.number; });
    return found;
}

}  // namespace

Quarantine::Quarantine(FileSystem& files, std::string log_dir)
    : files_(files), log_dir_(std::move(log_dir)), dir_(join_path(log_dir_, kQuarantineName)) {}

Result<std::string> Quarantine::keep_copy(const File& from, std::uint64_t at, std::uint64_t bytes,
                                          std::string_view what) {
    const auto name = make_room(bytes, what);
    if (!name) return name;
    const std::string path = join_path(dir_, *name);
    const std::string temporary = path + std::string(kTemporarySuffix);
    if (auto done = copy(from, at, bytes, temporary); !done) {
        static_cast<void>(files_.remove(temporary));  // or it would take the room that may be missing
        return fail(done.error());
    }
    if (auto done = files_.rename(temporary, path); !done) return fail(done.error());
    if (auto done = files_.sync_dir(dir_); !done) return fail(done.error());
    return join_path(kQuarantineName, *name);
}

Result<std::string> Quarantine::keep_file(const std::string& name, std::uint64_t bytes, std::string_view what) {
    const auto kept = make_room(bytes, what);
    if (!kept) return kept;
    if (auto done = files_.rename(join_path(log_dir_, name), join_path(dir_, *kept)); !done) return fail(done.error());
    if (auto done = files_.sync_dir(dir_); !done) return fail(done.error());
    return join_path(kQuarantineName, *kept);
}

Result<std::string> Quarantine::make_room(std::uint64_t bytes, std::string_view what) {
    if (bytes > kQuarantineBytesMax) return fail(Code::kDiskFull, fmt::format("{} bytes are too many to keep", bytes));
    const auto free = files_.free_bytes(log_dir_);
    // The log needs the last of the room itself.
    if (free && *free < bytes) return fail(Code::kDiskFull, "no room on the disk");
    if (auto done = files_.make_dir(dir_); !done) return fail(done.error());
    auto kept = look(files_, dir_);
    if (!kept) return fail(kept.error());
    const std::uint64_t number = kept->empty() ? 1 : kept->back().number + 1;
    std::uint64_t total = bytes;
    for (const Kept& file : *kept) total += file.bytes;
    while (kept->size() >= kQuarantineFilesMax || total > kQuarantineBytesMax) {
        if (auto done = files_.remove(join_path(dir_, kept->front().name)); !done) return fail(done.error());
        total -= kept->front().bytes;
        kept->pop_front();
    }
    return fmt::format("{:0{}}-{}", number, kNumberDigits, what);
}

Result<void> Quarantine::copy(const File& from, std::uint64_t at, std::uint64_t bytes, const std::string& path) {
    const auto to = files_.create(path);
    if (!to) return fail(to.error());
    std::vector<std::byte> buffer(std::min<std::uint64_t>(kCopyBytes, bytes));
    for (std::uint64_t copied = 0; copied < bytes;) {
        const std::size_t wanted = std::min<std::uint64_t>(buffer.size(), bytes - copied);
        const auto got = from.read_at(at + copied, MutableBytes(buffer).first(wanted));
        if (!got) return fail(got.error());
        if (*got == 0) break;  // the file ends before what was said to be in it
        const Bytes part(buffer.data(), *got);
        if (auto done = (*to)->write_at(copied, {&part, 1}); !done) return done;
        copied += *got;
    }
    return (*to)->sync();
}

}  // namespace telpher::log
