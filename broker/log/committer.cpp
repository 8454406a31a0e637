#include "broker/log/committer.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>

#include "broker/log/segment_reader.h"
#include "proto/base/check.h"
#include "proto/base/mutant.h"

namespace telpher::log {
namespace {

constexpr std::array<std::byte, kRecordAlign> kPadding{};
/// Without room for a segment it is tried again after this.
constexpr std::chrono::microseconds kRoomPause = std::chrono::milliseconds(100);
/// Idle, a step towards a spare, or towards being rid of a dropped segment, is made after this.
constexpr int kPoolPauseMs = 10;

std::uint64_t item_bytes(const Item& item) { return record_bytes(item.record.meta.size(), item.record.body.size()); }

}  // namespace

LogCommitter::LogCommitter(Handover& shared, SegmentPool pool, MarkFile mark, SegmentReader& reader, Epoch epoch,
                           const Clock& clock, CommitStart start)
    : shared_(shared),
      pool_(std::move(pool)),
      mark_(std::move(mark)),
      reader_(reader),
      epoch_(epoch),
      clock_(clock),
      segment_(std::move(start.segment)),
      end_(start.end),
      next_segment_(start.next_segment),
      segments_(start.segments) {
    publish_counts();
}

std::size_t LogCommitter::do_work() {
    if (shared_.failed.load(std::memory_order_acquire)) return 0;
    const auto done = work();
    if (!done) {
        publish_failure(done.error());
        return 0;
    }
    return *done;
}

void LogCommitter::wait(int timeout_ms) {
    while (shared_.arrived.tryWait()) {
    }
    const bool busy = next_item_ < job_.size() || shared_.jobs.peek() != nullptr;
    if (shared_.stopping.load(std::memory_order_acquire)) return;
    if (shared_.waits_for_room.load(std::memory_order_relaxed)) {
        shared_.arrived.wait(kRoomPause.count());
        return;
    }
    if (busy && !shared_.failed.load(std::memory_order_acquire)) return;
    if (pool_.busy()) timeout_ms = timeout_ms < 0 ? kPoolPauseMs : std::min(timeout_ms, kPoolPauseMs);
    shared_.arrived.wait(timeout_ms < 0 ? -1 : std::int64_t{timeout_ms} * 1000);
}

void LogCommitter::stop() {
    shared_.stopping.store(true, std::memory_order_release);
    shared_.arrived.signal();
}

Item* LogCommitter::head() {
    while (next_item_ == job_.size()) {
        job_.clear();
        next_item_ = 0;
        if (!shared_.take(job_)) return nullptr;
    }
    return &job_[next_item_];
}

Result<std::size_t> LogCommitter::work() {
    if (auto done = drop_segments(); !done) return fail(done.error());
    const auto shrunk = pool_.shrink();
    if (!shrunk) return fail(shrunk.error());
    Item* first = head();
    if (first == nullptr) {
        // Idle: get the next segment ready, once this one is half full.
        if (pool_.filling() || (segment_.file != nullptr && end_ > segment_.header.capacity / 2)) {
            if (auto done = pool_.prepare(next_segment_); !done) return fail(done.error());
            publish_counts();
        }
        return 0;
    }
    if (first->opens_segment) {
        const auto started = start_segment(*first);
        if (!started) return fail(started.error());
        if (!*started) return 0;
    }
    gather();
    if (auto done = write_group(); !done) return fail(done.error());
    if (auto done = sync_group(); !done) return fail(done.error());
    const std::size_t records = group_.size();
    publish_group();
    return records;
}

Result<void> LogCommitter::drop_segments() {
    std::vector<Item> drops;
    for (Item* item = head(); item != nullptr && item->type == Item::Type::kDropSegment; item = head()) {
        drops.push_back(std::move(*item));
        pop();
    }
    if (drops.empty()) return {};
    Mark mark = mark_.mark();
    mark.first_segment = drops.back().segment + 1;
    const auto marked = TELPHER_MUTANT("drop-not-marked-durably") ? mark_.write(mark) : mark_.write_durably(mark);
    if (!marked) return marked;
    for (const Item& item : drops) {
        reader_.forget(item.segment);
        if (auto done = pool_.drop(item.segment, item.capacity); !done) return done;
    }
    if (auto done = pool_.finish_drops(); !done) return done;
    segments_ -= drops.size();
    publish_counts();
    return {};
}

Result<bool> LogCommitter::start_segment(const Item& opening) {
    TELPHER_CHECK(opening.segment == next_segment_);
    // Every earlier record is committed: each group ends before an opening one. So a segment's name proves its
    // predecessors.
    TELPHER_CHECK(shared_.committed_lsn.load(std::memory_order_relaxed) + 1 == opening.lsn.value());
    auto segment = pool_.start(opening.segment, opening.lsn, opening.capacity);
    if (!segment) return fail(segment.error());
    const bool made = segment->has_value();
    shared_.waits_for_room.store(!made, std::memory_order_relaxed);
    if (!made) {
        publish_counts();  // spares may have gone
        return false;
    }
    segment_ = std::move(**segment);
    end_ = kSegmentHeaderBytes;
    next_segment_ += 1;
    segments_ += 1;
    publish_counts();
    return true;
}

void LogCommitter::gather() {
    group_bytes_ = 0;
    for (Item* item = head(); item != nullptr && item->type == Item::Type::kRecord; item = head()) {
        if (item->opens_segment && !group_.empty()) return;
        const std::uint64_t bytes = item_bytes(*item);
        if (!group_.empty() && group_bytes_ + bytes > pace_.group_bytes()) return;
        TELPHER_CHECK(item->segment == segment_.header.number);
        TELPHER_CHECK(item->at == end_ + group_bytes_);
        group_bytes_ += bytes;
        group_.push_back(std::move(*item));
        pop();
    }
}

void LogCommitter::encode_group() {
    std::size_t scratch_bytes = 0;
    for (const Item& item : group_) scratch_bytes += kRecordHeaderBytes + item.record.meta.size() + kRecordAlign;
    scratch_.resize(scratch_bytes);
    parts_.clear();
    RecordHeader header;
    header.epoch = epoch_;
    header.salt = segment_.header.salt;
    header.durable_upto = Lsn(shared_.committed_lsn.load(std::memory_order_relaxed));
    if (TELPHER_MUTANT("proof-ahead")) header.durable_upto = group_.back().lsn;
    std::byte* out = scratch_.data();
    std::byte* part = out;
    for (const Item& item : group_) {
        const Bytes meta = as_bytes(item.record.meta);
        const Bytes body = item.record.body.bytes();
        header.kind = item.record.kind;
        header.flags = item.flags;
        header.meta_bytes = static_cast<std::uint32_t>(meta.size());
        header.body_bytes = static_cast<std::uint32_t>(body.size());
        header.lsn = item.lsn;
        header.queue = item.record.queue;
        header.payload_checksum = payload_checksum(meta, body);
        encode_record_header(header, out);
        out += kRecordHeaderBytes;
        std::copy(meta.begin(), meta.end(), out);
        out += meta.size();
        if (!body.empty()) {
            parts_.emplace_back(part, out);
            parts_.push_back(body);
            part = out;
        }
        const std::size_t padding = item_bytes(item) - kRecordHeaderBytes - meta.size() - body.size();
        out = std::copy_n(kPadding.begin(), padding, out);
    }
    if (out != part) parts_.emplace_back(part, out);
}

Result<void> LogCommitter::write_group() {
    encode_group();
    const Instant began = clock_.now();
    const auto written = segment_.file->write_at(end_, parts_);
    if (!written && !TELPHER_MUTANT("failed-write-ignored")) return written;
    write_time_ = clock_.now() - began;
    end_ += group_bytes_;
    shared_.written_lsn.store(group_.back().lsn.value(), std::memory_order_release);
    if (TELPHER_MUTANT("committed-before-sync")) shared_.committed_lsn.store(group_.back().lsn.value());
    wake();
    return {};
}

Result<void> LogCommitter::sync_group() {
    const Instant began = clock_.now();
    const auto synced = TELPHER_MUTANT("sync-skipped") ? Result<void>() : segment_.file->sync();
    if (!synced && !TELPHER_MUTANT("failed-sync-ignored")) return synced;
    const Duration sync_time = clock_.now() - began;
    pace_.note(group_bytes_, write_time_, sync_time);
    shared_.group_bytes.store(pace_.group_bytes(), std::memory_order_relaxed);
    shared_.sync_time.observe(sync_time.count());
    std::int64_t messages = 0;
    for (const Item& item : group_) messages += item.record.messages;
    shared_.sync_messages.observe(messages);
    shared_.commits.fetch_add(1, std::memory_order_relaxed);
    Mark mark = mark_.mark();
    mark.committed = group_.back().lsn + (TELPHER_MUTANT("mark-ahead") ? 1 : 0);
    mark.segment = segment_.header.number;
    mark.end = end_;
    if (group_.back().record.kind != Kind::kEnd) return mark_.write(mark);
    // A clean stop leaves proof of everything it wrote, and nothing that is half gone.
    if (auto done = pool_.shrink_all(); !done) return done;
    return mark_.write_durably(mark);
}

void LogCommitter::publish_group() {
    shared_.committed_bytes.fetch_add(group_bytes_, std::memory_order_relaxed);
    shared_.committed_lsn.store(group_.back().lsn.value(), std::memory_order_release);
    group_.clear();
    wake();
}

void LogCommitter::publish_failure(const Error& error) {
    shared_.error = error;
    shared_.failed.store(true, std::memory_order_release);
    wake();
}

void LogCommitter::publish_counts() {
    shared_.next_segment.store(next_segment_.value(), std::memory_order_relaxed);
    shared_.segments.store(segments_, std::memory_order_relaxed);
    shared_.spares.store(pool_.spares(), std::memory_order_relaxed);
}

void LogCommitter::wake() const {
    if (shared_.on_commit) shared_.on_commit();
}

}  // namespace telpher::log
