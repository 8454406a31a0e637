// A full queue: 50 producers put to a queue of 50 with slow consumers.
//
// Claim: the queue never holds more than 50; every put returns; puts that wait are admitted in the order they came; a
// batch of 10,000 of one producer goes in part by part, once and in order; what was cancelled or timed out is certainly
// not in the queue, and what was confirmed is; a second queue on the same connections keeps its rate.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <telpher/client.h>

#include <atomic>
#include <set>
#include <thread>

#include "proto/base/random.h"
#include "tests/support/broker.h"
#include "tests/support/seed.h"

namespace telpher::test {
namespace {

constexpr std::uint64_t kMaxsize = 50;
constexpr Millis kSoon{30'000};

QueueOptions of_size(std::uint64_t maxsize) {
    QueueOptions options;
    options.maxsize = maxsize;
    return options;
}

class QueueFull : public testing::Test {
protected:
    QueueStats stats(const std::string& queue = "full") {
        const auto stats = watcher_.show(queue);
        EXPECT_TRUE(stats.has_value()) << stats.error().message();
        return stats.value_or(QueueStats{});
    }

    /// Puts until the queue holds `count`.
    void fill(Queue& queue, std::uint64_t count) {
        for (std::uint64_t i = 0; i < count; ++i) ASSERT_TRUE(queue.put("filler").has_value());
    }

    /// Takes and acks all there is; the texts in the order of delivery.
    std::vector<std::string> take_all(Queue& queue) {
        std::vector<std::string> texts;
        while (auto message = queue.get(Millis(500))) {
            texts.emplace_back(message->text());
            EXPECT_TRUE(message->ack_confirmed(kSoon).has_value());
        }
        return texts;
    }

    Broker broker_;
    Client watcher_{broker_.ipc()};
};

TEST_F(QueueFull, never_holds_more_and_every_put_returns) {
    constexpr int kProducers = 50;
    constexpr int kPutsEach = 20;
    Queue queue = watcher_.queue("full", of_size(kMaxsize));
    std::atomic<int> confirmed{0};
    std::atomic<int> other{0};
    std::vector<std::thread> producers;
    for (int i = 0; i < kProducers; ++i) {
        producers.emplace_back([&] {
            Client client(broker_.ipc());
            Queue mine = client.queue("full");
            PutOptions options;
            options.timeout = Millis(60'000);
            for (int n = 0; n < kPutsEach; ++n) ++(mine.put("work", options) ? confirmed : other);
        });
    }
    // The bound is reached before the first message is taken, so that all of them have to wait.
    EXPECT_TRUE(eventually(30s, [&] { return stats().blocked_producers >= kProducers / 2; }));
    Client worker(broker_.ipc());
    RunOptions slow;
    slow.threads = 2;
    slow.messages_max = kProducers * kPutsEach;
    const auto done = worker.queue("full").run(slow, [](Message&) {
        pass_time(2ms);
        return Verdict::ack();
    });
    for (auto& producer : producers) producer.join();
    EXPECT_EQ(confirmed, kProducers * kPutsEach);
    EXPECT_EQ(other, 0);
    EXPECT_EQ(done.acked, kProducers * kPutsEach);
    EXPECT_TRUE(queue.wait_idle(kSoon).has_value());
    const QueueStats end = stats();
    EXPECT_EQ(end.high_water, kMaxsize) << "reached, and never passed";
    EXPECT_EQ(end.put, kProducers * kPutsEach);
    EXPECT_EQ(end.acked, kProducers * kPutsEach);
    EXPECT_EQ(end.unfinished(), 0U);
}

TEST_F(QueueFull, admits_waiting_puts_in_the_order_they_came) {
    constexpr std::uint32_t kWaiting = 30;
    Queue queue = watcher_.queue("full", of_size(kMaxsize));
    ASSERT_NO_FATAL_FAILURE(fill(queue, kMaxsize));
    std::vector<std::uint64_t> ids(kWaiting);
    std::vector<std::thread> producers;
    std::vector<Client> clients;
    clients.reserve(kWaiting);
    for (std::uint32_t i = 0; i < kWaiting; ++i) {
        clients.emplace_back(broker_.ipc());
        producers.emplace_back([&ids, &clients, i] {
            const auto id = clients[i].queue("full").put("waiter " + std::to_string(i));
            ids[i] = id.value_or(0);
        });
        ASSERT_TRUE(eventually(10s, [&] { return stats().blocked_producers == i + 1; })) << i;
    }
    const auto texts = take_all(queue);
    for (auto& producer : producers) producer.join();
    EXPECT_TRUE(std::ranges::is_sorted(ids)) << testing::PrintToString(ids);
    EXPECT_EQ(std::set(ids.begin(), ids.end()).size(), kWaiting);
    ASSERT_EQ(texts.size(), kMaxsize + kWaiting);
    for (std::uint32_t i = 0; i < kWaiting; ++i) EXPECT_EQ(texts[kMaxsize + i], "waiter " + std::to_string(i));
    EXPECT_EQ(stats().high_water, kMaxsize);
}

TEST_F(QueueFull, a_batch_of_ten_thousand_goes_in_part_by_part) {
    constexpr std::size_t kMessages = 10'000;
    Queue queue = watcher_.queue("full", of_size(kMaxsize));
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < kMessages; ++i) texts.push_back(std::to_string(i));
    const std::vector<std::string_view> bodies(texts.begin(), texts.end());
    std::vector<std::string> received;
    std::thread consumer([&] {
        Client client(broker_.ipc());
        Queue mine = client.queue("full");
        Consumer messages = mine.consume();
        while (received.size() < kMessages) {
            auto message = messages.next(kSoon);
            if (!message) break;
            received.emplace_back(message->text());
            message->ack();
        }
    });
    Client producer(broker_.ipc());
    const auto runs = producer.queue("full").put_many(bodies);
    consumer.join();
    ASSERT_TRUE(runs.has_value()) << runs.error().message();
    std::uint64_t confirmed = 0;
    std::uint64_t next_id = 0;
    for (const Confirmed& run : *runs) {
        EXPECT_EQ(run.code, Code::kOk);
        EXPECT_GE(run.id, next_id) << "in order";
        next_id = run.id + run.count;
        confirmed += run.count;
    }
    EXPECT_EQ(confirmed, kMessages);
    EXPECT_EQ(received, texts) << "once and in order";
    EXPECT_EQ(stats().high_water, kMaxsize);
}

TEST_F(QueueFull, what_was_cancelled_is_certainly_not_in_the_queue) {
    Queue queue = watcher_.queue("full", of_size(5));
    ASSERT_NO_FATAL_FAILURE(fill(queue, 5));
    PutOptions soon;
    soon.timeout = Millis(100);
    const auto timed_out = queue.put("timed out", soon);
    ASSERT_FALSE(timed_out.has_value());
    EXPECT_EQ(timed_out.error().code(), Code::kTimeout);

    std::stop_source stop;
    PutOptions stoppable;
    stoppable.stop = stop.get_token();
    std::thread stopper([&] {
        eventually(10s, [&] { return stats().blocked_producers == 1; });
        stop.request_stop();
    });
    const auto stopped = queue.put("stopped", stoppable);
    stopper.join();
    ASSERT_FALSE(stopped.has_value());
    EXPECT_EQ(stopped.error().code(), Code::kStopped);

    const std::vector<std::string_view> bodies(20, "cancelled");
    const auto runs = queue.put_many(bodies, soon);
    ASSERT_TRUE(runs.has_value()) << runs.error().message();
    for (const Confirmed& run : *runs) EXPECT_EQ(run.code, Code::kCancelled);
    EXPECT_EQ(stats().blocked_producers, 0U);
    EXPECT_THAT(take_all(queue), testing::Each("filler"));
    EXPECT_EQ(stats().put, 5U);
}

TEST_F(QueueFull, time_outs_that_race_with_room_are_told_rightly) {
    Random random(test_seed());
    Queue queue = watcher_.queue("full", of_size(3));
    std::set<std::string> confirmed;
    std::set<std::string> received;
    std::atomic<bool> done{false};
    std::thread consumer([&] {
        Client client(broker_.ipc());
        Queue mine = client.queue("full");
        for (;;) {
            auto message = mine.get(Millis(20));
            if (!message && done) return;
            if (!message) continue;
            pass_time(3ms);  // about as long as the puts have patience
            EXPECT_TRUE(received.emplace(message->text()).second) << message->text() << " came twice";
            EXPECT_TRUE(message->ack_confirmed(kSoon).has_value());
        }
    });
    std::mutex mutex;
    std::vector<std::thread> producers;
    std::atomic<int> timed_out{0};
    for (int p = 0; p < 6; ++p) {
        producers.emplace_back([&, p, seed = random.next()] {
            Random mine(seed);
            Client client(broker_.ipc());
            Queue to = client.queue("full");
            for (int n = 0; n < 100; ++n) {
                const std::string text = std::to_string(p) + "." + std::to_string(n);
                PutOptions options;
                options.timeout = Millis(1 + mine.below(40));
                const auto id = to.put(text, options);
                const std::lock_guard lock(mutex);
                if (id) {
                    confirmed.insert(text);
                } else {
                    EXPECT_EQ(id.error().code(), Code::kTimeout) << id.error().message();
                    ++timed_out;
                }
            }
        });
    }
    for (auto& producer : producers) producer.join();
    EXPECT_TRUE(queue.wait_idle(kSoon).has_value());
    done = true;
    consumer.join();
    EXPECT_EQ(received, confirmed);
    EXPECT_GT(timed_out, 0) << "nothing was tested";
    EXPECT_FALSE(confirmed.empty());
    EXPECT_LE(stats().high_water, 3U);
}

/// Messages a second through `queue`, pipelined, for about `time`.
double rate(Queue& from, Queue& to, Duration time) {
    std::uint64_t done = 0;
    std::jthread producer([&](const std::stop_token& stop) {
        PutOptions options;
        options.stop = stop;
        const std::string body(100, 'b');
        while (!stop.stop_requested()) (void)from.put_async(body, options);
        (void)from.flush(kSoon);
    });
    Consumer consumer = to.consume();
    const Stopwatch watch;
    while (watch.elapsed() < time) {
        auto message = consumer.next(Millis(100));
        if (!message) continue;
        message->ack();
        ++done;
    }
    const double seconds = watch.seconds();
    producer.request_stop();
    while (auto message = consumer.next(Millis(200))) message->ack();  // leaves nothing for the next run
    return static_cast<double>(done) / seconds;
}

TEST_F(QueueFull, leaves_a_second_queue_on_the_same_connections_alone) {
    constexpr Duration kTime = 400ms;
    Client putting(broker_.ipc());
    Client getting(broker_.ipc());
    Queue full = putting.queue("full", of_size(kMaxsize));
    Queue from = putting.queue("other");
    Queue to = getting.queue("other");
    std::vector<std::string_view> bodies(10'000, "waits");

    double idle = 0;
    double blocked = 0;
    // The better of several, as the machine has other work; idle and blocked in turn, so that it disturbs both.
    for (int i = 0; i < 8 && (i < 3 || blocked < 0.8 * idle); ++i) {
        idle = std::max(idle, rate(from, to, kTime));
        std::stop_source stop;
        PutOptions options;
        options.stop = stop.get_token();
        std::thread waiter([&] { (void)full.put_many(bodies, options); });
        ASSERT_TRUE(eventually(20s, [&] { return stats().blocked_producers == 1; }));
        blocked = std::max(blocked, rate(from, to, kTime));
        stop.request_stop();
        waiter.join();
    }
    RecordProperty("idle_per_s", std::to_string(idle));
    RecordProperty("blocked_per_s", std::to_string(blocked));
    EXPECT_GT(idle, 100);
    EXPECT_GE(blocked, 0.8 * idle);
}

}  // namespace
}  // namespace telpher::test
