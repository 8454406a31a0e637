// A backlog of millions: what it costs in memory, how long a killed broker takes to serve it again, and whether it
// drains as fast as a queue that has none. TELPHER_BACKLOG sets the number of messages.
#include <gtest/gtest.h>

#include <csignal>
#include <iostream>
#include <thread>

#include "telpher/telpher.hpp"
#include "tests/support/broker.h"
#include "tests/support/sanitized.h"
#include "tests/support/seed.h"

namespace telpher::test {
namespace {

#ifdef TELPHER_SANITIZED
constexpr std::uint64_t kMessages = 200'000;
#else
constexpr std::uint64_t kMessages = 10'000'000;
#endif
constexpr std::uint64_t kProducers = 4;
constexpr std::uint64_t kMega = 1'000'000;
/// What 10 and 100 million messages may cost; between and beyond, in proportion.
constexpr std::uint64_t kResidentMax = 40 * kMega;
constexpr std::uint64_t kResidentMaxLarge = 250 * kMega;
constexpr std::uint64_t kSmall = 10'000'000;
constexpr std::uint64_t kLarge = 100'000'000;

class Backlog : public testing::Test {
protected:
    Queue open(Client& client, const std::string& name) {
        QueueOptions options;
        options.maxsize = 2 * messages_ + 1000;
        return client.queue(name, options);
    }
    ClientOptions server() const {
        ClientOptions options;
        options.server = broker_.ipc();
        return options;
    }
    /// Puts `count` messages of 100 bytes through put_async by four producers, and one in a hundred beside them alone,
    /// each in a batch of its own.
    void put(const std::string& queue, std::uint64_t count) {
        std::vector<std::thread> producers;
        const std::uint64_t alone = count / 100 / kProducers;
        const std::uint64_t piped = count / kProducers - alone;
        for (std::uint64_t producer = 0; producer < kProducers; ++producer) {
            producers.emplace_back([&, piped] {
                Client client(server());
                Queue out = open(client, queue);
                const std::string body(100, 'm');
                for (std::uint64_t i = 0; i < piped; ++i) ASSERT_TRUE(out.put_async(body));
                ASSERT_TRUE(out.flush());
            });
            producers.emplace_back([&, alone] {
                Client client(server());
                Queue out = open(client, queue);
                const std::string body(100, 's');
                for (std::uint64_t i = 0; i < alone; ++i) ASSERT_TRUE(out.put(body));
            });
        }
        for (std::thread& producer : producers) producer.join();
    }
    /// Takes `count` messages and acks them; messages a second.
    double drain(const std::string& queue, std::uint64_t count) {
        Client client(server());
        Queue in = open(client, queue);
        const Stopwatch watch;
        {
            Consumer consumer = in.consume({.messages_max = count});
            for (Message& message : consumer) message.ack();
            EXPECT_TRUE(consumer.flush());
        }
        return static_cast<double>(count) / watch.seconds();
    }
    /// Messages a second that go through a queue while they are put.
    double live(std::uint64_t count) {
        std::thread producers([&] { put("live", count); });
        const double rate = drain("live", count);
        producers.join();
        return rate;
    }
    /// A drain of messages that were put just before.
    double fresh(std::uint64_t count) {
        put("short", count);
        return drain("short", count);
    }
    /// Every second message is done; the others die and are brought back, so that nothing but that is between them.
    void settle_every_second(const std::string& queue, std::uint64_t count) {
        Client client(server());
        Queue in = open(client, queue);
        {
            Consumer consumer = in.consume({.messages_max = count});
            for (Message& message : consumer) message.id() % 2 == 0 ? message.ack() : message.dead();
            ASSERT_TRUE(consumer.flush());
        }
        const auto all = client.show(queue);
        ASSERT_TRUE(all);
        for (std::uint64_t next = 0;;) {
            const auto handled = client.redrive(queue, next, UINT64_MAX - next);
            ASSERT_TRUE(handled) << handled.error().message();
            if (!handled->more) break;
            next = handled->next;
        }
    }
    std::uint64_t resident() { return broker_.process().usage().resident_bytes; }
    /// Resident memory above the empty broker's once it has come to rest.
    void expect_small(const char* when) {
        const auto above = [this] {
            const std::uint64_t now = resident();
            return now > empty_ ? now - empty_ : 0;
        };
        const std::uint64_t most = messages_ <= kSmall ? kResidentMax
                                                       : kResidentMax + (kResidentMaxLarge - kResidentMax) *
                                                                            (messages_ - kSmall) / (kLarge - kSmall);
        // An idle broker gives back what a burst needed.
        const bool small = eventually(5s, [&] { return above() <= most; });
        std::cout << when << ": " << static_cast<double>(above()) / kMega << " MB above empty" << std::endl;
        EXPECT_TRUE(small) << when << ": more than " << most / kMega << " MB";
    }
    /// Seconds from SIGKILL's restart to the first message.
    double restart(const std::string& queue) {
        broker_.kill();
        const Stopwatch watch;
        broker_.start();
        std::cout << "ready after " << watch.seconds() << " s" << std::endl;
        Client client(server());
        Queue in = open(client, queue);
        EXPECT_TRUE(in.get(Millis{30'000}));
        return watch.seconds();
    }
    double most_seconds() const { return messages_ <= kSmall ? 2.0 : 5.0; }

    const std::uint64_t messages_ = count_from_env("TELPHER_BACKLOG", kMessages);
    Broker broker_;
    std::uint64_t empty_ = 0;
};

TEST_F(Backlog, CostsBytesAndIsServedAtOnce) {
    empty_ = resident();
    // For comparison: a queue that is never long, and one whose messages are all in memory still.
    const std::uint64_t short_run = std::min<std::uint64_t>(messages_ / 10, 1'000'000);
    const double through = live(short_run);
    const double without = fresh(short_run);

    const Stopwatch putting;
    put("long", messages_);
    std::cout << messages_ << " messages put at " << static_cast<double>(messages_) / putting.seconds() << "/s"
              << std::endl;
    expect_small("backlog");
    const double first = restart("long");
    std::cout << "first delivery " << first << " s after the start" << std::endl;
    EXPECT_LE(first, most_seconds());
    expect_small("backlog after a restart");

    const Stopwatch settling;
    settle_every_second("long", messages_);
    std::cout << "every second settled in " << settling.seconds() << " s" << std::endl;
    expect_small("every second settled");
    const double again = restart("long");
    std::cout << "first delivery " << again << " s after the start, every second settled" << std::endl;
    EXPECT_LE(again, most_seconds());

    const std::uint64_t left = messages_ / 2;
    const double holed = drain("long", left);
    std::cout << "every second one drained at " << holed << "/s" << std::endl;
    EXPECT_GE(holed, 0.8 * through);
    put("long", messages_);
    const double whole = drain("long", messages_);
    const double without_again = fresh(short_run);
    std::cout << "drained whole at " << whole << "/s; without backlog " << through << "/s go through, " << without
              << "/s and " << without_again << "/s are drained" << std::endl;
    EXPECT_GE(whole, 0.8 * std::min(without, without_again));
}

}  // namespace
}  // namespace telpher::test
