// 200 consumer processes work on a queue that is sealed, and random ones are killed.
//
// Claim: every one that lives sees the end exactly once, and none before the last message is settled, though one of
// them holds that for long; `telpher join` returns then and not before.

#include <gtest/gtest.h>
#include <telpher/client.h>

#include <iostream>

#include "proto/base/random.h"
#include "tests/e2e/load.h"
#include "tests/support/seed.h"

namespace telpher::test {
namespace {

constexpr int kConsumers = 200;
constexpr int kKilled = 60;
constexpr std::size_t kMessages = 6'000;

TEST(ConsumersKilledWhileSealed, the_living_see_the_end_once_and_not_too_early) {
    const std::uint64_t seed = test_seed();
    Random random(seed);
    Broker broker;
    Client client(broker.ipc());
    QueueOptions options;
    options.maxsize = 100'000;
    Queue queue = client.queue("work", options);

    // The first message is held here until all others are done: nobody may see the end before.
    ASSERT_TRUE(queue.put("held").has_value());
    auto held = queue.get(Millis(10'000));
    ASSERT_TRUE(held.has_value());

    Load load(broker.ipc(), "work", seed);
    auto& producer = load.start_producer({"--count", std::to_string(kMessages), "--rate", "1000000"});
    const auto ended = producer.process.wait(60s);
    ASSERT_TRUE(ended && ended->ok()) << producer.process.errors();

    std::vector<Load::Client*> living;
    for (int i = 0; i < kConsumers; ++i) living.push_back(&load.start_consumer({"--hold-ms", "50"}));
    ASSERT_TRUE(queue.seal(Millis(10'000)).has_value());
    Process join(program("telpher"), {"join", "work", "-s", broker.ipc(), "--timeout", "120s"});

    for (int i = 0; i < kKilled; ++i) {
        const auto victim = living.begin() + static_cast<std::ptrdiff_t>(random.below(living.size()));
        ASSERT_TRUE((*victim)->process.running()) << (*victim)->name << " ended too early";
        (*victim)->process.kill();
        living.erase(victim);
        pass_time(std::chrono::milliseconds(random.below(20)));
    }
    ASSERT_TRUE(eventually(90s, [&] {
        const auto stats = queue.stats();
        return stats && stats->unfinished() == 1;
    })) << "the killed ones' work does not come back";
    // Nobody goes while one message is held. There is no event to wait for: two seconds are many times what the end
    // takes.
    pass_time(2s);
    for (auto* const consumer : living)
        EXPECT_TRUE(consumer->process.running()) << consumer->name << " saw the end too early";
    EXPECT_TRUE(join.running()) << "telpher join returned too early";

    const Stopwatch since_settled;
    ASSERT_TRUE(held->ack_confirmed(Millis(10'000)).has_value());
    const auto joined = join.wait(20s);
    ASSERT_TRUE(joined.has_value()) << "telpher join does not return";
    EXPECT_TRUE(joined->ok()) << joined->text() << " " << join.errors();
    for (auto* const consumer : living) {
        const auto end = consumer->process.wait(20s);
        ASSERT_TRUE(end.has_value()) << consumer->name << " does not see the end";
        EXPECT_TRUE(end->ok()) << consumer->name << ": " << end->text() << " " << consumer->process.errors();
    }
    std::cout << "all ended " << since_settled.seconds() << " s after the last settle" << std::endl;

    const Verdict verdict = load.finish(30s);
    std::cout << verdict.text();
    EXPECT_TRUE(verdict.ok()) << verdict.text();
    EXPECT_EQ(verdict.ends, living.size());
    EXPECT_EQ(verdict.confirmed + verdict.refused, verdict.puts);
    EXPECT_GE(verdict.puts, kMessages);
}

}  // namespace
}  // namespace telpher::test
