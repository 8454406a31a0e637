// A simulated consumer of one queue: works on what it is given, settles it sooner or later as ack, nack or release,
// numbers its SETTLEs and sends the open ones again after a reconnect, and says what it holds when it comes back.
#pragma once

#include <deque>
#include <map>
#include <vector>

#include "tests/sim/sim_client.h"

namespace telpher::sim {

class SimConsumer final : public SimClient {
public:
    using SimClient::SimClient;
    [[nodiscard]] bool idle() const override { return held_.empty() && open_.empty(); }
    [[nodiscard]] bool ended() const { return ended_; }

private:
    struct Held {
        std::uint32_t delivery = 0;
        Serial serial = 0;
        bool settling = false;
        Instant since{};
    };
    struct Lease {
        std::uint64_t offset = 0;
        std::uint32_t delivery = 0;
        Serial serial = 0;
        std::uint64_t life = 0;      ///< Of the queue, as the oracle counts, when the ack was given.
        std::uint64_t redrives = 0;  ///< The same, when it was said to be dead.
        bool late = false;           ///< It had run out of time.
    };
    struct OpenSettle {
        std::uint64_t number = 0;
        v1::Settle::Verdict verdict = v1::Settle::VERDICT_ACK;
        std::uint64_t delay_ms = 0;
        bool backoff = false;
        std::vector<Lease> leases;  // by offset
    };

    void opened() override;
    void take(const Frame& frame) override;
    void act() override;
    void forget() override;

    void attached(const v1::Attached& attached);
    void delivered(const Frame& frame);
    void settled(const v1::Settled& settled);
    void settle_some();
    void send_settle(OpenSettle& settle);
    void raise_credit();
    void tell_held(const std::string& what) const;

    std::uint32_t sub_ = 0;  ///< 0: not attached on this connection.
    std::uint64_t credit_ = 0;
    std::uint64_t received_ = 0;
    std::uint64_t settle_number_ = 0;
    std::map<std::uint64_t, Held> held_;  // by offset
    std::deque<OpenSettle> open_;
    bool ended_ = false;
};

}  // namespace telpher::sim
