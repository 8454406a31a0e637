#include "broker/log/log.h"

#include <algorithm>
#include <deque>

#include "broker/log/checkpoint_file.h"
#include "broker/log/committer.h"
#include "broker/log/handover.h"
#include "broker/log/record.h"
#include "broker/log/recovery.h"
#include "broker/log/segment_reader.h"
#include "proto/base/check.h"
#include "proto/base/mutant.h"

namespace telpher::log {
namespace {

/// The shard thread's side: gives lsns and positions, counts what lives where, and hands over once per cycle.
class ShardLog final : public Log {
public:
    ShardLog(FileSystem& files, const LogOptions& options, Recovered recovered)
        : files_(files),
          options_(options),
          recovery_(recovered.summary),
          log_id_(recovered.pool.log_id),
          reader_(files, options.dir),
          last_lsn_(recovery_.last) {
        for (const InspectedSegment& segment : recovered.segments) {
            segments_.push_back(
                {segment.header.number, segment.header.capacity, segment.header.first_lsn, segment.snapshot_end, {}});
            space_.bytes += segment.header.capacity;
            ++space_.segments;
        }
        end_ = recovered.start.end;
        next_segment_ = recovered.start.next_segment;
        shared_.written_lsn = last_lsn_.value();
        shared_.committed_lsn = last_lsn_.value();
        SegmentPool pool(files, std::move(recovered.pool), std::move(recovered.spares));
        committer_.emplace(shared_, std::move(pool), std::move(recovered.mark), reader_, options.epoch, *options.clock,
                           std::move(recovered.start));
    }

    [[nodiscard]] const Recovery& recovery() const override { return recovery_; }
    [[nodiscard]] Committer& committer() override { return *committer_; }
    [[nodiscard]] Reader& reader() override { return reader_; }

    [[nodiscard]] bool needs_roll(std::size_t meta_bytes, std::size_t body_bytes) const override {
        return segments_.empty() || record_bytes(meta_bytes, body_bytes) > segments_.back().capacity - end_;
    }

    void roll(std::vector<Record> snapshot, std::size_t meta_bytes, std::size_t body_bytes) override {
        TELPHER_CHECK_MSG(!snapshot.empty(), "a segment opens with a snapshot");
        std::uint64_t bytes = kSegmentHeaderBytes;
        for (const Record& record : snapshot) bytes += record_bytes(record.meta.size(), record.body.size());
        // However large the snapshot is, half a segment of room follows it, or a roll would only lead to the next one.
        const std::uint64_t room = std::max(options_.segment_bytes / 2, record_bytes(meta_bytes, body_bytes));
        const std::uint64_t capacity = std::max(options_.segment_bytes, bytes + room);
        segments_.push_back({next_segment_, capacity, last_lsn_ + 1, last_lsn_ + snapshot.size(), {}});
        space_.bytes += capacity;
        ++space_.segments;
        next_segment_ += 1;
        end_ = kSegmentHeaderBytes;
        for (std::size_t i = 0; i < snapshot.size(); ++i) {
            TELPHER_CHECK(snapshot[i].kind == Kind::kSnapshot);
            add(std::move(snapshot[i]), i == 0, i + 1 == snapshot.size() ? kFlagSnapshotEnd : std::uint16_t{0});
        }
    }

    Appended append(Record record) override {
        TELPHER_CHECK_MSG(!needs_roll(record.meta.size(), record.body.size()), "append() to a full segment");
        TELPHER_CHECK(record.kind != Kind::kSnapshot);
        return add(std::move(record), false, 0);
    }

    bool flush() override {
        if (pending_.empty()) return true;
        if (!shared_.give(pending_)) return false;
        pending_ = Job();
        return true;
    }

    [[nodiscard]] std::optional<LogPoint> point() const override {
        if (segments_.empty()) return std::nullopt;
        return LogPoint{last_lsn_, {segments_.back().number, end_}, segments_.back().first_lsn};
    }
    Result<std::uint64_t> write_checkpoint(const LogPoint& point, const std::vector<std::string>& parts) override {
        TELPHER_CHECK(point.lsn <= committed_lsn());
        CheckpointHeader header;
        header.shard = options_.shard;
        header.log_id = log_id_;
        header.point = point;
        return log::write_checkpoint(files_, options_.dir, header, parts);
    }

    [[nodiscard]] std::uint64_t appended_bytes() const override { return appended_bytes_; }
    [[nodiscard]] std::uint64_t uncommitted_bytes() const override {
        return appended_bytes_ - shared_.committed_bytes.load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t group_bytes() const override {
        return shared_.group_bytes.load(std::memory_order_relaxed);
    }
    [[nodiscard]] Lsn last_lsn() const override { return last_lsn_; }
    [[nodiscard]] Lsn written_lsn() const override { return Lsn(shared_.written_lsn.load(std::memory_order_acquire)); }
    [[nodiscard]] Lsn committed_lsn() const override {
        return Lsn(shared_.committed_lsn.load(std::memory_order_acquire));
    }
    [[nodiscard]] std::optional<Error> failed() const override {
        if (!shared_.failed.load(std::memory_order_acquire)) return std::nullopt;
        return shared_.error;
    }
    void on_commit(std::function<void()> wake) override { shared_.on_commit = std::move(wake); }

    void add_live(SegmentId segment, Live live) override {
        Live& found = find(segment).live;
        found.messages += live.messages;
        found.bytes += live.bytes;
        space_.live.messages += live.messages;
        space_.live.bytes += live.bytes;
    }
    void drop_live(SegmentId segment, Live live) override {
        Live& found = find(segment).live;
        TELPHER_CHECK(found.messages >= live.messages && found.bytes >= live.bytes);
        found.messages -= live.messages;
        found.bytes -= live.bytes;
        space_.live.messages -= live.messages;
        space_.live.bytes -= live.bytes;
    }
    [[nodiscard]] LogSpace space() const override { return space_; }
    [[nodiscard]] Live live_in(SegmentId segment) const override {
        return has_segment(segment) ? segments_[segment - segments_.front().number].live : Live{};
    }
    [[nodiscard]] std::optional<Walk> oldest() const override {
        return segments_.empty() ? std::nullopt : sealed(segments_.front().number, segments_.front().number);
    }
    [[nodiscard]] std::optional<Walk> sealed(SegmentId first, SegmentId last) const override {
        if (segments_.size() < 2) return std::nullopt;
        first = std::max(first, segments_.front().number);
        if (first > last || first >= segments_.back().number) return std::nullopt;
        const std::uint64_t index = first - segments_.front().number;
        const Segment& found = segments_[index];
        const Segment& following = segments_[index + 1];
        if (following.snapshot_end > committed_lsn()) return std::nullopt;
        return Walk{found.number, kSegmentHeaderBytes, found.first_lsn, following.first_lsn};
    }

    std::size_t reclaim() override {
        std::size_t dropped = 0;
        const std::uint64_t none = TELPHER_MUTANT("one-message-is-none") ? 1 : 0;
        while (segments_.size() > 1 && segments_.front().live.messages <= none &&
               segments_[1].snapshot_end <= committed_lsn()) {
            Item item;
            item.type = Item::Type::kDropSegment;
            item.segment = segments_.front().number;
            item.capacity = segments_.front().capacity;
            pending_.push_back(std::move(item));
            space_.bytes -= segments_.front().capacity;
            --space_.segments;
            segments_.pop_front();
            ++dropped;
        }
        return dropped;
    }

    [[nodiscard]] std::size_t segment_count() const override {
        return shared_.segments.load(std::memory_order_relaxed) + shared_.spares.load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t room(std::uint64_t free_bytes) const override {
        const std::uint64_t made_below = shared_.next_segment.load(std::memory_order_relaxed);
        std::uint64_t wanted = 0;
        for (auto at = segments_.rbegin(); at != segments_.rend() && at->number.value() >= made_below; ++at)
            wanted += at->capacity;
        const std::uint64_t spares = shared_.spares.load(std::memory_order_relaxed) * options_.segment_bytes;
        return free_bytes + spares - std::min(wanted, free_bytes + spares);
    }
    [[nodiscard]] bool waits_for_room() const override {
        return shared_.waits_for_room.load(std::memory_order_relaxed);
    }
    [[nodiscard]] bool has_spare() const override { return shared_.spares.load(std::memory_order_relaxed) > 0; }
    [[nodiscard]] std::uint64_t commits() const override { return shared_.commits.load(std::memory_order_relaxed); }
    [[nodiscard]] CommitFigures commit_figures() const override {
        return {shared_.sync_time.read(), shared_.sync_messages.read()};
    }

private:
    struct Segment {
        SegmentId number;
        std::uint64_t capacity = 0;
        Lsn first_lsn;
        Lsn snapshot_end;
        Live live;
    };

    [[nodiscard]] bool has_segment(SegmentId segment) const {
        return !segments_.empty() && segment >= segments_.front().number && segment <= segments_.back().number;
    }
    Segment& find(SegmentId number) {
        TELPHER_CHECK(has_segment(number));
        return segments_[number - segments_.front().number];
    }

    Appended add(Record record, bool opens_segment, std::uint16_t flags) {
        const std::size_t meta_bytes = record.meta.size();
        const std::size_t body_bytes = record.body.size();
        TELPHER_CHECK(meta_bytes <= (record.kind == Kind::kSnapshot ? kSnapshotMetaBytesMax : kMetaBytesMax));
        TELPHER_CHECK(body_bytes <= limits::kMessageBytesMax + limits::kMessageBytesMax / 2);
        const Segment& segment = segments_.back();
        Item item;
        item.opens_segment = opens_segment;
        item.flags = flags;
        item.segment = segment.number;
        item.at = end_;
        item.capacity = segment.capacity;
        item.lsn = last_lsn_ + 1;
        item.record = std::move(record);
        pending_.push_back(std::move(item));
        last_lsn_ += 1;
        const std::uint64_t total = record_bytes(meta_bytes, body_bytes);
        end_ += total;
        TELPHER_CHECK(end_ <= segment.capacity);
        appended_bytes_ += total;
        return {last_lsn_, {segment.number, end_ - total}};
    }

    FileSystem& files_;
    const LogOptions options_;
    const Recovery recovery_;
    const LogId log_id_;
    Handover shared_;
    SegmentReader reader_;
    std::optional<LogCommitter> committer_;

    std::deque<Segment> segments_;  // dense numbers; the last one is appended to
    SegmentId next_segment_;
    std::uint64_t end_ = 0;  // where the next record goes
    Lsn last_lsn_;
    Job pending_;
    std::uint64_t appended_bytes_ = 0;
    LogSpace space_;
};

}  // namespace

Result<std::unique_ptr<Log>> Log::open(FileSystem& files, LogOptions options, const RecordSink& sink,
                                       const Acceptance& accept) {
    TELPHER_CHECK(options.segment_bytes >= 2 * kSegmentHeaderBytes && options.segment_bytes % kRecordAlign == 0);
    auto recovered = recover(files, options, sink, accept);
    if (!recovered) return fail(recovered.error());
    return std::make_unique<ShardLog>(files, options, std::move(*recovered));
}

}  // namespace telpher::log
