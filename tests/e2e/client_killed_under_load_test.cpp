// SIGKILL of producers and of consumers, at random moments, while others work on the same queue.
//
// Claim: a dead consumer's work comes back to the living, and everything confirmed is handled; a dead producer's
// half-sent message never existed: only whole messages that were put come, each once; the queue ends for those who
// live.

#include <gtest/gtest.h>
#include <telpher/client.h>

#include <iostream>

#include "proto/base/random.h"
#include "tests/e2e/load.h"
#include "tests/support/seed.h"

namespace telpher::test {
namespace {

class ClientKilledUnderLoad : public testing::Test {
protected:
    void SetUp() override {
        QueueOptions options;
        options.maxsize = 1'000;
        Client client(broker_.ipc());
        const auto made = client.create("work", options);
        ASSERT_TRUE(made.has_value()) << made.error().message();
    }

    void judge() {
        const Verdict verdict = load_.finish(60s);
        std::cout << verdict.text();
        EXPECT_TRUE(verdict.ok()) << verdict.text();
        EXPECT_GT(verdict.confirmed, 500U);
    }

    const std::uint64_t seed_ = test_seed();
    Random random_{seed_};
    Broker broker_;
    Load load_{broker_.ipc(), "work", seed_};
};

TEST_F(ClientKilledUnderLoad, consumers) {
    load_.start_producer();
    load_.start_producer();
    load_.start_consumer({"--threads", "2"});
    for (int cycle = 0; cycle < 10; ++cycle) {
        auto& victim = load_.start_consumer({"--hold-ms", "30"});
        ASSERT_TRUE(load_.goes_on(50, 50, 20s)) << "cycle " << cycle;
        ASSERT_TRUE(eventually(20s, [&] { return load_.progress().delivered > 0 && victim.delivered > 0; }));
        pass_time(std::chrono::milliseconds(random_.below(200)));
        victim.process.kill();
    }
    judge();
}

TEST_F(ClientKilledUnderLoad, producers) {
    load_.start_producer();
    load_.start_consumer({"--threads", "4"});
    for (int cycle = 0; cycle < 10; ++cycle) {
        // Large messages, so that a kill finds one half on its way.
        auto& victim = load_.start_producer({"--bytes", cycle % 2 == 0 ? "200000" : "100", "--rate", "300"});
        ASSERT_TRUE(eventually(20s, [&] { return load_.progress().confirmed > 0 && victim.confirmed > 0; }))
            << "cycle " << cycle;
        pass_time(std::chrono::milliseconds(random_.below(200)));
        victim.process.kill();
    }
    judge();
}

}  // namespace
}  // namespace telpher::test
