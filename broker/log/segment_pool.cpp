#include "broker/log/segment_pool.h"

#include <algorithm>
#include <array>
#include <vector>

#include "proto/base/check.h"
#include "proto/base/mutant.h"
#include "proto/limits.h"

namespace telpher::log {
namespace {

/// A put that comes meanwhile waits for so much: a quarter of a millisecond.
constexpr std::size_t kFillStepBytes = limits::kMiB / 4;
/// Cut off at once, of each file that leaves: about a millisecond.
constexpr std::uint64_t kShrinkStepBytes = 2 * limits::kMiB;

}  // namespace

Result<std::optional<OpenSegment>> SegmentPool::start(SegmentId number, Lsn first_lsn, std::uint64_t capacity) {
    const std::string path = join_path(options_.dir, file_name(number, kTemporarySuffix));
    const bool recycle = capacity == options_.segment_bytes && !spares_.empty();
    auto file = recycle ? take_spare(path) : create(path, capacity);
    if (!file && !recycle && file.error().code() == Code::kDiskFull) {
        if (auto done = shrink_all(); !done) return fail(done.error());
        // Spares of another size only take the room.
        if (auto done = remove_spares(); !done) return fail(done.error());
        return std::nullopt;
    }
    if (!file) return fail(file.error());
    OpenSegment segment{std::move(*file), {}};
    segment.header.shard = options_.shard;
    segment.header.number = number;
    segment.header.salt = random_.next();
    segment.header.log_id = options_.log_id;
    segment.header.first_lsn = first_lsn;
    segment.header.capacity = capacity;
    std::array<std::byte, kSegmentHeaderBytes> block{};
    encode_segment_header(segment.header, block.data());
    const Bytes part(block);
    if (auto done = segment.file->write_at(0, {&part, 1}); !done) return fail(done.error());
    const bool sync = !TELPHER_MUTANT("segment-named-before-its-sync");
    if (auto done = sync ? segment.file->sync() : Result<void>(); !done) return fail(done.error());
    const std::string name = join_path(options_.dir, file_name(number, kSegmentSuffix));
    if (auto done = files_.rename(path, name); !done) return fail(done.error());
    if (TELPHER_MUTANT("segment-name-not-synced")) return {std::move(segment)};
    if (auto done = files_.sync_dir(options_.dir); !done) return fail(done.error());
    return {std::move(segment)};
}

Result<std::unique_ptr<File>> SegmentPool::take_spare(const std::string& path) {
    const std::string from = join_path(options_.dir, spares_.front());
    spares_.pop_front();
    if (spares_.empty()) filling_.reset();
    if (auto done = files_.rename(from, path); !done) return fail(done.error());
    return files_.reuse(path);
}

Result<std::unique_ptr<File>> SegmentPool::create(const std::string& path, std::uint64_t capacity) {
    const auto free = files_.free_bytes(options_.dir);
    if (free && *free < capacity) return fail(Code::kDiskFull, path);  // not worth the try
    auto file = files_.create(path);
    if (!file) return file;
    if (auto done = (*file)->allocate(capacity); !done) {
        // Not a file of the log yet: leaving it would only take the room that is missing.
        if (auto removed = files_.remove(path); !removed) return fail(removed.error());
        return fail(done.error());
    }
    return file;
}

Result<void> SegmentPool::drop(SegmentId number, std::uint64_t capacity) {
    no_room_ = false;
    const std::string path = join_path(options_.dir, file_name(number, kSegmentSuffix));
    const std::string name = file_name(number, kSpareSuffix);
    // A spare of that name was made for this segment and not used for it.
    const bool taken = std::find(spares_.begin(), spares_.end(), name) != spares_.end();
    if (taken || capacity != options_.segment_bytes || spares_.size() >= options_.spares_max)
        return leave(number, path, capacity);
    if (auto done = files_.rename(path, join_path(options_.dir, name)); !done) return done;
    spares_.push_front(name);  // in front of one that is still being filled
    return {};
}

/// Under a name that a start removes, as the file is no segment any more.
Result<void> SegmentPool::leave(SegmentId number, const std::string& path, std::uint64_t capacity) {
    Leaving leaving{join_path(options_.dir, file_name(number, kTemporarySuffix)), capacity};
    if (auto done = files_.rename(path, leaving.path); !done) return done;
    leaving_.push_back(std::move(leaving));
    return {};
}

Result<bool> SegmentPool::shrink() {
    if (leaving_.empty()) return false;
    const std::uint64_t step = kShrinkStepBytes * leaving_.size();  // the more there are, the faster
    Leaving& first = leaving_.front();
    if (first.bytes <= step) {
        shrinking_.reset();
        if (auto done = files_.remove(first.path); !done) return fail(done.error());
        leaving_.pop_front();
        return true;
    }
    if (!shrinking_) {
        auto file = files_.reuse(first.path);
        if (!file) return fail(file.error());
        shrinking_ = std::move(*file);
    }
    first.bytes -= step;
    if (auto done = shrinking_->truncate(first.bytes); !done) return fail(done.error());
    return true;
}

Result<void> SegmentPool::shrink_all() {
    shrinking_.reset();
    for (; !leaving_.empty(); leaving_.pop_front()) {
        if (auto done = files_.remove(leaving_.front().path); !done) return done;
    }
    return {};
}

Result<void> SegmentPool::remove_spares() {
    filling_.reset();
    for (; !spares_.empty(); spares_.pop_front()) {
        if (auto done = files_.remove(join_path(options_.dir, spares_.front())); !done) return done;
    }
    return {};
}

Result<void> SegmentPool::finish_drops() { return files_.sync_dir(options_.dir); }

Result<void> SegmentPool::prepare(SegmentId next) {
    if (no_room_ || options_.spares_max == 0) return {};
    if (spares_.empty()) return begin_filling(next);
    if (!filling_) return {};
    static const std::vector<std::byte> kZeros(kFillStepBytes);
    const Bytes part(kZeros.data(), std::min<std::uint64_t>(kFillStepBytes, options_.segment_bytes - filled_bytes_));
    if (auto done = filling_->write_at(filled_bytes_, {&part, 1}); !done) return done;
    // No sync: it would wait for the journal of the file system. The one that makes the file a segment is enough.
    filling_->begin_write_back(filled_bytes_, part.size());
    filled_bytes_ += part.size();
    if (filled_bytes_ == options_.segment_bytes) filling_.reset();
    return {};
}

Result<void> SegmentPool::begin_filling(SegmentId next) {
    const std::string name = file_name(next, kSpareSuffix);
    auto file = create(join_path(options_.dir, name), options_.segment_bytes);
    if (!file) {
        no_room_ = file.error().code() == Code::kDiskFull;
        return no_room_ ? Result<void>() : fail(file.error());
    }
    filling_ = std::move(*file);
    filled_bytes_ = 0;
    spares_.push_back(name);
    return {};
}

}  // namespace telpher::log
