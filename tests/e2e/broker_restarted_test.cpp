// The broker is killed and started again while consumers hold messages.
//
// Claim: a restart is invisible to them except as time. Who holds a message keeps it, its late ack counts, nothing is
// handed out twice, and waits that were begun before go on after it.

#include <gtest/gtest.h>
#include <telpher/client.h>

#include <atomic>
#include <future>
#include <mutex>
#include <set>
#include <stop_token>
#include <thread>

#include "tests/support/broker.h"

namespace telpher::test {
namespace {

constexpr Millis kLimit{20'000};

QueueOptions roomy() {
    QueueOptions options;
    options.maxsize = 100'000;
    return options;
}

void put(Queue& queue, int from, int to) {
    for (int i = from; i < to; ++i) ASSERT_TRUE(queue.put_async(std::to_string(i)));
    const auto flushed = queue.flush(kLimit);
    ASSERT_TRUE(flushed) << flushed.error().message();
}

TEST(BrokerRestarted, what_is_held_stays_held) {
    constexpr int kMessages = 1000;
    Broker broker;
    Client client(broker.ipc());
    Queue queue = client.queue("held", roomy());
    ASSERT_NO_FATAL_FAILURE(put(queue, 0, kMessages));
    Consumer consumer = queue.consume({.prefetch = 400});
    std::vector<Message> held;
    std::set<std::string> seen;
    for (int i = 0; i < 300; ++i) {
        auto message = consumer.next(kLimit);
        ASSERT_TRUE(message) << message.error().message();
        EXPECT_TRUE(seen.emplace(message->text()).second) << message->text();
        if (i % 3 == 0) {
            held.push_back(std::move(*message));
        } else {
            message->ack();
        }
    }
    broker.kill();
    held.front().ack();  // while nobody listens
    broker.start();
    for (std::size_t i = 1; i < held.size(); ++i) {
        if (i % 2 == 0) {
            const auto done = held[i].ack_confirmed(kLimit);
            EXPECT_TRUE(done) << held[i].id() << ": " << done.error().message();
        } else {
            held[i].ack();
        }
    }
    for (int i = 300; i < kMessages; ++i) {
        auto message = consumer.next(kLimit);
        ASSERT_TRUE(message) << message.error().message();
        EXPECT_TRUE(seen.emplace(message->text()).second) << message->text() << " was handed out twice";
        message->ack();
    }
    const auto flushed = consumer.flush(kLimit);
    EXPECT_TRUE(flushed) << flushed.error().message();
    ASSERT_TRUE(queue.seal(kLimit));
    const auto end = consumer.next(kLimit);
    ASSERT_FALSE(end);
    EXPECT_EQ(end.error().code(), Code::kEnd) << end.error().message();
    EXPECT_EQ(consumer.next(Millis{0}).error().code(), Code::kEnd) << "it is still the end";
}

TEST(BrokerRestarted, waits_go_on) {
    Broker broker;
    Client client(broker.ipc());
    Queue queue = client.queue("waits", roomy());
    Queue other = client.queue("gets", roomy());
    Consumer consumer = queue.consume();
    Result<Message> taken = fail(Code::kEmpty);
    Result<Message> got = fail(Code::kEmpty);
    std::jthread taker([&] { taken = consumer.next(kLimit); });
    std::jthread getter([&] { got = other.get(kLimit); });
    ASSERT_TRUE(eventually(10s, [&] { return queue.stats()->consumers == 1 && other.stats()->consumers == 1; }));
    broker.kill();
    broker.start();
    ASSERT_NO_FATAL_FAILURE(put(queue, 0, 1));
    ASSERT_NO_FATAL_FAILURE(put(other, 0, 1));
    taker.join();
    getter.join();
    ASSERT_TRUE(taken) << taken.error().message();
    ASSERT_TRUE(got) << got.error().message();
    EXPECT_TRUE(taken->ack_confirmed(kLimit));
    EXPECT_TRUE(got->ack_confirmed(kLimit));
}

TEST(BrokerRestarted, a_handler_pool_does_every_message_once) {
    constexpr int kMessages = 20'000;
    Broker broker;
    Client client(broker.ipc());
    Queue queue = client.queue("pool", roomy());
    ASSERT_NO_FATAL_FAILURE(put(queue, 0, kMessages));
    std::mutex mutex;
    std::multiset<std::string> handled;
    std::stop_source too_long;
    RunResult result;
    std::atomic<bool> returned{false};
    std::jthread pool([&] {
        RunOptions options;
        options.threads = 4;
        options.stop = too_long.get_token();
        result = queue.run(options, [&](Message& message) {
            const std::lock_guard lock(mutex);
            handled.emplace(message.text());
            return Verdict::ack();
        });
        returned = true;
    });
    EXPECT_TRUE(eventually(20s, [&] {
        const std::lock_guard lock(mutex);
        return handled.size() > 100;
    }));
    broker.kill();
    broker.start();
    EXPECT_TRUE(queue.seal(kLimit));
    EXPECT_TRUE(eventually(20s, [&] { return returned.load(); })) << queue.stats()->unfinished() << " left";
    too_long.request_stop();
    pool.join();
    EXPECT_EQ(result.ended, Code::kEnd);
    EXPECT_EQ(std::set<std::string>(handled.begin(), handled.end()).size(), static_cast<std::size_t>(kMessages));
    EXPECT_EQ(handled.size(), static_cast<std::size_t>(kMessages)) << "some were handed out twice";
}

TEST(BrokerRestarted, too_late_for_a_put_whose_time_is_over) {
    Broker broker;
    Client client(broker.ipc());
    Queue queue = client.queue("full", {.maxsize = 1});
    ASSERT_TRUE(queue.put("fills it"));
    const std::vector<std::string_view> bodies(3, "waits");
    auto many = std::async(std::launch::async, [&] { return queue.put_many(bodies, {.timeout = Millis(2'000)}); });
    ASSERT_TRUE(eventually(10s, [&] { return queue.stats()->blocked_producers == 1; }));
    broker.kill();
    ASSERT_EQ(many.wait_for(10s), std::future_status::ready) << "it hangs";
    const auto runs = many.get();
    ASSERT_TRUE(runs) << runs.error().message();
    ASSERT_EQ(runs->size(), 1U);
    EXPECT_EQ(runs->front().count, 3U);
    EXPECT_EQ(runs->front().code, Code::kUnknown) << "sent, and nobody is there to ask";
    broker.start();
    ASSERT_TRUE(eventually(20s, [&] { return queue.stats(Millis(500)).has_value(); }));
    EXPECT_EQ(queue.stats()->put, 1U);
}

}  // namespace
}  // namespace telpher::test
