// SIGKILL of the broker, again and again, at random moments, while 4 producers and 4 consumers work on an fsync queue.
//
// Claim: of every message that was confirmed not one is lost, none is invented or altered, none whose settle was
// confirmed comes again; every refused or timed-out put is certainly not in the queue; the clients see nothing but
// time, and go on within 10 s of every restart.
//
// TELPHER_KILL_CYCLES says how often (10 by default, for everyday runs); TELPHER_SEED repeats the moments.

#include <gtest/gtest.h>
#include <telpher/client.h>

#include <iostream>

#include "proto/base/random.h"
#include "tests/e2e/load.h"
#include "tests/support/seed.h"

namespace telpher::test {
namespace {

constexpr Duration kBackWithin = 10s;
constexpr std::uint64_t kCyclesDefault = 10;

void make_queue(const Broker& broker, const std::string& name, std::uint64_t maxsize) {
    QueueOptions options;
    options.maxsize = maxsize;
    options.durability = Durability::kFsync;
    Client client(broker.ipc());
    const auto made = client.create(name, options);
    ASSERT_TRUE(made.has_value()) << made.error().message();
}

TEST(BrokerKilledUnderLoad, loses_and_invents_nothing) {
    const std::uint64_t cycles = count_from_env("TELPHER_KILL_CYCLES", kCyclesDefault);
    const std::uint64_t seed = test_seed();
    Random random(seed);
    Broker broker;
    ASSERT_NO_FATAL_FAILURE(make_queue(broker, "work", 2'000));

    Load load(broker.ipc(), "work", seed);
    for (int i = 0; i < 4; ++i) load.start_producer({"--rate", "500"});
    for (int i = 0; i < 4; ++i) load.start_consumer({"--threads", "4"});
    ASSERT_TRUE(load.goes_on(100, 100, 30s)) << "the load does not start";

    Duration longest{};
    for (std::uint64_t cycle = 1; cycle <= cycles; ++cycle) {
        // A little over the second after which a client takes a connection for a good one and comes back at once.
        pass_time(std::chrono::milliseconds(1'000 + random.below(500)));
        ASSERT_TRUE(broker.running()) << "it ended by itself in cycle " << cycle;
        broker.kill();
        if (random.below(2) == 0) pass_time(std::chrono::milliseconds(random.below(300)));
        const Stopwatch back;
        broker.start();
        ASSERT_TRUE(load.goes_on(20, 20, kBackWithin)) << "cycle " << cycle;
        longest = std::max(longest, back.elapsed());
    }
    const Verdict verdict = load.finish(60s);
    std::cout << cycles << " kills; " << verdict.text() << "longest outage " << longest.count() / 1'000'000 << " ms"
              << std::endl;
    EXPECT_TRUE(verdict.ok()) << verdict.text();
    EXPECT_GE(verdict.confirmed, cycles * 20);
    RecordProperty("confirmed", std::to_string(verdict.confirmed));
    RecordProperty("kills", std::to_string(cycles));
}

TEST(BrokerKilledUnderLoad, ends_by_sigterm_and_goes_on_too) {
    Broker broker;
    ASSERT_NO_FATAL_FAILURE(make_queue(broker, "work", 500));
    Load load(broker.tcp(), "work", test_seed());
    load.start_producer();
    load.start_consumer({"--threads", "2"});
    for (int cycle = 0; cycle < 3; ++cycle) {
        ASSERT_TRUE(load.goes_on(50, 50, kBackWithin)) << "cycle " << cycle;
        const auto ended = broker.terminate();
        ASSERT_TRUE(ended.has_value()) << "it does not end";
        EXPECT_TRUE(ended->ok()) << ended->text();
        broker.start();
    }
    ASSERT_TRUE(load.goes_on(50, 50, kBackWithin));
    const Verdict verdict = load.finish(60s);
    EXPECT_TRUE(verdict.ok()) << verdict.text();
}

}  // namespace
}  // namespace telpher::test
