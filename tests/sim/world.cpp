#include "tests/sim/world.h"

#include <xxhash.h>

#include <algorithm>

#include "proto/batch.h"

namespace telpher::sim {
namespace {

using namespace std::chrono_literals;
using Files = test::FaultyFileSystem;

constexpr int kSteps = 900;
constexpr int kHealRounds = 6000;
constexpr std::array kOps{Files::Op::kWrite,   Files::Op::kSync,   Files::Op::kRename,
                          Files::Op::kSyncDir, Files::Op::kCreate, Files::Op::kAllocate};

}  // namespace

World::World(std::uint64_t seed, Marks& marks)
    : random_(seed), marks_(marks), specs_(draw_queues(random_)), oracle_(specs_), broker_(random_.next()) {
    broker_.transport().on_send([this](PeerId peer, const Frame& frame) { tap(peer, frame); });
    broker_.in_commit = [this] { in_commit(); };
    make_clients();
}

/// One fsync queue that blocks always; the others as they come.
std::vector<QueueSpec> World::draw_queues(Random& random) {
    constexpr std::array<std::uint64_t, 4> kSizes{1, 3, 10, 40};
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

SimClient::World World::view() { return {broker_, oracle_, random_, marks_, healing_}; }

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

void World::tap(PeerId peer, const Frame& frame) {
    XXH3_state_t* state = XXH3_createState();
    XXH3_64bits_reset_withSeed(state, trace_ + peer.value());
    XXH3_64bits_update(state, frame.header.data(), frame.header.size());
    for (const Slice& body : frame.bodies) XXH3_64bits_update(state, body.data(), body.size());
    trace_ = XXH3_64bits_digest(state);
    XXH3_freeState(state);

    if (frame.op == v1::OP_ATTACHED) {
        for (const SimConsumer* consumer : consumers_) {
            if (consumer->peer() == peer) oracle_.attached(frame.as<v1::Attached>().sub(), consumer->queue());
        }
    } else if (frame.op == v1::OP_DELIVER) {
        const auto deliver = frame.as<v1::Deliver>();
        std::uint64_t at = 0;
        for (std::uint32_t i = 0; i < deliver.count(); ++i) {
            const auto bytes = load_le<std::uint32_t>(frame.bodies.at(0).data() + i * sizeof(std::uint32_t));
            const auto record = batch::decode_record(frame.bodies.at(1).bytes().subspan(at, bytes));
            at += bytes;
            if (!record) return oracle_.violation("altered", "a record that does not decode");
            oracle_.delivered(deliver.sub(), deliver.first_offset() + i, deliver.delivery(), record->payload);
        }
    } else if (frame.op == v1::OP_END) {
        oracle_.end_sent(frame.as<v1::End>().sub());
    }
}

std::string World::run() {
    if (auto started = broker_.start(); !started) return "cannot start: " + started.error().message();
    const int cut_at = static_cast<int>(kSteps / 4 + random_.below(kSteps / 2));
    for (int step = 0; step < kSteps && !over(); ++step) {
        step == cut_at ? crash(Death::kPowerCut) : something();
        if (!over()) look_for_failure();
    }
    if (!over()) drain();
    if (!over()) oracle_.finish();
    if (!over()) seal();
    if (!over()) cut_once_more();
    marks_.redelivered += oracle_.redelivered();
    marks_.confirmed += oracle_.confirmed();
    marks_.settled += oracle_.settled();
    return oracle_.verdict();
}

void World::something() {
    const std::uint64_t die = random_.below(1000);
    if (die < 560) {
        client_step();
    } else if (die < 760) {
        broker_.cycle();
    } else if (die < 900) {
        broker_.commit();
    } else if (die < 958) {
        broker_.advance(std::chrono::milliseconds(1 + random_.below(40)));
    } else if (die < 964) {
        broker_.advance(std::chrono::milliseconds(200 + random_.below(2500)));
    } else if (die < 986) {
        clients_[random_.below(clients_.size())]->lose();
    } else if (die < 992) {
        clients_[random_.below(clients_.size())]->die();
    } else if (die < 993) {
        SimWatcher& watcher = *watchers_[random_.below(watchers_.size())];
        if (specs_[watcher.queue()].max_attempts == 0) watcher.seal();
    } else if (die < 995) {
        break_storage();
    } else if (die < 996) {
        crash(Death::kStop);
    } else {
        crash(random_.below(2) == 0 ? Death::kKill : Death::kPowerCut);
    }
}

void World::client_step() { clients_[random_.below(clients_.size())]->step(); }

/// Between the commit thread's write, its sync and its publishing others go on.
void World::in_commit() {
    for (std::uint64_t left = random_.below(death_due_ ? 40 : 6); left > 0; --left) {
        random_.below(3) == 0 ? static_cast<void>(broker_.cycle()) : client_step();
    }
    if (death_due_ && --points_left_ == 0) die(*std::exchange(death_due_, std::nullopt));
}

void World::crash(Death death) {
    if (death != Death::kStop && random_.below(4) > 0) {
        death_due_ = death;
        points_left_ = 1 + random_.below(4);
        for (int i = 0; i < 20 && death_due_; ++i) {
            for (int steps = 0; steps < 4; ++steps) client_step();
            broker_.cycle();
            broker_.commit();
        }
        death_due_.reset();
    }
    if (broker_.running()) die(death);
    restart();
}

/// A device that fails, or a process that dies, in the middle of the commit thread's work.
void World::break_storage() {
    const Files::Op op = kOps[random_.below(kOps.size())];
    const std::uint64_t nth = 1 + random_.below(3);
    const bool deadly = random_.below(2) == 0;
    storage_broken_ = true;
    deadly ? broker_.files().die_at_nth(op, nth) : broker_.files().fail_nth(op, nth, Code::kIo);
    const auto failed = [&] { return broker_.shard().log().failed().has_value(); };
    for (int i = 0; i < 20 && !failed(); ++i) {
        client_step();
        broker_.cycle();
        broker_.commit();
    }
    broker_.files().clear_faults();
    if (!failed()) return;
    ++marks_.storage_errors;
    for (int i = 0; i < 4 && !deadly; ++i) {  // the shard says so and serves nobody
        client_step();
        broker_.cycle();
    }
}

void World::look_for_failure() {
    if (!broker_.running()) return restart();
    const auto error = broker_.shard().log().failed();
    if (!error && !broker_.shard().failed()) return;
    if (!storage_broken_) return oracle_.violation("storage", error ? error->message() : "the shard failed");
    // A failed sync may have lost what was written, as a power cut does, even if only the process is started anew.
    die(Death::kPowerCut);
    restart();
}

void World::die(Death death) {
    if (broker_.running()) marks_.rewritten += broker_.shard().rewriter().segments_freed();
    ++(death == Death::kStop ? marks_.stops : death == Death::kKill ? marks_.kills : marks_.power_cuts);
    if (death == Death::kStop) {
        if (auto stopped = broker_.stop(); !stopped && !storage_broken_) {
            oracle_.violation("storage", stopped.error().message());
        }
    } else if (death == Death::kKill) {
        broker_.kill();
    } else {
        broker_.power_cut(random_.next());
    }
    oracle_.died(death);
    if (death != Death::kPowerCut) return;
    // The offsets of what an async queue lost are given again: who still held such a message must not come back.
    for (SimConsumer* consumer : consumers_) {
        if (specs_[consumer->queue()].durability == Durability::kAsync) consumer->die();
    }
}

void World::restart() {
    if (over()) return;
    storage_broken_ = random_.below(12) == 0;
    if (storage_broken_) broker_.files().die_at_nth(kOps[random_.below(kOps.size())], 1 + random_.below(4));
    auto started = broker_.start();
    broker_.files().clear_faults();
    if (!started && storage_broken_) {
        storage_broken_ = false;
        die(Death::kPowerCut);
        started = broker_.start();
    }
    if (!started) return oracle_.violation("cannot start", started.error().message());
    const log::Log& log = broker_.shard().log();
    marks_.torn += log.recovery().torn_bytes > 0 ? 1 : 0;
    marks_.rolled += log.segment_count() > 1 ? 1 : 0;
    marks_.checkpoints += log.recovery().checkpoint.value() > 0 ? 1 : 0;
}

template <class Done>
void World::heal(const char* what, Done done) {
    for (int round = 0; round < kHealRounds; ++round) {
        for (const auto& client : clients_) client->step();
        broker_.cycle();
        broker_.commit();
        broker_.advance(10ms);
        look_for_failure();
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
    for (SimWatcher* watcher : watchers_) watcher->seal();
    heal("sealing:", [&] {
        return std::all_of(watchers_.begin(), watchers_.end(), [](const auto* watcher) { return watcher->joined(); }) &&
               std::all_of(consumers_.begin(), consumers_.end(),
                           [](const auto* consumer) { return consumer->ended(); });
    });
}

/// What was settled stays settled.
void World::cut_once_more() {
    die(Death::kPowerCut);
    restart();
    if (!over()) drain();
}

}  // namespace telpher::sim
