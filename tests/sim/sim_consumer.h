// A simulated consumer of one queue: works on what it is given, settles it sooner or later as ack, nack or release,
// numbers its SETTLEs and sends the open ones again after a reconnect, and says what it holds when it comes back.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <vector>

#include "tests/sim/sim_client.h"

namespace telpher::sim {

class SimConsumer final : public SimClient {
public:
    using SimClient::SimClient;
    [[nodiscard]] bool idle() const override { return held_.empty() && open_.empty(); }
    /// The last generation whose end it was told.
    [[nodiscard]] std::uint32_t ended() const { return ended_; }
    /// The broker starts again: who was attached until it died may claim what he holds.
    void broker_died();
    void broker_started();

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
        std::uint32_t taken = 0;     ///< A later delivery to somebody else, when the ack was sent.
        bool late = false;           ///< It had run out of time.
    };
    struct OpenSettle {
        std::uint64_t number = 0;
        v1::Settle::Verdict verdict = v1::Settle::VERDICT_ACK;
        std::uint64_t delay_ms = 0;
        bool backoff = false;
        Instant sent{};
        bool fresh = false;         ///< Nothing of it can have gone back before, or be redriven: its delay counts.
        std::vector<Lease> leases;  // by offset
    };

    void opened() override;
    void take(const Frame& frame) override;
    void act() override;
    void forget() override;
    void losing() override;

    void attached(const v1::Attached& attached);
    void delivered(const Frame& frame);
    void settled(const v1::Settled& settled);
    void settle_some();
    void send_settle(OpenSettle& settle);
    [[nodiscard]] std::vector<frame::Run> runs_of(const OpenSettle& settle) const;
    void raise_credit();
    void tell_held(const std::string& what) const;

    std::uint32_t sub_ = 0;  ///< 0: not attached on this connection.
    std::uint64_t credit_ = 0;
    std::uint64_t received_ = 0;
    std::uint64_t settle_number_ = 0;
    std::map<std::uint64_t, Held> held_;  // by offset
    bool takes_holes_ = false;
    std::set<std::uint64_t> left_out_;  ///< Offsets that a DELIVER spanned and did not bring: they are done.
    std::deque<OpenSettle> open_;
    std::uint32_t ended_ = 0;
    std::optional<PeerId> attached_to_;
    bool may_claim_ = false;  ///< It was attached when the broker died.
    Instant claim_by_{};      ///< Attaching until then it keeps what it holds.
};

}  // namespace telpher::sim
