#include "tests/sim/world.h"

#include <algorithm>

#include "proto/base/running_hash.h"
#include "proto/batch.h"

namespace telpher::sim {
namespace {

using namespace std::chrono_literals;

/// Each run has a power cut under load, so many steps on or up to twice as many.
constexpr std::uint64_t kCutEarliest = 400;
constexpr std::uint64_t kStepsMax = 400'000;
/// Queues are sealed, and mostly reopened once they ended, when so much of the run is over.
constexpr double kSealFrom = 0.5;
constexpr int kHealRounds = 6000;
/// So many of them are rough when the end is told: it must wait for the log.
constexpr int kRoughRounds = 300;

}  // namespace

World::World(std::uint64_t seed, Marks& marks, const Goals& goals, std::optional<FileFault> only)
    : random_(seed),
      marks_(marks),
      goals_(goals),
      only_(only),
      specs_(draw_queues(random_)),
      oracle_(specs_),
      broker_(random_.next(), draw_settings(random_), small_log()) {
    broker_.transport().on_send([this](PeerId peer, const Frame& frame) { tap(peer, frame); });
    broker_.in_commit = [this] { in_commit(); };
    broker_.in_sync = [this] { in_sync(); };
    oracle_.on_ask_attached([this](std::uint32_t sub) {
        const auto peer = subs_.find(sub);
        return peer != subs_.end() && broker_.transport().connected(peer->second);
    });
    make_clients();
    draw_deeds();
}

/// Now and then nearly no checkpoint, so that all of the log is read again, hardly a body in memory, or nobody who
/// looks for damage before it is met.
broker::ShardSettings World::draw_settings(Random& random) {
    broker::ShardSettings settings = small_settings();
    if (random.below(3) == 0) settings.checkpoint_bytes *= 16;
    if (random.below(3) == 0) settings.cache_bytes_max /= 16;
    if (random.below(2) == 0) settings.scrub_interval = Duration(0);
    if (random.below(3) == 0) settings.rewrite_age = std::chrono::seconds(10);
    return settings;
}

/// One fsync queue that blocks always; the others as they come.
std::vector<QueueSpec> World::draw_queues(Random& random) {
    constexpr std::array<std::uint64_t, 5> kSizes{1, 3, 10, 40, 300};
    std::vector<QueueSpec> specs(1 + random.below(3));
    for (std::size_t i = 0; i < specs.size(); ++i) {
        QueueSpec& spec = specs[i];
        spec.name = "queue" + std::to_string(i);
        spec.maxsize = kSizes[random.below(kSizes.size())];
        if (random.below(3) == 0) spec.lease_ms = 300;
        if (random.below(3) == 0) spec.max_attempts = static_cast<std::uint32_t>(1 + random.below(3));
        if (i == 0) continue;
        spec.on_full = static_cast<OnFull>(1 + random.below(3));
        spec.durability = static_cast<Durability>(1 + random.below(3));
    }
    return specs;
}

SimClient::World World::view() { return {broker_, oracle_, random_, marks_, work_, healing_}; }

void World::make_clients() {
    const auto add = [&]<class Client>(std::vector<Client*>& list, std::size_t queue) {
        auto client = std::make_unique<Client>(view(), queue, specs_[queue]);
        list.push_back(client.get());
        clients_.push_back(std::move(client));
    };
    for (std::size_t queue = 0; queue < specs_.size(); ++queue) {
        add(watchers_, queue);
        for (std::uint64_t left = 1 + random_.below(2); left > 0; --left) add(producers_, queue);
        for (std::uint64_t left = 1 + random_.below(2); left > 0; --left) add(consumers_, queue);
        if (random_.below(2) == 0) add(followers_, queue);
    }
}

/// Faults come with weights of the seed's own, some not at all: a run in which everything goes wrong all the time gets
/// nowhere.
void World::draw_deeds() {
    deeds_ = {
        {5600, false, &World::client_step},   {2000, false, &World::cycle},
        {1400, false, &World::commit},        {580, false, &World::short_time},
        {60, false, &World::long_time},       {10, false, &World::seal_one},
        {30, false, &World::free_disk},       {60, false, &World::let_connections_go},
        {150, true, &World::lose_connection}, {20, true, &World::kill_client},
        {40, true, &World::stall_connection}, {15, true, &World::break_storage},
        {20, true, &World::slow_down_sync},   {4, true, &World::hang_sync},
        {8, true, &World::fill_disk},         {6, true, &World::stop_broker},
        {12, true, &World::kill_broker},      {12, true, &World::cut_power},
    };
    damage_of_8_ = only_ ? 0 : random_.below(4);
    for (Deed& deed : deeds_) {
        if (deed.fault) deed.weight = only_ ? 0 : deed.weight * random_.below(5) / 2;
        weights_ += deed.weight;
    }
}

void World::tap(PeerId peer, const Frame& frame) {
    RunningHash hash(trace_ + peer.value());
    hash.add(as_bytes(frame.header));
    for (const Slice& body : frame.bodies) hash.add(body.bytes());
    trace_ = hash.value();

    if (frame.op == v1::OP_ATTACHED) {
        for (const SimConsumer* consumer : consumers_) {
            if (consumer->peer() != peer) continue;
            const std::uint32_t sub = frame.as<v1::Attached>().sub();
            subs_[sub] = peer;
            oracle_.attached(sub, consumer->queue());
        }
    } else if (frame.op == v1::OP_DELIVER) {
        tap_deliver(frame);
    } else if (frame.op == v1::OP_END) {
        const auto end = frame.as<v1::End>();
        oracle_.end_sent(end.sub(), end.generation());
        cut_soon(3);
    }
}

void World::tap_deliver(const Frame& frame) {
    const auto deliver = frame.as<v1::Deliver>();
    std::uint64_t at = 0;
    for (std::uint32_t i = 0; i < deliver.count(); ++i) {
        const auto bytes = load_le<std::uint32_t>(frame.bodies.at(0).data() + i * sizeof(std::uint32_t));
        if (bytes == 0) continue;  // left out
        ++work_.deliveries;
        const auto record = batch::decode_record(frame.bodies.at(1).bytes().subspan(at, bytes));
        at += bytes;
        if (!record) return oracle_.violation("altered", "a record that does not decode");
        oracle_.delivered({.sub = deliver.sub(),
                           .offset = deliver.first_offset() + i,
                           .delivery = deliver.delivery(),
                           .attempt = deliver.attempt(),
                           .at = broker_.clock().now()},
                          record->payload);
    }
}

/// Of a queue that was joined at its end.
std::uint32_t World::generation_of(std::size_t queue) const {
    const auto watcher = std::find_if(watchers_.begin(), watchers_.end(),
                                      [queue](const SimWatcher* one) { return one->queue() == queue; });
    return (*watcher)->joined_generation();
}

std::string World::run() {
    if (auto started = first_start(); !started) return "cannot start: " + started.error().message();
    const std::uint64_t cut_at = kCutEarliest + random_.below(kCutEarliest);
    for (; !over() && (work_.steps < 2 * kCutEarliest || !enough()); ++work_.steps) {
        work_.steps == cut_at && !only_ ? crash(Death::kPowerCut) : something();
        if (!over()) look();
        if (work_.steps == kStepsMax) oracle_.violation("stuck", "the run does not get anywhere");
    }
    if (!over()) drain();
    if (!over()) oracle_.finish();
    if (!over()) seal();
    if (!over()) cut_once_more();
    if (oracle_.redelivered() > 0) marks_.hit(Sometimes::kRedelivered);
    return oracle_.verdict();
}

Result<void> World::first_start() {
    if (!only_ || only_->nth == 0) return broker_.start();
    storage_broken_ = true;
    broker_.files().fail_nth(only_->op, only_->nth, only_->code);
    auto started = broker_.start();
    told_ = !started;
    return started ? started : broker_.start();
}

/// So much of its goals the run has reached.
bool World::enough(double part) const {
    const auto reached = [part](std::uint64_t value, std::uint64_t goal) {
        return static_cast<double>(value) >= part * static_cast<double>(goal);
    };
    return reached(work_.simulated_ms, goals_.simulated_ms) && reached(work_.operations(), goals_.operations) &&
           reached(work_.faults, goals_.faults);
}

void World::something() {
    std::uint64_t die = random_.below(weights_);
    for (const Deed& deed : deeds_) {
        if (die < deed.weight) {
            work_.faults += deed.fault ? 1 : 0;
            return (this->*deed.act)();
        }
        die -= deed.weight;
    }
}

void World::look() {
    look_for_failure();
    if (over() || !broker_.running()) return;
    broker::SampleJob job;
    job.query.queues = true;
    while (!broker_.shard().sample(job)) {
    }
    for (const broker::QueueSample& sample : job.sample.queues) {
        const auto spec = std::find_if(specs_.begin(), specs_.end(),
                                       [&](const QueueSpec& one) { return one.name == sample.state.name(); });
        if (spec == specs_.end()) return oracle_.violation("invented", "a queue nobody made");
        oracle_.observed(static_cast<std::size_t>(spec - specs_.begin()), sample.state);
    }
    mark_progress(job.sample);
}

void World::mark_progress(const broker::Sample& sample) {
    for (const broker::QueueSample& queue : sample.queues) {
        marks_.hit_if(queue.lease_ended > 0, Sometimes::kLeaseExpired);
        marks_.hit_if(queue.state.dropped() > 0, Sometimes::kDropped);
    }
    broker::Shard& shard = broker_.shard();
    const std::uint64_t reads = broker_.files().count(test::FaultyFileSystem::Op::kRead);
    const bool upkeep = shard.rewriter().working() || sample.upkeep.scrubbed_bytes != scrubbed_;
    marks_.hit_if(reads != reads_ && !upkeep, Sometimes::kReadFromDisk);
    reads_ = reads;
    scrubbed_ = sample.upkeep.scrubbed_bytes;
    const std::size_t segments = broker_.shard().log().space().segments;
    marks_.hit_if(segments < segments_, Sometimes::kReclaimed);
    segments_ = segments;
    marks_.hit_if(scrubbed_ > 0, Sometimes::kScrubbed);
    marks_.hit_if(sample.upkeep.checkpoint_failures > 0, Sometimes::kCheckpointFailed);
    told_ |= sample.upkeep.checkpoint_failures > 0 || shard.disk_full() || shard.log().waits_for_room();
    marks_.hit_if(shard.rewriter().segments_freed() > 0, Sometimes::kRewritten);
}

void World::pass(std::chrono::milliseconds time) {
    broker_.advance(time);
    work_.simulated_ms += static_cast<std::uint64_t>(time.count());
}

void World::short_time() { pass(std::chrono::milliseconds(1 + random_.below(40))); }
void World::long_time() { pass(std::chrono::milliseconds(200 + random_.below(2500))); }

void World::seal_one() {
    if (!enough(kSealFrom)) return;
    SimWatcher& watcher = *watchers_[random_.below(watchers_.size())];
    if (specs_[watcher.queue()].max_attempts == 0) watcher.seal();
}

template <class Done>
void World::heal(const char* what, Done done) {
    for (int round = 0; round < kHealRounds; ++round) {
        for (const auto& client : clients_) client->step();
        broker_.cycle();
        broker_.commit();
        pass(10ms);
        if (rough_ && !only_ && round < kRoughRounds && random_.below(60) == 0)
            crash(random_.below(2) == 0 ? Death::kKill : Death::kPowerCut);
        look();
        if (over() || done()) return;
    }
    std::string text = what;
    for (const SimWatcher* watcher : watchers_) {
        const v1::QueueState& state = watcher->state();
        text += " " + state.name() + " has " + std::to_string(state.ready()) + " ready, " +
                std::to_string(state.leased()) + " leased, " + std::to_string(state.delayed()) + " delayed, " +
                std::to_string(state.consumers()) + " consumers, " + std::to_string(state.blocked_producers()) +
                " producers that wait;";
    }
    for (const auto& client : clients_)
        text += client->idle() ? "" : ", a client of queue " + std::to_string(client->queue());
    oracle_.violation("stuck", text);
}

void World::drain() {
    healing_ = true;
    free_disk();
    let_connections_go();
    const auto idle = [](const auto& client) { return client->idle(); };
    const auto fresh = [](const SimWatcher* watcher) { return watcher->fresh(); };
    const auto empty = [](const SimWatcher* watcher) { return watcher->live() + watcher->state().dead() == 0; };
    bool asked = false;  // the queues are looked at only once nobody has anything open, or a put may still be in line
    heal("draining:", [&] {
        if (!std::all_of(clients_.begin(), clients_.end(), idle)) return asked = false;
        if (!asked) {
            for (SimWatcher* watcher : watchers_) watcher->look_again();
            asked = true;
        } else if (std::all_of(watchers_.begin(), watchers_.end(), fresh)) {
            if (std::all_of(watchers_.begin(), watchers_.end(), empty)) return true;
            asked = false;
        }
        return false;
    });
}

void World::seal() {
    rough_ = true;
    for (SimWatcher* watcher : watchers_) watcher->seal();
    heal("sealing:", [&] {
        return std::all_of(watchers_.begin(), watchers_.end(), [](const auto* watcher) { return watcher->joined(); }) &&
               std::all_of(consumers_.begin(), consumers_.end(),
                           [&](const auto* consumer) { return consumer->ended() >= generation_of(consumer->queue()); });
    });
}

/// What was settled stays settled.
void World::cut_once_more() {
    rough_ = false;
    die(Death::kPowerCut);
    restart();
    if (!over()) drain();
}

}  // namespace telpher::sim
