// The scene of every test of a hostile or broken peer: a broker, an innocent producer and consumer that it serves all
// the while, and the transport over which the peer attacks. One per test.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "tests/e2e/healthy_pair.h"
#include "tests/support/broker.h"

namespace telpher::test {

class Hostile : public testing::TestWithParam<std::string> {
protected:
    /// On a busy machine of two cores, with an fdatasync in it: what a person would not call a hang.
    static constexpr Duration kLatencyMax = 2s;

    explicit Hostile(BrokerOptions options = {}) : broker_(std::move(options)) {}

    void SetUp() override {
        ASSERT_TRUE(pair_.serves(10, 20s)) << pair_.error();
        pair_.worst();
    }

    /// After an attack: the broker runs, served the pair meanwhile, and serves it now.
    void expect_unharmed() {
        EXPECT_TRUE(pair_.serves(50, 30s)) << pair_.count() << " messages served; " << pair_.error();
        EXPECT_EQ(pair_.error(), "");
        const Duration worst = pair_.worst();
        EXPECT_LT(worst, kLatencyMax) << worst.count() / 1'000'000 << " ms";
        if (!broker_.running()) FAIL() << "the broker ended with " << broker_.process().wait(0s)->text();
    }

    [[nodiscard]] std::string endpoint() const { return GetParam() == "tcp" ? broker_.tcp() : broker_.ipc(); }

    Broker broker_;
    HealthyPair pair_{endpoint()};
};

inline std::string transport_name(const testing::TestParamInfo<std::string>& transport) { return transport.param; }

}  // namespace telpher::test
