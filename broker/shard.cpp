#include "broker/shard.h"

#include <algorithm>
#include <span>

#include "broker/checkpoint.h"
#include "broker/replay.h"
#include "broker/snapshot.h"
#include "proto/base/check.h"
#include "proto/base/mutant.h"
#include "proto/frame.h"

namespace telpher::broker {
namespace {

constexpr auto kMaintainEvery = std::chrono::milliseconds(500);
/// Room that puts leave for the records of settles, which free it again.
constexpr std::uint64_t kReserveSegments = 2;
/// Delivered marks go with the next records; alone only after this long.
constexpr auto kMarksAfter = std::chrono::milliseconds(200);
/// A mark is 35 bytes at most, a record's meta 64 KiB.
constexpr std::size_t kMarksPerRecord = 1500;
/// A checkpoint of what costs less to replay is not worth its sync.
constexpr std::uint64_t kCheckpointWorth = 8 * limits::kMiB;
/// It is written when it is so old, if it is worth it ...
constexpr auto kCheckpointAge = std::chrono::seconds(30);
/// ... and at the latest when what follows it costs so many times its own size.
constexpr std::uint64_t kCheckpointRatio = 8;
/// Rounds of "admit, commit, deliver" in one cycle: what is left goes on in the next.
constexpr int kRoundsMax = 8;

}  // namespace

Shard::Shard(ShardSettings settings, Seams seams)
    : settings_(std::move(settings)),
      seams_(std::move(seams)),
      sessions_(settings_, seams_.entropy),
      store_(settings_.cache_bytes_max) {}

Shard::~Shard() = default;

Result<std::unique_ptr<Shard>> Shard::open(ShardSettings settings, log::LogOptions log_options, Seams seams) {
    std::unique_ptr<Shard> shard(new Shard(std::move(settings), std::move(seams)));
    if (auto done = shard->replay(std::move(log_options)); !done) return fail(done.error());
    return shard;
}

Result<void> Shard::replay(log::LogOptions options) {
    started_ = seams_.clock.now();
    Replay replay(catalog_, started_, seams_.clock.wall());
    segment_bytes_ = options.segment_bytes;
    const auto take = [&](const log::RecordView& record) {
        if (seams_.on_replayed) seams_.on_replayed();
        return replay.take(record);
    };
    const auto accept = [&](SegmentId first, SegmentId last) { return replay.check_whole(first, last); };
    auto log = log::Log::open(seams_.files, std::move(options), take, accept);
    if (!log) return fail(log.error());
    log_ = std::move(*log);
    replay.finish(*log_, started_ + settings_.restart_hold, started_ + settings_.session_lease);
    if (auto enough = check_room(); !enough) return enough;
    boot_ = replay.boot() + (TELPHER_MUTANT("boot-not-raised") ? 0 : 1);
    recovered_messages_ = replay.messages();
    wire();
    begin_boot();
    return {};
}

/// What the log can grow by; unknown if the file system does not say.
std::optional<std::uint64_t> Shard::room() const {
    const auto free = seams_.files.free_bytes(settings_.data_dir);
    return free ? std::optional(log_->room(*free)) : std::nullopt;
}

/// A start that must begin a segment and cannot would serve nobody.
Result<void> Shard::check_room() const {
    const auto there = room();
    if (!there || *there >= segment_bytes_ || !log_->needs_roll(settings_.step_meta_bytes, 0)) return {};
    return fail(Code::kDiskFull, settings_.data_dir + ": the next segment of the log needs " +
                                     std::to_string(segment_bytes_) + " bytes, " + std::to_string(*there) +
                                     " are free");
}

void Shard::wire() {
    boot_id_ = seams_.entropy();
    journal_ = std::make_unique<Journal>(*log_, settings_.step_meta_bytes);
    journal_->on_snapshot([this] {
        disk_due_ = true;
        return make_snapshot(catalog_, boot_);
    });
    core_ = std::make_unique<Core>(Core{.settings = settings_,
                                        .transport = seams_.transport,
                                        .log = *log_,
                                        .journal = *journal_,
                                        .sessions = sessions_,
                                        .catalog = catalog_,
                                        .store = store_,
                                        .gate = gate_,
                                        .now = started_,
                                        .wall = seams_.clock.wall(),
                                        .users = std::make_shared<const Users>(),
                                        .protocol_errors = {},
                                        .refusals = seams_.refusals,
                                        .dead = {}});
    background_ = seams_.make_background();
    gets_ = std::make_unique<GetDesk>(*core_, *background_);
    puts_ = std::make_unique<PutDesk>(*core_, *gets_);
    ends_ = std::make_unique<EndDesk>(*core_, *puts_, *gets_);
    queues_ = std::make_unique<QueueDesk>(*core_, *puts_, *gets_, *ends_);
    sampler_ = std::make_unique<Sampler>(
        *core_,
        Sampler::Constants{.boot = boot_, .boot_id = boot_id_, .started = started_, .segment_bytes = segment_bytes_});
    rewriter_ = std::make_unique<Rewriter>(*core_, *background_);
    scrubber_ = std::make_unique<Scrubber>(*core_, *background_, boot_id_);
    puts_->start(boot_);
}

void Shard::begin_boot() {
    journal_->reserve(0);
    journal_->boot(boot_, core_->wall);
    for (const auto& [name, queue] : catalog_.by_name()) {
        catalog_.touch(*queue);
        if (queue->durable()) continue;
        journal_->reserve(0);
        queue->lost += queue->memory_lost;
        queue->lost_lately += queue->memory_lost;
        queue->lost_generation = queue->generation;
        ++queue->generation;
        queue->queue.restore_sealed(false);
        queue->seal_asked = false;
        log::v1::QueueMeta change;
        change.set_change(log::v1::QueueMeta::CHANGE_RESTARTED);
        change.set_generation(queue->generation);
        change.set_lost(queue->memory_lost);
        journal_->queue_changed(queue->id, change);
    }
    journal_->flush();
    maintain_at_ = started_;
}

std::size_t Shard::do_work(Instant now) {
    if (failed_ || ended_) return 0;
    core_->now = now;
    core_->wall = seams_.clock.wall();
    std::size_t work = take_gone();
    work += take_frames();
    work += run_finished();
    if (failed_) return work;
    run_timers();
    work += look_after_queues();
    log_marks(journal_->dirty() || now >= marks_at_);
    if (checkpoint_due()) begin_checkpoint();
    journal_->flush();
    for (const PeerId peer : std::exchange(core_->dead, {})) lost_connection(peer);
    if (auto error = log_->failed()) fail_all(*error);
    return work;
}

std::size_t Shard::run_finished() {
    const std::uint64_t read_before = gets_->bodies_read();
    const std::size_t finished = background_->run_finished();
    if (gets_->damage()) {
        fail_all(*gets_->damage());
    } else if (rewriter_->damage()) {
        fail_all(*rewriter_->damage());
    } else if (scrubber_->damage()) {
        fail_all(*scrubber_->damage());
    } else if (gets_->bodies_read() != read_before) {
        queues_->retry_peeks();
    }
    return finished;
}

std::size_t Shard::take_gone() {
    std::size_t gone = 0;
    PeerId peer;
    while (seams_.transport.next_gone(peer)) {
        lost_connection(peer);
        ++gone;
    }
    return gone;
}

std::size_t Shard::take_frames() {
    std::size_t frames = 0;
    std::size_t bytes = 0;
    Incoming incoming;
    const std::size_t bytes_max = cycle_bytes();
    while (frames < limits::kCycleFramesMax && bytes < bytes_max && seams_.transport.receive(incoming)) {
        ++frames;
        bytes += incoming.header.size() + incoming.bodies[0].size() + incoming.bodies[1].size();
        take(incoming);
        incoming = Incoming();
    }
    return frames;
}

/// What is put waits for the commit of all that was appended before it. So frames are not taken far ahead of the disk:
/// the transport takes them from its peers in turn, and who puts little waits for little beside one who puts much. A
/// log that waits for room commits nothing, and the settles that make room must come in.
std::size_t Shard::cycle_bytes() const {
    if (log_->waits_for_room()) return limits::kShardCycleBytesMax;
    const std::uint64_t ahead = log_->uncommitted_bytes();
    const std::uint64_t ahead_max = 2 * log_->group_bytes();
    return ahead_max > ahead ? std::min<std::uint64_t>(ahead_max - ahead, limits::kShardCycleBytesMax) : 0;
}

std::size_t Shard::look_after_queues() {
    std::size_t work = run_gate();
    for (int round = 0; round < kRoundsMax && catalog_.any_touched(); ++round) {
        const std::vector<QueueId> touched = catalog_.take_touched();
        for (const QueueId id : touched) {
            if (HostedQueue* queue = catalog_.find(id)) puts_->admit(*queue);
        }
        run_gate();
        for (const QueueId id : touched) {
            HostedQueue* queue = catalog_.find(id);
            if (queue == nullptr) continue;
            gets_->deliver(*queue);  // first: somebody is idle until then
            puts_->tell(*queue);
            gets_->tell(*queue);
            gets_->recall(*queue);
            core_->journal.reserve(0);
            ends_->check(*queue);
            const Instant recall = queue->recall_due ? queue->recall_at : Instant::never();
            catalog_.schedule(*queue, std::min(queue->queue.next_due(), recall));
            want_mark(*queue);
        }
        run_gate();
        work += touched.size();
    }
    return work;
}

std::size_t Shard::run_gate() {
    return gate_.run([this](queue::Durability durability) { return core_->safe_upto(durability); });
}

void Shard::want_mark(HostedQueue& queue) {
    const bool count_changed = !queue.durable() && queue.unfinished() != queue.unfinished_logged;
    if (queue.mark_needed() <= queue.mark_logged && !count_changed) return;
    if (!queue.mark_due) marked_.push_back(queue.id);
    queue.mark_due = true;
    marks_at_ = queue.queue.held_back() ? core_->now : std::min(marks_at_, core_->now + kMarksAfter);
}

void Shard::log_marks(bool now) {
    if (!now) return;
    marks_at_ = Instant::never();
    const std::vector<QueueId> marked = std::exchange(marked_, {});
    for (std::size_t at = 0; at < marked.size(); at += kMarksPerRecord) {
        const auto part = std::span(marked).subspan(at, std::min(kMarksPerRecord, marked.size() - at));
        log::v1::MarkMeta meta;
        for (const QueueId id : part) {
            if (HostedQueue* queue = catalog_.find(id)) mark(*queue, meta);
        }
        if (meta.marks().empty()) continue;
        journal_->reserve(0);
        journal_->marks(meta);
        for (const auto& mark : meta.marks()) allow_marked(QueueId(mark.queue()), Offset(mark.delivered()));
    }
}

void Shard::mark(HostedQueue& queue, log::v1::MarkMeta& meta) {
    queue.mark_due = false;
    queue.mark_logged = std::max(queue.mark_logged, queue.mark_wanted());
    queue.mark_base = queue.queue.delivered_mark();
    auto* mark = meta.add_marks();
    mark->set_queue(queue.id.value());
    mark->set_delivered(queue.mark_logged.value());
    mark->set_again(queue.again_logged.value());
    if (queue.durable()) return;
    queue.unfinished_logged = queue.unfinished();
    mark->set_memory_unfinished(queue.unfinished_logged);
}

/// What the log says was handed out may be, once that is safe.
void Shard::allow_marked(QueueId id, Offset end) {
    const HostedQueue* queue = catalog_.find(id);
    if (!queue->durable()) return;
    auto durability = queue->queue.options().durability;
    if (TELPHER_MUTANT("mark-not-gated")) durability = queue::Durability::kMemory;
    gate_.add(durability, journal_->last(), [this, id, end] {
        HostedQueue* still = catalog_.find(id);
        if (still == nullptr) return;
        still->queue.allow(end);
        catalog_.touch(*still);
    });
}

void Shard::run_timers() {
    for (const QueueId id : catalog_.take_due(core_->now)) {
        if (HostedQueue* queue = catalog_.find(id)) gets_->run_timers(*queue);
    }
    if (core_->now >= maintain_at_) maintain();
    if (std::exchange(disk_due_, false)) look_at_disk();  // a segment was begun
}

bool Shard::checkpoint_due() const {
    if (checkpoint_running_ || core_->disk_full) return false;
    const std::uint64_t cost = journal_->replay_cost() - checkpoint_cost_;
    if (cost >= std::max(settings_.checkpoint_bytes, kCheckpointRatio * checkpoints_.bytes)) return true;
    return cost >= std::max(kCheckpointWorth, kCheckpointRatio * checkpoints_.bytes) &&
           core_->now >= checkpoint_at_ + kCheckpointAge;
}

std::vector<std::string> Shard::checkpoint_parts() const {
    return make_checkpoint(catalog_, boot_, [this](Instant at) { return core_->wall_ms(at); });
}

/// What is known now is written beside the shard, once all of it is committed.
void Shard::begin_checkpoint() {
    const auto point = log_->point();
    if (!point) return;
    checkpoint_running_ = true;
    checkpoint_at_ = core_->now;
    checkpoint_cost_ = journal_->replay_cost();
    auto parts = std::make_shared<const std::vector<std::string>>(checkpoint_parts());
    gate_.add(queue::Durability::kFsync, point->lsn, [this, point = *point, parts = std::move(parts)] {
        background_->post(Background::Lane::kChores, [this, &log = *log_, point, parts]() -> Background::Finish {
            return [this, written = log.write_checkpoint(point, *parts)] { checkpoint_done(written); };
        });
    });
}

void Shard::checkpoint_done(const Result<std::uint64_t>& written) {
    checkpoint_running_ = false;
    if (written) {
        ++checkpoints_.written;
        checkpoints_.bytes = *written;
    } else {
        ++checkpoints_.failed;
        checkpoints_.last_error = written.error().message();
    }
}

void Shard::maintain() {
    maintain_at_ = core_->now + kMaintainEvery;
    sessions_.run_timers(
        core_->now,
        [&](Session& session) {
            const PeerId peer = session.peer;
            seams_.transport.kick(peer);
            lost_connection(peer);
        },
        [&](Session& session) {
            puts_->session_over(session);
            sessions_.remove(session.id);
        });
    for (const auto& [name, queue] : catalog_.by_name()) {
        if (!queue->producers.empty()) puts_->expire(*queue);
        if (queue->queue.waiters() > 0) catalog_.touch(*queue);  // a ROOM may have run out of patience
    }
    look_at_disk();
    journal_->reclaim();
    rewriter_->look();
    scrubber_->look();
}

void Shard::change(const LiveSettings& live) {
    settings_.scrub_interval = live.scrub_interval;
    settings_.disk_reserve_bytes = live.disk_reserve_bytes;
    settings_.queue_defaults = live.queue_defaults;
    look_at_disk();
}

bool Shard::sample(SampleJob& job) {
    job.sample.failed = failed_.has_value();
    job.sample.upkeep = {.checkpoints = checkpoints_.written,
                         .checkpoint_failures = checkpoints_.failed,
                         .rewritten_bytes = rewriter_->bytes_moved(),
                         .scrubbed_bytes = scrubber_->bytes(),
                         .scrub_errors = scrubber_->errors()};
    return sampler_->go_on(job);
}

void Shard::look_at_disk() {
    const auto there = room();
    core_->disk_room = there.value_or(0);
    core_->disk_full = there && *there < std::max(settings_.disk_reserve_bytes, kReserveSegments * segment_bytes_);
}

void Shard::lost_connection(PeerId peer) {
    Session* session = sessions_.of_peer(peer);
    if (session == nullptr) return;
    core_->journal.reserve(0);
    gets_->disconnected(*session);
    puts_->disconnected(*session);
    ends_->connection_over(*session);
    queues_->connection_over(*session);
    sessions_.disconnect(*session, core_->now);
}

void Shard::set_users(std::shared_ptr<const Users> users) {
    const std::set<std::string> lost_keys = core_->users->lost_keys(*users);
    core_->users = std::move(users);
    if (failed_ || ended_) return;
    std::vector<Session*> sessions;
    sessions_.for_each([&](Session& session) { sessions.push_back(&session); });
    for (Session* session : sessions) {
        // It may have come in with the key that counts no more: with another one it comes back.
        const bool is_user = core_->users->rights_of(session->user) != nullptr;
        if (is_user && session->connected && lost_keys.contains(session->user)) {
            seams_.transport.kick(session->peer);
            lost_connection(session->peer);
        }
        review(*session);
    }
    journal_->flush();
}

void Shard::review(Session& session) {
    const PeerId peer = session.peer;
    session.rights = core_->users->rights_of(session.user);
    if (session.rights == nullptr) {
        if (session.connected) {
            core_->refuse(peer, 0, Error(Code::kAuth, "there is no user " + session.user + " any more"));
        }
        return end(session);
    }
    const auto rights_on = [&](QueueId id) {
        const HostedQueue* queue = catalog_.find(id);
        return queue == nullptr ? RightSet() : session.rights->on(queue->name);
    };
    std::erase_if(session.producers, [&](const auto& producer) {
        if (rights_on(producer.first).any_of(RightSet::kPut)) return false;
        puts_->close_quietly(producer.first, producer.second, session.id);
        return true;
    });
    bool lost = false;
    for (auto& [id, handle] : session.handles) {
        const RightSet before = std::exchange(handle.rights, rights_on(handle.queue));
        lost = lost || (catalog_.find(handle.queue) != nullptr && !before.without(handle.rights).empty());
    }
    if (!lost || !session.connected) return;
    seams_.transport.kick(peer);
    lost_connection(peer);
}

Instant Shard::next_timer() const {
    if (failed_) return Instant::never();
    return std::min({catalog_.next_due(), maintain_at_, marks_at_});
}

void Shard::drain() {
    core_->draining = true;
    v1::Goodbye goodbye;
    goodbye.set_code(static_cast<std::uint32_t>(Code::kRestarting));
    goodbye.set_retry_after_ms(100);
    sessions_.for_each([&](Session& session) { core_->send(session, v1::OP_GOODBYE, goodbye); });
}

bool Shard::quiet() const { return gate_.empty() && !catalog_.any_touched() && log_->uncommitted_bytes() == 0; }

void Shard::finish() {
    TELPHER_CHECK(!ended_);
    ended_ = true;
    if (failed_) return;
    log_marks(true);
    const auto point = log_->point();
    const bool worth = journal_->replay_cost() - checkpoint_cost_ >= kCheckpointWorth;
    if (worth && point && point->lsn <= log_->committed_lsn() && !checkpoint_running_) {
        checkpoint_done(log_->write_checkpoint(*point, checkpoint_parts()));
    }
    journal_->reserve(0);
    journal_->end();
    journal_->flush();
}

bool Shard::disk_full() const { return core_->disk_full; }

std::optional<Error> Shard::failed() const { return failed_; }

void Shard::fail_all(const Error& error) {
    failed_ = error;
    v1::Goodbye goodbye;
    goodbye.set_code(static_cast<std::uint32_t>(Code::kStorage));
    goodbye.set_detail(error.message());
    goodbye.set_retry_after_ms(1000);
    sessions_.for_each([&](Session& session) { core_->send(session, v1::OP_GOODBYE, goodbye); });
}

}  // namespace telpher::broker
