// A simulated producer with a name: it has one row of records for ever, whatever dies, and puts them under its name.
// Whenever it opens the name anew (after its death, a refusal, or just so) it goes on with the record that the broker
// says is the first it has not stored: then everything below must be there, and what it puts again must not.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "tests/sim/sim_client.h"

namespace telpher::sim {

class SimFollower final : public SimClient {
public:
    using SimClient::SimClient;
    [[nodiscard]] bool idle() const override { return puts_.empty(); }

private:
    struct Put {
        std::uint64_t first = 0;
        std::uint64_t end = 0;
        Slice body;
        bool parked = false;
    };

    void opened() override;
    void take(const Frame& frame) override;
    void act() override;
    void forget() override;

    void open_name(std::uint64_t producer);
    void take_opened(const v1::ProducerOpened& opened);
    void put_new();
    void send_put(const Put& put);
    void confirmed(const v1::Confirm& confirm);

    bool ready_ = false;
    bool broken_ = false;  ///< Something was refused: the name must be opened anew.
    std::uint64_t producer_ = 0;
    std::uint64_t lane_ = 0;    ///< As the oracle knows the name; 0: not yet.
    std::uint64_t next_ = 0;    ///< Record to be put next.
    std::uint64_t stored_ = 0;  ///< Records below are stored: the broker said so.
    std::deque<Put> puts_;      ///< Without all their verdicts, in order.
    std::vector<Serial> row_;   ///< By record; another one after a refusal was told.
};

}  // namespace telpher::sim
