// A broker of one shard on simulated files, clock and transport, driven by hand: its lives begin with start() and end
// with stop(), kill() or power_cut(); files, clock and transport outlive them. Used by one thread.
#pragma once

#include <functional>
#include <memory>

#include "broker/shard.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_transport.h"
#include "tests/support/faulty_file_system.h"

namespace telpher::sim {

/// Settings that make everything small, so that segments roll and bodies leave the cache within a short run.
broker::ShardSettings small_settings();
log::LogOptions small_log();

class SimBroker {
public:
    explicit SimBroker(std::uint64_t seed, broker::ShardSettings settings = small_settings(),
                       log::LogOptions log = small_log());

    /// Begins a life. Errors: those of Shard::open().
    Result<void> start();
    [[nodiscard]] bool running() const { return shard_ != nullptr && !dead_; }
    /// A cycle of the shard; returns how much was done.
    std::size_t cycle();
    /// A round of the commit thread. While it works, `in_commit` is called after the write and after the publish:
    /// there the shard and the clients may go on, and the broker may die.
    std::size_t commit();
    /// Cycles and commits until neither does anything.
    void settle();
    void advance(Duration time) { clock_.advance(time); }

    /// SIGTERM: drains, writes the end mark. An error if the log failed meanwhile.
    Result<void> stop();
    /// SIGKILL: what was written stays.
    void kill();
    /// What was not synced is lost, torn or kept, as the seed says.
    void power_cut(std::uint64_t seed);

    [[nodiscard]] broker::Shard& shard() { return *shard_; }
    [[nodiscard]] SimTransport& transport() { return transport_; }
    [[nodiscard]] test::FaultyFileSystem& files() { return files_; }
    [[nodiscard]] SimClock& clock() { return clock_; }

    std::function<void()> in_commit;
    /// Called before each sync of the commit thread: the same may happen there.
    std::function<void()> in_sync;

private:
    void end_life();

    const broker::ShardSettings settings_;
    const log::LogOptions log_;
    Random random_;
    test::FaultyFileSystem files_;
    SimClock clock_;
    SimTransport transport_;
    std::unique_ptr<broker::Shard> shard_;
    bool committing_ = false;
    bool cycling_ = false;
    bool dead_ = false;  ///< Died while the commit thread worked; the shard goes when that returns.
};

}  // namespace telpher::sim
