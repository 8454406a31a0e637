#include "tests/sim/sim_broker.h"

#include <vector>

namespace telpher::sim {
namespace {

/// Runs a job when it is asked for, and hands over its result in the next cycle.
class InlineBackground final : public broker::Background {
public:
    void post(Lane, Job job) override { finished_.push_back(job()); }
    std::size_t run_finished() override {
        const auto finished = std::exchange(finished_, {});
        for (const Finish& finish : finished) finish();
        return finished.size();
    }

private:
    std::vector<Finish> finished_;
};

}  // namespace

broker::ShardSettings small_settings() {
    broker::ShardSettings settings;
    settings.data_dir = "log";
    settings.cache_bytes_max = 16 * limits::kKiB;
    settings.step_meta_bytes = 16 * limits::kKiB;
    settings.checkpoint_bytes = 24 * limits::kKiB;
    settings.scrub_interval = std::chrono::seconds(20);
    settings.rewrite_age = std::chrono::milliseconds(200);
    return settings;
}

log::LogOptions small_log() {
    log::LogOptions options;
    options.dir = "log";
    options.segment_bytes = 64 * limits::kKiB;
    options.salt_seed = 1;  // the same in every life: salts must differ all the same
    return options;
}

SimBroker::SimBroker(std::uint64_t seed, broker::ShardSettings settings, log::LogOptions log)
    : settings_(std::move(settings)), log_(std::move(log)), random_(seed), transport_(random_.next()) {
    files_.before_sync = [this] {
        if (in_sync && committing_ && !cycling_ && !dead_) in_sync();
    };
}

Result<void> SimBroker::start() {
    if (shard_) end_life();
    auto shard = broker::Shard::open(settings_, log_,
                                     {.transport = transport_,
                                      .files = files_,
                                      .clock = clock_,
                                      .entropy = [this] { return random_.next(); },
                                      .make_background = [] { return std::make_unique<InlineBackground>(); }});
    if (!shard) return fail(shard.error());
    shard_ = std::move(*shard);
    shard_->log().on_commit([this] {
        if (in_commit && !dead_ && !shard_->log().failed()) in_commit();
    });
    return {};
}

std::size_t SimBroker::cycle() {
    if (!running()) return 0;
    cycling_ = true;
    const std::size_t work = shard_->do_work(clock_.now());
    cycling_ = false;
    return work;
}

std::size_t SimBroker::commit() {
    if (!running() || committing_) return 0;
    committing_ = true;
    const std::size_t records = shard_->log().committer().do_work();
    committing_ = false;
    if (dead_) end_life();
    return records;
}

void SimBroker::settle() {
    // Deliberately bounded: a shard that never comes to rest is a failure, not a hang.
    for (int round = 0; round < 10'000; ++round) {
        const std::size_t work = cycle() + commit();
        if (work == 0) return;
    }
    throw std::runtime_error("the shard does not come to rest");
}

Result<void> SimBroker::stop() {
    shard_->drain();
    for (int round = 0; round < 10'000 && !(shard_->quiet() || shard_->failed()); ++round) {
        cycle();
        commit();
    }
    shard_->finish();
    while (commit() > 0) {
    }
    const auto error = shard_->log().failed();
    end_life();
    if (error) return fail(*error);
    return {};
}

void SimBroker::kill() {
    files_.kill_process();
    dead_ = true;
    if (!committing_) end_life();
}

void SimBroker::power_cut(std::uint64_t seed) {
    files_.power_cut(seed);
    dead_ = true;
    if (!committing_) end_life();
}

void SimBroker::end_life() {
    shard_.reset();
    dead_ = false;
    transport_.broker_gone();
}

}  // namespace telpher::sim
