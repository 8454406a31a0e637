// Connections are cut at random bytes, mid-frame and mid-handshake, one by one and all at once; and broker and clients
// are stopped for a while, all under load.
//
// Claim: nothing confirmed is lost, nothing comes twice unless flagged or in doubt, and the clients see nothing but
// time.
//
// TELPHER_CUT_CYCLES says how often all connections are cut, or somebody is stopped (10 by default); TELPHER_SEED
// repeats the moments.

#include <gtest/gtest.h>
#include <telpher/client.h>

#include <csignal>
#include <iostream>

#include "proto/base/random.h"
#include "tests/e2e/load.h"
#include "tests/support/relay.h"
#include "tests/support/seed.h"

namespace telpher::test {
namespace {

constexpr std::uint64_t kCyclesDefault = 10;
constexpr Duration kBackWithin = 20s;
/// Some seconds of a client's traffic, and several of the largest batch: what is sent again after each cut must get
/// through in the end, and a client whose connections never last waits longer and longer before the next.
constexpr std::uint64_t kBytesUncut = 8 * 1024 * 1024;

class UnderLoad : public testing::TestWithParam<const char*> {
protected:
    void SetUp() override {
        QueueOptions options;
        options.maxsize = 2'000;
        options.max_attempts = 0;
        const auto made = Client(broker_.ipc()).create("work", options);
        ASSERT_TRUE(made.has_value()) << made.error().message();
    }

    [[nodiscard]] std::string endpoint() const {
        return GetParam() == std::string("tcp") ? "tcp://127.0.0.1:" + std::to_string(free_port())
                                                : "ipc://" + (dir_.path() / "relay").string();
    }
    [[nodiscard]] std::string target() const {
        return GetParam() == std::string("tcp") ? broker_.tcp() : broker_.ipc();
    }

    void start(Load& load) {
        clients_ = {&load.start_producer({"--rate", "500"}), &load.start_producer({"--rate", "500"}),
                    &load.start_producer({"--rate", "50", "--bytes", "50000"})};
        for (int i = 0; i < 3; ++i) clients_.push_back(&load.start_consumer({"--threads", "2"}));
        ASSERT_TRUE(load.goes_on(100, 100, 30s)) << "the load does not start";
    }
    static void judge(Load& load) {
        const Verdict verdict = load.finish(60s);
        std::cout << verdict.text();
        EXPECT_TRUE(verdict.ok()) << verdict.text();
    }
    Millis random_time(std::uint64_t from_ms, std::uint64_t to_ms) {
        return Millis(from_ms + random_.below(to_ms - from_ms));
    }

    const std::uint64_t cycles_ = count_from_env("TELPHER_CUT_CYCLES", kCyclesDefault);
    const std::uint64_t seed_ = test_seed();
    Random random_{seed_};
    TempDir dir_;
    Broker broker_;
    std::vector<Load::Client*> clients_;
};

class ConnectionCut : public UnderLoad {};

TEST_P(ConnectionCut, is_nothing_but_time) {
    Relay relay(endpoint(), target(), seed_);
    relay.cut_within(kBytesUncut);
    Load load(relay.endpoint(), "work", seed_);
    ASSERT_NO_FATAL_FAILURE(start(load));
    for (std::uint64_t cycle = 0; cycle < cycles_; ++cycle) {
        pass_time(random_time(1'000, 1'500));
        relay.cut_all();
        ASSERT_TRUE(load.goes_on(20, 20, kBackWithin)) << "cycle " << cycle;
    }
    relay.cut_within(0);
    std::cout << "connections " << relay.connections() << ", cut " << relay.cuts() << "; ";
    EXPECT_GT(relay.cuts(), cycles_ * clients_.size() / 2);
    judge(load);
}

class PeersStopped : public UnderLoad {};

TEST_P(PeersStopped, anybody_in_turn_is_nothing_but_time) {
    Load load(target(), "work", seed_);
    ASSERT_NO_FATAL_FAILURE(start(load));
    for (std::uint64_t cycle = 0; cycle < cycles_; ++cycle) {
        const std::uint64_t who = random_.below(clients_.size() + 1);
        Process& process = who == clients_.size() ? broker_.process() : clients_[who]->process;
        process.signal(SIGSTOP);
        pass_time(random_time(100, 1'500));
        process.signal(SIGCONT);
        ASSERT_TRUE(load.goes_on(20, 20, kBackWithin)) << "cycle " << cycle;
    }
    judge(load);
}

const auto kTransports = testing::Values("tcp", "ipc");
const auto kName = [](const auto& transport) { return std::string(transport.param); };
INSTANTIATE_TEST_SUITE_P(On, ConnectionCut, kTransports, kName);
INSTANTIATE_TEST_SUITE_P(On, PeersStopped, testing::Values("ipc"), kName);

}  // namespace
}  // namespace telpher::test
