#include "broker/rewriter.h"

#include <algorithm>
#include <memory>

#include "broker/stored_batch.h"
#include "proto/base/check.h"
#include "proto/base/mutant.h"

namespace telpher::broker {
namespace {

/// Read, and at most as much written again, between two commits.
constexpr std::uint64_t kPieceBytes = limits::kMiB;
/// Segments too many that are rewritten however young they are.
constexpr double kSegmentsTooMany = 16;
/// Segments too many that are left alone: with two spares, the mark and checkpoints there is room for it below three.
constexpr double kSegmentsSpared = 0.5;
/// Headers of a record and its batch, with their padding, at most.
constexpr std::size_t kRecordOverhead = 256;
/// What is gone between two messages is written as lengths of 0, up to here: about what another piece would cost in
/// memory and in the record's meta.
constexpr std::uint64_t kGoneBetweenMax = 16;

std::vector<batch::View::Run> runs_of(const queue::Queue::Stretch& stretch) {
    const queue::StoredBatch& batch = stretch.stored.batch;
    std::vector<batch::View::Run> runs;
    for (const queue::Range& range : stretch.present) {
        runs.push_back({batch.index + static_cast<std::uint32_t>(range.first - batch.range.first),
                        static_cast<std::uint32_t>(range.count)});
    }
    return runs;
}

}  // namespace

bool Rewriter::wanted(double spared_segments) const {
    const log::LogSpace space = core_.log.space();
    if (space.segments < 2) return false;
    const double segment = static_cast<double>(space.bytes) / static_cast<double>(space.segments);
    return static_cast<double>(space.bytes) > 2.0 * static_cast<double>(space.live.bytes) + spared_segments * segment;
}

bool Rewriter::old_enough() {
    const auto oldest = core_.log.oldest();
    if (!oldest) return false;
    if (std::exchange(seen_, oldest->segment) != oldest->segment) seen_at_ = core_.now;
    return core_.now >= seen_at_ + core_.settings.rewrite_age || wanted(kSegmentsTooMany);
}

void Rewriter::look() {
    if (working_ || damage_ || core_.draining || !old_enough() || !wanted(kSegmentsSpared)) return;
    // What a pass could not make smaller (many tiny batches) it cannot the next time: something must have been settled.
    if (!paid_ && core_.settled_bytes - settled_before_ < core_.log.space().bytes / 4) return;
    const auto point = core_.log.point();
    if (!point) return;
    pass_end_ = point->next.segment;
    moved_before_ = bytes_moved_;
    freed_ = 0;
    working_ = true;
    begin_segment();
}

void Rewriter::begin_segment() {
    const auto oldest = core_.log.oldest();
    if (!oldest || oldest->segment >= pass_end_ || !wanted(kSegmentsSpared) || core_.draining) return end();
    walk_ = *oldest;
    read_on();
}

void Rewriter::end() {
    working_ = false;
    paid_ = 2 * freed_ >= bytes_moved_ - moved_before_ && freed_ > 0;
    settled_before_ = core_.settled_bytes;
}

void Rewriter::read_on() {
    background_.post(Background::Lane::kChores, [this, &reader = core_.log.reader(), walk = walk_]() mutable {
        auto records = std::make_shared<Result<std::vector<log::StoredRecord>>>(reader.walk(walk, kPieceBytes));
        return Background::Finish([this, records = std::move(records), walk] { take(*records, walk); });
    });
}

void Rewriter::take(const Result<std::vector<log::StoredRecord>>& records, const log::Walk& walk) {
    if (core_.draining) return end();
    if (core_.log.live_in(walk_.segment).messages == 0) {  // settled meanwhile, and it may be gone already
        core_.journal.reclaim();
        return begin_segment();
    }
    Result<void> done = records ? Result<void>() : fail(records.error());
    for (std::size_t i = 0; done && i < records->size(); ++i) done = move((*records)[i]);
    walk_ = walk;
    if (done && walk_.done() && core_.log.live_in(walk_.segment).messages > 0) {
        done = fail(Code::kCorrupt,
                    "segment " + std::to_string(walk_.segment.value()) + " has fewer messages than were stored in it");
    }
    if (!done) {
        damage_ = done.error();
        return;
    }
    core_.gate.add(queue::Durability::kFsync, core_.journal.last(), [this] {
        if (!walk_.done()) return read_on();
        ++segments_freed_;
        const std::uint64_t before = core_.log.space().bytes;
        core_.journal.reclaim();
        freed_ += before - core_.log.space().bytes;
        begin_segment();
    });
}

/// Writes what is left of a record again.
Result<void> Rewriter::move(const log::StoredRecord& record) {
    HostedQueue* queue = core_.catalog.find(record.queue);
    if (queue == nullptr) return {};  // removed
    const auto view = batch::View::reopen(record.body, false);
    if (!view)
        return fail(Code::kCorrupt, "record " + std::to_string(record.lsn.value()) + ": " + view.error().message());
    const auto ranges = messages_of(record, view->count());
    if (!ranges) return fail(ranges.error());
    std::vector<queue::Queue::Stretch> stretches;
    for (const queue::Range& range : *ranges) {
        const auto part = queue->queue.stored_in(ref_of(record.position), range, kGoneBetweenMax);
        stretches.insert(stretches.end(), part.begin(), part.end());
    }
    if (TELPHER_MUTANT("rewriter-forgets") && stretches.size() > 1) stretches.pop_back();
    if (!stretches.empty()) write(*queue, *view, std::move(stretches));
    return {};
}

void Rewriter::write(HostedQueue& queue, const batch::View& view, std::vector<queue::Queue::Stretch> stretches) {
    const std::size_t parts = stretches.size() / Journal::kRangesPerRecord + 1;
    core_.journal.reserve(view.bytes().size() + parts * kRecordOverhead);
    std::vector<queue::LiveBatch> moved;
    const auto wall_ms = [this](Instant at) { return core_.wall_ms(at); };
    for (std::span<const queue::Queue::Stretch> left(stretches); !left.empty();) {
        const auto part = left.first(std::min(left.size(), Journal::kRangesPerRecord));
        left = left.subspan(part.size());
        std::vector<batch::View::Run> runs;
        std::vector<batch::View::Run> kept;
        for (const auto& stretch : part) {
            const queue::StoredBatch& batch = stretch.stored.batch;
            runs.push_back({batch.index, static_cast<std::uint32_t>(batch.range.count)});
            std::ranges::copy(runs_of(stretch), std::back_inserter(kept));
        }
        auto picked = batch::View::reopen(view.pick(runs, kept), false);
        TELPHER_CHECK(picked.has_value());
        bytes_moved_ += picked->bytes().size();
        const auto position = core_.journal.moved(queue.id, part, picked->bytes(), wall_ms).position;
        const BatchRef ref = ref_of(position);
        std::uint32_t index = 0;
        log::Live live;
        for (const auto& stretch : part) {
            moved.push_back(stretch.stored);
            queue::StoredBatch& batch = moved.back().batch;
            batch.ref = ref;
            batch.index = index;
            index += TELPHER_MUTANT("rewriter-mixes-up") ? 0 : static_cast<std::uint32_t>(batch.range.count);
            live.messages += stretch.stored.messages;
            live.bytes += stretch.stored.bytes;
        }
        core_.log.add_live(position.segment, live);
        // Until it is committed it cannot be read back.
        core_.store.add(ref, std::move(*picked), core_.instant_of(view.header().put_time));
        core_.gate.add(queue::Durability::kFsync, core_.journal.last(), [this, ref] { core_.store.unpin(ref); });
    }
    queue.queue.relocate(moved);
    core_.account(queue);
}

}  // namespace telpher::broker
