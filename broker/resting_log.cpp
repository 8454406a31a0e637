#include "broker/resting_log.h"

#include <vector>

#include "broker/log/recovery.h"
#include "broker/replay.h"
#include "broker/stored_batch.h"

namespace telpher::broker {
namespace {

/// Where a queue's messages are stored, in the order of their numbers.
class Batches final : public queue::Queue::Saver {
public:
    void present(std::uint64_t, std::string) override {}
    void batch(const queue::LiveBatch& batch) override { all.push_back(batch.batch); }
    void run(const queue::Queue::LiveRun&) override {}

    std::vector<queue::StoredBatch> all;
};

}  // namespace

RestingLog::RestingLog(log::FileSystem& files, const std::string& dir, const Clock& clock)
    : files_(files), dir_(dir), reader_(files, dir), now_(clock.now()), wall_(clock.wall()) {}

Result<std::unique_ptr<RestingLog>> RestingLog::open(log::FileSystem& files, const std::string& dir,
                                                     const Clock& clock) {
    std::unique_ptr<RestingLog> log(new RestingLog(files, dir, clock));
    if (auto done = log->read(); !done) return fail(done.error());
    log->end_holds();
    return log;
}

Result<void> RestingLog::read() {
    const auto found = log::survey_log(files_, dir_);
    if (!found) return fail(found.error());
    Replay replay(catalog_, now_, wall_);
    const auto take = [&replay](const log::RecordView& record) { return replay.take(record); };
    const auto accept = [&replay](SegmentId first, SegmentId last) { return replay.check_whole(first, last); };
    const auto reading = log::read_as_start(files_, dir_, *found, take, accept);
    if (!reading) return fail(reading.error());
    const auto& findings = reading->inspection.findings;
    if (!findings.empty()) torn_ = findings.back().text();
    verified_ = reading->checkpoint == nullptr;
    replay.finish(now_, now_);
    boot_ = replay.boot();
    return {};
}

Result<void> RestingLog::verify_all() {
    if (verified_) return {};
    const auto found = log::survey_log(files_, dir_);
    if (!found) return fail(found.error());
    const auto inspection =
        log::inspect(files_, dir_, *found, {}, [](const log::RecordView&) { return Result<void>(); });
    if (!inspection) return fail(inspection.error());
    auto sound = log::refuse_damage(dir_, *inspection);
    verified_ = sound.has_value();
    return sound;
}

void RestingLog::end_holds() {
    for (const auto& [name, queue] : catalog_.by_name()) queue->queue.run_timers(now_);
}

WallTime RestingLog::wall(Instant at) const {
    return {wall_.ms + std::chrono::duration_cast<std::chrono::milliseconds>(at - now_).count()};
}

Result<void> RestingLog::each(const HostedQueue& queue, const std::function<Result<void>(const Run&)>& take) {
    Batches batches;
    queue.queue.save(batches);
    for (const queue::StoredBatch& stored : batches.all) {
        const auto position = position_of(stored.ref);
        if (!position) continue;  // in no log
        const auto record = reader_.read(*position);
        if (!record) return fail(record.error());
        const auto view = open_stored(*record, queue.id, stored.range.first, stored.index);
        if (!view) return fail(view.error());
        for (const queue::Queue::Stretch& stretch : queue.queue.stored_in(stored.ref, stored.range, 0)) {
            const queue::StoredBatch& batch = stretch.stored.batch;
            if (batch.index + batch.range.count > view->count()) return fail(Code::kCorrupt, "a batch cut short");
            if (auto taken = take({stretch, *view}); !taken) return taken;
        }
    }
    return {};
}

}  // namespace telpher::broker
