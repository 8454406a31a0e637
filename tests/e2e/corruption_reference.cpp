#include "tests/e2e/corruption_reference.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "proto/base/random.h"
#include "tests/sim/sim_peer.h"

namespace telpher::test {
namespace {

using sim::Frame;
using Verdict = v1::Settle;

Slice batch_of(std::uint64_t producer, std::uint64_t first, std::uint32_t count) {
    batch::Builder builder;
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::string payload = payload_of(first + i);
        builder.append({as_bytes(payload), std::nullopt, nullptr}, SIZE_MAX);
    }
    return builder.seal(ProducerId(producer), Sequence(first), WallTime{1'700'000'000'000});
}

Folder folder_of(test::FaultyFileSystem& files, const std::string& dir) {
    Folder folder;
    const auto names = files.list(dir);
    for (const std::string& name : *names) folder[name] = files.contents(dir + "/" + name);
    return folder;
}

/// A simulated broker under load; what it promises is noted the moment it says so.
class SimulatedLoad {
public:
    SimulatedLoad(std::uint64_t seed, Promised& promised)
        : random_(seed), promised_(promised), broker_(seed, sim::small_settings(), log_of(seed)) {
        EXPECT_TRUE(broker_.start());
        broker_.transport().on_send([this](sim::PeerId, const Frame& frame) { note(frame); });
        peer_.emplace(broker_);
        peer_->hello();
        handle_ = peer_->open(kQueue, sim::bounded(1'000'000));
        producer_ = peer_->open_producer(handle_);
        sub_ = peer_->attach(handle_, 60'000);
    }

    /// Puts, and settles most of what came in, so that segments empty, are rewritten and become spares.
    void round() {
        put();
        broker_.settle();
        settle_some();
        broker_.advance(std::chrono::milliseconds(20 + random_.below(200)));
        broker_.settle();
    }
    void stop() {
        broker_.settle();
        EXPECT_TRUE(broker_.stop());
    }
    /// Dies in the middle of something.
    void kill() {
        using Op = FaultyFileSystem::Op;
        for (int i = 0; i < 3; ++i) put();
        settle_some();
        broker_.files().die_at_nth(random_.below(2) == 0 ? Op::kWrite : Op::kSync, 1 + random_.below(4));
        for (std::uint64_t steps = random_.below(12); steps > 0; --steps) {
            broker_.cycle();
            broker_.commit();
            if (random_.below(3) == 0) put();
        }
        broker_.files().clear_faults();
        broker_.kill();
    }
    [[nodiscard]] Folder files() { return folder_of(broker_.files(), sim::small_log().dir); }

private:
    struct Held {
        std::uint64_t id;
        std::uint32_t delivery;
    };

    /// Each log has an id and salts of its own.
    static log::LogOptions log_of(std::uint64_t seed) {
        log::LogOptions options = sim::small_log();
        options.salt_seed = seed;
        return options;
    }

    void put() {
        const auto count = static_cast<std::uint32_t>(1 + random_.below(5));
        v1::Put put;
        put.set_handle(handle_);
        peer_->send(v1::OP_PUT, put, batch_of(producer_, promised_.put, count));
        promised_.put += count;
    }

    void note(const Frame& frame) {
        if (frame.op == v1::OP_CONFIRM) {
            const auto confirm = frame.as<v1::Confirm>();
            for (const frame::Run& run : sim::runs_of(confirm.stored())) {
                EXPECT_EQ(run.first, run.value) << "one producer, one queue: the id is the sequence";
                for (std::uint64_t i = 0; i < run.count; ++i) promised_.stored.insert(run.value + i);
            }
        } else if (frame.op == v1::OP_DELIVER) {
            const auto deliver = frame.as<v1::Deliver>();
            for (std::uint32_t i = 0; i < deliver.count(); ++i)
                held_.push_back({deliver.first_offset() + i, deliver.delivery()});
        } else if (frame.op == v1::OP_SETTLED) {
            const auto upto = sent_.upper_bound(frame.as<v1::Settled>().settle());
            for (auto sent = sent_.begin(); sent != upto; ++sent) {
                promised_.doubtful.erase(sent->second);
                promised_.settled.insert(sent->second);
            }
            sent_.erase(sent_.begin(), upto);
        }
    }

    /// Of ten messages eight are done, one is a dead letter or waits; one stays in hands for good.
    void settle_some() {
        std::vector<Held> held;
        held.swap(held_);
        for (const Held& one : held) {
            const std::uint64_t draw = random_.below(100);
            if (draw < 85) {
                ++settles_;
                promised_.doubtful.insert(one.id);
                sent_[settles_] = one.id;
                peer_->settle(sub_, settles_, Verdict::VERDICT_ACK, {one.id, 1, one.delivery});
            } else if (draw < 89) {
                peer_->settle(sub_, ++settles_, Verdict::VERDICT_DEAD, {one.id, 1, one.delivery});
            } else if (draw < 92) {
                peer_->settle(sub_, ++settles_, Verdict::VERDICT_NACK, {one.id, 1, one.delivery}, 3'600'000);
            }
        }
    }

    Random random_;
    Promised& promised_;
    sim::SimBroker broker_;
    std::optional<sim::SimPeer> peer_;
    std::uint32_t handle_ = 0;
    std::uint64_t producer_ = 0;
    std::uint32_t sub_ = 0;
    std::uint64_t settles_ = 0;
    std::map<std::uint64_t, std::uint64_t> sent_;  // settle -> id
    std::vector<Held> held_;
};

}  // namespace

std::set<std::uint64_t> Promised::live() const {
    std::set<std::uint64_t> live;
    for (const std::uint64_t id : stored) {
        if (!settled.contains(id) && !doubtful.contains(id)) live.insert(id);
    }
    return live;
}

std::string payload_of(std::uint64_t number) {
    Random random(number);
    std::string payload = std::to_string(number) + ":";
    payload.resize(20 + random.below(1480), static_cast<char>(random.next()));
    for (std::size_t at = 20; at < payload.size(); at += 8) payload[at] = static_cast<char>(random.next());
    return payload;
}

void make_spare(Reference& reference) {
    const auto spare = [](const auto& file) { return file.first.ends_with(".spare"); };
    if (std::any_of(reference.files.begin(), reference.files.end(), spare)) return;
    for (const auto& [name, bytes] : reference.older.front()) {
        if (!name.ends_with(".seg")) continue;
        const std::filesystem::path path(name);
        reference.files[path.parent_path() / "00000000000000f0.spare"] = bytes;
        return;
    }
}

Reference simulated_reference(std::uint64_t seed, bool clean) {
    Reference reference;
    reference.name = clean ? "simulated, stopped" : "simulated, killed";
    reference.clean = clean;
    reference.segment_bytes = sim::small_log().segment_bytes;
    SimulatedLoad load(seed, reference.promised);
    constexpr int kRounds = 600;
    for (int round = 0; round < kRounds; ++round) {
        load.round();
        if (round % 40 == 39) reference.older.push_back(load.files());
    }
    clean ? load.stop() : load.kill();
    reference.files = load.files();
    make_spare(reference);
    return reference;
}

}  // namespace telpher::test
