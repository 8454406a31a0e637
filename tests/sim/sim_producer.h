// A simulated producer of one queue: a window of PUTs without all their verdicts, sent again after a reconnect with the
// same sequences; cancels some of them at random; lets the broker forget what it has verdicts for.
#pragma once

#include <deque>
#include <vector>

#include "tests/sim/sim_client.h"

namespace telpher::sim {

class SimProducer final : public SimClient {
public:
    using SimClient::SimClient;
    [[nodiscard]] bool idle() const override { return puts_.empty(); }

private:
    struct Item {
        Serial serial = 0;
        bool decided = false;
        bool cancelled = false;
    };
    struct Put {
        std::uint64_t first = 0;
        std::vector<Item> items;
        Slice body;
        bool parked = false;
        [[nodiscard]] std::uint64_t end() const { return first + items.size(); }
    };
    struct Span {
        std::uint64_t first = 0;
        std::uint64_t end = 0;
    };

    void opened() override;
    void take(const Frame& frame) override;
    void act() override;
    void forget() override;

    void put_new();
    void send_put(const Put& put);
    void send_cancel(const Span& span);
    void cancel_some();
    void confirmed(const v1::Confirm& confirm);
    void give(std::uint64_t sequence, Code code, std::uint64_t offset);
    void retire();
    /// Nothing waits at the broker any more: what was cancelled must not be sent with the rest of its PUT.
    void leave_out_cancelled();
    [[nodiscard]] bool waits() const;

    bool ready_ = false;
    Instant patience_{};             ///< Nothing new is put before: what was put was refused.
    bool refused_for_room_ = false;  ///< By a full disk, and nothing was stored since.
    std::uint64_t producer_ = 0;
    std::uint64_t lane_ = 0;  ///< As the oracle knows this producer; 0: not yet.
    std::uint64_t next_ = 0;
    std::deque<Put> puts_;         // in sequence order
    std::vector<Serial> serials_;  // by sequence
    std::vector<Span> cancels_;    // without all their verdicts
};

}  // namespace telpher::sim
