#include "broker/resting_log.h"

#include <vector>

#include "broker/log/inspect.h"
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
    : reader_(files, dir), now_(clock.now()), wall_(clock.wall()) {}

Result<std::unique_ptr<RestingLog>> RestingLog::open(log::FileSystem& files, const std::string& dir,
                                                     const Clock& clock) {
    std::unique_ptr<RestingLog> log(new RestingLog(files, dir, clock));
    if (auto done = log->read(files, dir); !done) return fail(done.error());
    log->end_holds();
    return log;
}

Result<void> RestingLog::read(log::FileSystem& files, const std::string& dir) {
    const auto found = log::survey(files, dir);
    if (!found) return fail(found.error());
    if (!found->mark_exists && found->segments.empty()) return fail(Code::kNotFound, dir + " holds no log");
    Replay replay(catalog_, now_, wall_);
    const auto inspection =
        log::inspect(files, dir, *found, {}, [&replay](const log::RecordView& record) { return replay.take(record); });
    if (!inspection) return fail(inspection.error());
    for (const log::Finding& finding : inspection->findings) {
        const log::Action action = finding.action();
        if (action == log::Action::kStop) return fail(Code::kCorrupt, dir + ": " + finding.text());
        if (action == log::Action::kRefuse) return fail(Code::kFormat, dir + ": " + finding.text());
        torn_ = finding.text();
    }
    replay.finish(now_, now_);
    boot_ = replay.boot();
    return {};
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
