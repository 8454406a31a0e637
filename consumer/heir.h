// Settles for a worker process that died, in its place: the broker takes the verdict on a lease whose connection is
// gone from whoever names (offset, delivery), until the resume grace is over. Until it has noticed that the connection
// is gone it says that the lease is somebody's; then the heir asks again.
//
// A part of the queue: the engine thread works, one other thread waits.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "consumer/lease_table.h"
#include "consumer/settle_batcher.h"
#include "proto/session/channel.h"
#include "telpher/client.h"

namespace telpher::consumer {

/// A verdict to be given.
struct Bequest {
    Decision decision;
    frame::Run run;  ///< value = delivery
};

/// What a dead worker left. Pure.
struct Estate {
    std::vector<Bequest> bequests;
    /// (offset, delivery) of what it decided or was handling; the rest it was given at some time and may hold still.
    std::set<std::pair<std::uint64_t, std::uint64_t>> certain;
};
Estate estate_of(const LeaseTable& table);

class Heir final : public session::Part {
public:
    /// Between two tries, and how many there are.
    static constexpr Duration kPause = std::chrono::milliseconds(40);
    static constexpr int kCertainTries = 40;
    static constexpr int kPossibleTries = 5;

    /// `wake`: gets do_work() called soon.
    Heir(Estate estate, std::function<void(Heir&)> wake);

    /// Waits until all is settled or given up, or the time is over. Returns how many messages were settled.
    std::uint64_t wait(Millis timeout);
    /// Tells the broker that it leaves. Engine thread.
    void detach();

    void on_connected(session::Wire& wire, const session::Connected& connected, Instant now) override;
    void on_disconnected(Instant now) override;
    void on_failed(const Error& error) override;
    Result<void> on_frame(const session::Frame& frame, Instant now) override;
    Instant do_work(Instant now) override;
    [[nodiscard]] bool idle() const override { return true; }
    void on_close() override { detach(); }
    [[nodiscard]] Result<void> drain(Instant deadline) override;

private:
    void attached(const Result<const session::Frame*>& answer);
    void send();
    void ask_again(const SettleFrame& frame, std::uint64_t first, std::uint64_t count);
    void finish();

    // Engine thread.
    const std::function<void(Heir&)> wake_;
    Estate estate_;
    std::vector<Bequest> due_;
    SettleBatcher batcher_;
    session::Wire* wire_ = nullptr;
    std::optional<std::uint32_t> sub_;
    Instant next_ = Instant::never();
    int tries_ = 0;

    std::mutex mutex_;
    std::condition_variable changed_;
    bool done_ = false;          // guarded by mutex_
    std::uint64_t settled_ = 0;  // guarded by mutex_
};

/// Settles for the dead worker of `table` on its queue, at most `timeout`. Returns how many messages were settled.
std::uint64_t settle_for(Queue& queue, const LeaseTable& table, Millis timeout);

}  // namespace telpher::consumer
