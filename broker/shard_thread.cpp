#include "broker/shard_thread.h"

#include <malloc.h>
#include <pthread.h>

#include <algorithm>
#include <climits>

#include "broker/thread_background.h"
#include "proto/base/random.h"
#include "proto/service/log_line.h"

namespace telpher::broker {
namespace {

constexpr int kCommitWaitMs = 1000;
constexpr auto kIdle = std::chrono::milliseconds(300);         // asleep for so long in one go
constexpr std::size_t kWorkWorthATrim = 1000;                  // steps; heartbeats alone are not
constexpr auto kGoodbyeTime = std::chrono::milliseconds(100);  // for the last frames to leave

}  // namespace

ShardThread::ShardThread(void* context, log::FileSystem& files, const Clock& clock, const UserBook& users,
                         std::function<void()> on_failed)
    : context_(context), files_(files), clock_(clock), users_(users), on_failed_(std::move(on_failed)) {}

ShardThread::~ShardThread() {
    static_cast<void>(stop());
    shard_.reset();
    router_.reset();
}

Result<void> ShardThread::start(Settings settings) {
    auto router = Router::make(context_, settings.router);
    if (!router) return fail(router.error());
    router_ = std::move(*router);
    drain_max_ = settings.drain_max;
    Shard::Seams seams{
        .transport = *router_,
        .files = files_,
        .clock = clock_,
        .entropy = [] { return system_entropy(); },
        .make_background = [this] { return std::make_unique<ThreadBackground>([this] { wake_.notify(); }); },
        .on_replayed = std::move(settings.on_replayed),
        .refusals = settings.router.refusals};
    auto shard = Shard::open(std::move(settings.shard), std::move(settings.log), std::move(seams));
    if (!shard) return fail(shard.error());
    shard_ = std::move(*shard);
    replayed_ = true;
    look_up_users();
    if (auto bound = router_->listen(settings.listen); !bound) return bound;
    tell_size();
    shard_->log().on_commit([this] { wake_.notify(); });
    commit_thread_ = std::thread([this] { run_commits(); });
    turned_ns_ = clock_.now().ns;
    bound_ = true;
    inbox_.open();
    thread_ = std::thread([this] { run(); });
    return {};
}

void ShardThread::run_commits() {
    ::pthread_setname_np(::pthread_self(), "commit-0");
    log::Committer& committer = shard_->log().committer();
    while (!commits_stopping_) {
        if (committer.do_work() == 0) committer.wait(kCommitWaitMs);
    }
    while (committer.do_work() > 0) {
    }
}

void ShardThread::change(const LiveSettings& live) {
    mail_.put(live);
    wake_.notify();
}

void ShardThread::take_mail() {
    const auto live = mail_.take();
    if (!live) return;
    shard_->change(*live);
    router_->limit(live->connections_max, live->hello_timeout);
}

void ShardThread::tell_size() {
    queues_.store(shard_->queue_count(), std::memory_order_relaxed);
    connections_seen_.store(router_->connections(), std::memory_order_relaxed);
}

ShardThread::Pulse ShardThread::pulse() const {
    return {Instant{turned_ns_.load(std::memory_order_relaxed)}, queues_.load(std::memory_order_relaxed),
            connections_seen_.load(std::memory_order_relaxed)};
}

void ShardThread::run() {
    ::pthread_setname_np(::pthread_self(), "shard-0");
    Instant began = clock_.now();
    while (!stopping_) {
        const Instant now = clock_.now();
        loop_lag_.observe((now - began - std::exchange(slept_, {})).count());
        began = now;
        take_mail();
        tell_size();
        look_up_users();
        work_since_trim_ += step(now);  // sleep() looks again
        note_departures();
        tell_of_disk();
        tell_of_checkpoints();
        tell_of_failure();
        sleep();
    }
    drain();
}

std::size_t ShardThread::step(Instant now) {
    turned_ns_.store(now.ns, std::memory_order_relaxed);
    router_->tick(now);
    const std::size_t work = shard_->do_work(now);
    return work + serve_samples();
}

/// One slice for one of those who wait.
std::size_t ShardThread::serve_samples() {
    SampleRequest* request = inbox_.front();
    if (request == nullptr) return 0;
    if (shard_->sample(request->job)) {
        request->job.sample.loop_lag = loop_lag_;
        inbox_.finish_front();
    }
    return 1;
}

Health ShardThread::health() const {
    Health health;
    health.replayed = replayed_;
    health.bound = bound_;
    health.draining = stopping_;
    health.disk_full = disk_is_full_;
    health.log_waits = log_waits_;
    if (failed_) health.failure = failure_;
    if (bound_) health.silent = std::max(Duration(0), clock_.now() - Instant{turned_ns_});
    return health;
}

Result<Sample> ShardThread::sample(SampleQuery query, Duration timeout) {
    return inbox_.ask(std::move(query), timeout, [this] { wake_.notify(); });
}

void ShardThread::look_up_users() {
    const std::uint64_t generation = users_.generation();
    if (std::exchange(users_generation_, generation) != generation) shard_->set_users(users_.get());
}

/// What waited for a peer that did not read goes with it, which may be much.
void ShardThread::note_departures() {
    const std::size_t before = std::exchange(connections_, router_->connections());
    if (connections_ < before) work_since_trim_ += kWorkWorthATrim;
}

void ShardThread::tell_of_disk() {
    disk_is_full_.store(shard_->disk_full(), std::memory_order_relaxed);
    log_waits_.store(shard_->log().waits_for_room(), std::memory_order_relaxed);
    if (std::exchange(disk_full_, shard_->disk_full()) != disk_full_) {
        service::log_line(
            spdlog::level::warn, disk_full_ ? "disk.full" : "disk.freed",
            disk_full_ ? "little room left on the disk: puts get E_DISK_FULL" : "there is room on the disk again");
    }
    if (std::exchange(waits_for_room_, shard_->log().waits_for_room()) != waits_for_room_) {
        service::log_line(spdlog::level::warn, waits_for_room_ ? "log.waits" : "log.goes_on",
                          waits_for_room_ ? "no room on the disk for the log: nothing is confirmed until there is"
                                          : "the log goes on");
    }
}

void ShardThread::tell_of_checkpoints() {
    const Shard::CheckpointFigures& checkpoints = shard_->checkpoints();
    if (std::exchange(checkpoints_failed_, checkpoints.failed) == checkpoints.failed) return;
    service::log_line(spdlog::level::warn, "checkpoint.failed",
                      "no checkpoint could be written, the next start takes longer: " + checkpoints.last_error);
}

void ShardThread::tell_of_failure() {
    if (!shard_->failed() || failed_) return;
    failure_ = shard_->failed()->message();
    failed_ = true;
    on_failed_();
}

void ShardThread::sleep() {
    wake_.prepare();
    // What happened before did not wake us: look once more.
    const bool told = mail_.waiting() || users_.generation() != users_generation_;
    if (stopping_ || told || shard_->do_work(clock_.now()) + serve_samples() > 0) return wake_.awake();
    const Duration left = std::min(shard_->next_timer(), router_->next_timer()) - clock_.now();
    const auto ms = std::clamp<std::int64_t>(std::chrono::ceil<std::chrono::milliseconds>(left).count(), 0, 500);
    const Instant asleep = clock_.now();
    const bool woken = router_->wait(wake_.fd(), static_cast<int>(ms), !shard_->frames_wait());
    wake_.awake();
    if (woken) wake_.clear();
    slept_ = clock_.now() - asleep;
    if (slept_ > kIdle) give_memory_back();
}

/// What a burst needed stays with the allocator, which keeps it for the next one: an idle broker is to be small.
void ShardThread::give_memory_back() {
    if (work_since_trim_ < kWorkWorthATrim) return;
    work_since_trim_ = 0;
    ::malloc_trim(0);
}

void ShardThread::drain() {
    // A shard that failed has told its clients already.
    if (!shard_->failed()) {
        shard_->drain();
        cycle_until([this] { return shard_->quiet() || shard_->failed(); }, clock_.now() + drain_max_);
        shard_->finish();
        const log::Log& log = shard_->log();
        cycle_until([&] { return log.committed_lsn() == log.last_lsn() || log.failed(); }, clock_.now() + drain_max_);
    }
    cycle_until([] { return false; }, clock_.now() + kGoodbyeTime);
}

void ShardThread::cycle_until(const std::function<bool()>& done, Instant deadline) {
    for (;;) {
        const Instant now = clock_.now();
        const std::size_t work = step(now);
        if (done() || now >= deadline) return;
        if (work > 0) continue;
        wake_.prepare();
        const bool woken = router_->wait(wake_.fd(), 5);
        wake_.awake();
        if (woken) wake_.clear();
    }
}

Result<void> ShardThread::stop() {
    if (thread_.joinable()) {
        stopping_ = true;
        wake_.notify();
        thread_.join();
        bound_ = false;
        inbox_.close();
        commits_stopping_ = true;
        shard_->log().committer().stop();
        commit_thread_.join();
    }
    if (shard_ && shard_->failed()) return fail(*shard_->failed());
    if (shard_ && shard_->log().failed()) return fail(*shard_->log().failed());
    return {};
}

}  // namespace telpher::broker
