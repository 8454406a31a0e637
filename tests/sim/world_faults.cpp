// World's other half: what goes wrong.
#include <algorithm>
#include <array>
#include <utility>

#include "broker/log/checkpoint_file.h"
#include "broker/log/mark.h"
#include "broker/log/segment.h"
#include "tests/sim/world.h"

namespace telpher::sim {
namespace {

using namespace std::chrono_literals;
using Files = test::FaultyFileSystem;

constexpr std::array kOps{Files::Op::kWrite,   Files::Op::kSync,   Files::Op::kRename,
                          Files::Op::kSyncDir, Files::Op::kCreate, Files::Op::kAllocate};

const std::string kDir = small_log().dir;

}  // namespace

/// Between the commit thread's write, its sync and its publishing others go on.
void World::in_commit() {
    go_on(random_.below(death_due_ ? 40 : 6));
    if (stopping_) return;
    if (death_due_ && --points_left_ == 0) die(*std::exchange(death_due_, std::nullopt));
    // The first group of a segment is where names and headers can go wrong.
    const std::size_t files = broker_.running() ? broker_.shard().log().segment_count() : 0;
    const bool begun = files > std::exchange(files_, files) && files > 1;
    if (begun && !healing_ && !only_ && random_.below(10) == 0) die(Death::kPowerCut);
}

void World::cut_soon(std::uint64_t of) {
    if (only_ || (healing_ && !rough_) || random_.below(of) > 0) return;
    death_due_ = Death::kPowerCut;
    points_left_ = 1 + random_.below(2);
}

void World::go_on(std::uint64_t events) {
    for (; events > 0; --events) random_.below(3) == 0 ? cycle() : client_step();
}

/// A slow disk: everything but the commit thread goes on, for seconds if it hangs. Who loses patience may end it.
void World::in_sync() {
    if (sync_points_ == 0 || stopping_) return;
    const bool hangs = sync_points_ > 50;
    marks_.hit(hangs ? Sometimes::kHungSync : Sometimes::kSlowSync);
    for (std::uint64_t left = std::exchange(sync_points_, 0); left > 0; --left) {
        go_on(3);
        pass(hangs ? 80ms : 5ms);
    }
    if (!hangs || healing_ || random_.below(3) > 0) return;
    die(random_.below(2) == 0 ? Death::kKill : Death::kPowerCut);
}

void World::hang_sync() { sync_points_ = 60 + random_.below(100); }

void World::crash(Death death) {
    if (death != Death::kStop && random_.below(4) > 0) {
        death_due_ = death;
        points_left_ = 1 + random_.below(4);
        for (int i = 0; i < 20 && death_due_ && broker_.running(); ++i) {
            for (int steps = 0; steps < 4; ++steps) client_step();
            cycle();
            commit();
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
    const auto failed = [&] { return !broker_.running() || broker_.shard().log().failed().has_value(); };
    for (int i = 0; i < 20 && !failed(); ++i) {
        client_step();
        cycle();
        commit();
    }
    broker_.files().clear_faults();
    if (!failed() || !broker_.running()) return;
    marks_.hit_if(!deadly && op == Files::Op::kWrite, Sometimes::kWriteFailed);
    marks_.hit_if(!deadly && op == Files::Op::kSync, Sometimes::kSyncFailed);
    for (int i = 0; i < 4 && !deadly; ++i) {  // the shard says so and serves nobody
        client_step();
        cycle();
        marks_.hit_if(broker_.shard().failed().has_value(), Sometimes::kShardFailed);
    }
}

void World::fill_disk() {
    disk_full_ = true;
    broker_.files().set_full(true);
}

void World::free_disk() {
    disk_full_ = false;
    broker_.files().set_full(false);
}

void World::stall_connection() {
    const auto peer = any_client().peer();
    if (!peer) return;
    marks_.hit(Sometimes::kStalled);
    broker_.transport().stall(*peer);
}

void World::look_for_failure() {
    if (!broker_.running()) return restart();
    const auto error = broker_.shard().failed() ? broker_.shard().failed() : broker_.shard().log().failed();
    if (!error) return;
    told_ = true;
    const bool found = damaged_ && error->code() == Code::kCorrupt;
    marks_.hit_if(found, Sometimes::kDamageFoundLater);
    if (oracle_.telling()) oracle_.note("-- failed: " + error->message());
    if (!storage_broken_ && !found) return oracle_.violation("storage", error->message());
    // A failed sync may have lost what was written, as a power cut does, even if only the process is started anew.
    die(Death::kPowerCut);
    restart();
}

void World::die(Death death) {
    marks_.hit(death == Death::kStop   ? Sometimes::kCleanStop
               : death == Death::kKill ? Sometimes::kKill
                                       : Sometimes::kPowerCut);
    sync_points_ = 0;
    for (SimConsumer* consumer : consumers_) consumer->broker_died();
    if (death == Death::kStop) {
        // With a full disk it may not come to its end: then somebody loses patience.
        stopping_ = true;
        const auto stopped = broker_.stop();
        stopping_ = false;
        if (!stopped && !storage_broken_ && !damaged_ && !disk_full_) {
            oracle_.violation("storage", stopped.error().message());
        }
    } else if (death == Death::kKill) {
        broker_.kill();
    } else {
        broker_.power_cut(random_.next());
    }
    oracle_.died(death);
    death_due_.reset();
    if (death != Death::kPowerCut) return;
    // The offsets of what an async queue lost are given again: who still held such a message must not come back.
    for (SimConsumer* consumer : consumers_) {
        if (specs_[consumer->queue()].durability == Durability::kAsync) consumer->die();
    }
}

void World::restart() {
    if (over()) return;
    undo_damage();
    const bool harm = !only_ && (!healing_ || rough_);
    if (harm && random_.below(8) < damage_of_8_) do_damage();
    storage_broken_ = only_ ? broker_.files().injected() == 0 : harm && random_.below(12) == 0;
    if (storage_broken_ && !only_) broker_.files().die_at_nth(kOps[random_.below(kOps.size())], 1 + random_.below(4));
    auto started = start();
    if (!only_) broker_.files().clear_faults();
    if (!started && storage_broken_) {
        told_ = true;
        marks_.hit(Sometimes::kStartFailed);
        storage_broken_ = false;
        die(Death::kPowerCut);
        started = start();
    }
    if (!started) return oracle_.violation("cannot start", started.error().message());
    for (SimConsumer* consumer : consumers_) consumer->broker_started();
    mark_start();
    cut_soon(8);
}

/// Damage and a full disk are reasons not to start: it says so, and starts once they are gone.
Result<void> World::start() {
    auto started = broker_.start();
    for (int reasons = 2; !started && reasons > 0; --reasons) {
        const Code why = started.error().code();
        if (oracle_.telling()) oracle_.note("-- refused: " + started.error().message());
        if (disk_full_ && why == Code::kDiskFull) {
            free_disk();
        } else if (damaged_ && (why == Code::kCorrupt || why == Code::kFormat)) {
            marks_.hit(Sometimes::kDamageRefused);
            undo_damage();
        } else {
            break;
        }
        started = broker_.start();
    }
    return started;
}

void World::mark_start() {
    const log::Log& log = broker_.shard().log();
    const log::Recovery& recovery = log.recovery();
    marks_.hit_if(damaged_, Sometimes::kDamageServed);
    marks_.hit_if(recovery.torn_bytes > 0, Sometimes::kTornTail);
    marks_.hit_if(log.segment_count() > 1, Sometimes::kRolled);
    marks_.hit_if(recovery.checkpoint.value() > 0, Sometimes::kCheckpointUsed);
    const bool set_aside = std::any_of(recovery.repairs.begin(), recovery.repairs.end(), [](const log::Repaired& one) {
        return one.repair.kind == log::Repair::Kind::kSetAside;
    });
    marks_.hit_if(set_aside && recovery.checkpoint.value() > 0, Sometimes::kOlderCheckpointUsed);
    segments_ = 0;
}

/// Whatever is not the segment at the end: of that one nobody can tell damage from a torn write.
std::vector<std::string> World::complete_files() {
    std::vector<std::string> segments;
    std::vector<std::string> others;
    const auto all = broker_.files().list(kDir);
    for (const std::string& name : *all) {
        if (name.ends_with(log::kSegmentSuffix)) segments.push_back(name);
        if (name == log::kMarkName || name.ends_with(log::kCheckpointSuffix)) others.push_back(name);
    }
    if (!segments.empty()) segments.pop_back();
    others.insert(others.end(), segments.begin(), segments.end());
    return others;
}

void World::do_damage() {
    const std::vector<std::string> names = complete_files();
    if (names.empty()) return;
    ++work_.faults;
    damaged_ = true;
    if (random_.below(3) == 0 && damage_message(names)) return;
    // Often the last segment of them, which every start reads.
    const std::string& name = random_.below(2) == 0 ? names[random_.below(names.size())] : names.back();
    const bool one = name == log::kMarkName || random_.below(2) == 0;
    for (std::uint64_t left = one ? 1 : 1 + random_.below(8); left > 0; --left) damage(name);
}

/// A message that somebody will want, or what stands before it, if one lies in the files.
bool World::damage_message(const std::vector<std::string>& names) {
    if (oracle_.messages() == 0) return false;
    const auto serial = oracle_.any_live(random_.below(oracle_.messages()));
    if (!serial) return false;
    const std::string payload = payload_of(*serial);
    for (const std::string& name : names) {
        const std::string path = log::join_path(kDir, name);
        const std::vector<std::byte> file = broker_.files().contents(path);
        const std::size_t found = as_text(Bytes(file)).find(payload);
        if (found == std::string_view::npos) continue;
        const std::size_t headers = std::min<std::size_t>(found, 200);  // of the record and its batch, about
        const std::size_t at = found - headers + random_.below(headers + payload.size());
        const std::byte flipped = file[at] ^ std::byte(1U << random_.below(8));
        broker_.files().damage(path, at, {&flipped, 1});
        if (oracle_.telling()) oracle_.note("-- damaged: message " + std::to_string(*serial) + " in " + name);
        return true;
    }
    return false;
}

void World::damage(const std::string& name) {
    const std::string path = log::join_path(kDir, name);
    const std::vector<std::byte> file = broker_.files().contents(path);
    if (file.empty()) return;
    // More often where something is written than in the zeros behind it.
    const std::uint64_t written = std::min<std::uint64_t>(file.size(), 40'000);
    const std::uint64_t at = random_.below(random_.below(4) == 0 ? file.size() : written);
    const std::uint64_t from = at - at % Files::kSectorBytes;
    const std::uint64_t count = std::min<std::uint64_t>(Files::kSectorBytes, file.size() - from);
    std::vector<std::byte> harm(count);  // a write that never came
    if (name == log::kMarkName || random_.below(2) == 0) {
        const std::byte flipped = file[at] ^ std::byte(1U << random_.below(8));
        broker_.files().damage(path, at, {&flipped, 1});
    } else if (random_.below(2) == 0) {
        broker_.files().damage(path, from, harm);
    } else {  // a write that belongs elsewhere
        const std::uint64_t other =
            random_.below((file.size() - count) / Files::kSectorBytes + 1) * Files::kSectorBytes;
        std::copy_n(file.begin() + static_cast<std::ptrdiff_t>(other), count, harm.begin());
        broker_.files().damage(path, from, harm);
    }
    if (oracle_.telling()) oracle_.note("-- damaged: " + name + " at " + std::to_string(at));
}

void World::undo_damage() {
    broker_.files().undo_damage();
    damaged_ = false;
}

}  // namespace telpher::sim
