// A simulated administrator of one queue: looks at it now and then, redrives its dead letters, seals it when told to,
// and waits for its end.
#pragma once

#include "tests/sim/sim_client.h"

namespace telpher::sim {

class SimWatcher final : public SimClient {
public:
    using SimClient::SimClient;
    [[nodiscard]] bool idle() const override { return true; }
    /// Asks for the seal until it is there, and joins.
    void seal() {
        want_seal_ = true;
        seal_again_ = want_reopen_;
    }
    /// JOIN was answered.
    [[nodiscard]] bool joined() const { return joined_; }
    /// Which generation had ended then.
    [[nodiscard]] std::uint32_t joined_generation() const { return joined_generation_; }
    /// What it sees from now on is new.
    void look_again() { fresh_ = asked_again_ = false; }
    [[nodiscard]] bool fresh() const { return fresh_; }
    /// The queue as last seen.
    [[nodiscard]] const v1::QueueState& state() const { return state_; }
    [[nodiscard]] std::uint64_t live() const { return state_.ready() + state_.leased() + state_.delayed(); }

private:
    void opened() override;
    void take(const Frame& frame) override;
    void act() override;
    void forget() override {}
    void redrive();
    void reopen();
    void reopened();

    bool want_seal_ = false;
    bool seal_sent_ = false;
    bool joined_ = false;
    bool want_reopen_ = false;
    bool seal_again_ = false;  ///< Once it is reopened.
    bool reopen_sent_ = false;
    std::uint32_t joined_generation_ = 0;
    bool fresh_ = false;
    bool show_sent_ = false;
    bool redrive_sent_ = false;
    bool asked_again_ = false;  ///< The SHOW on its way was sent since look_again().
    v1::QueueState state_;
    std::uint64_t seal_req_ = 0;
    std::uint64_t join_req_ = 0;
    std::uint64_t reopen_req_ = 0;
};

}  // namespace telpher::sim
