// Consumers that are slow, stop asking, or leave.
//
// Claim: work spreads over who is free; what a consumer has but does not handle comes back to the others without a
// failure counted.

#include <gtest/gtest.h>
#include <telpher/client.h>

#include <atomic>
#include <thread>

#include "proto/limits.h"
#include "tests/support/broker.h"

namespace telpher::test {
namespace {

constexpr Millis kLimit{20'000};

void put(Queue& queue, int count) {
    for (int i = 0; i < count; ++i) ASSERT_TRUE(queue.put_async(std::to_string(i)));
    ASSERT_TRUE(queue.flush(kLimit));
}

TEST(ConsumerSlow, work_spreads_over_slow_consumers) {
    constexpr int kMessages = 60;
    Broker broker;
    Client first(broker.ipc());
    Client second(broker.ipc());
    Queue queue = first.queue("slow");
    ASSERT_NO_FATAL_FAILURE(put(queue, kMessages));
    ASSERT_TRUE(queue.seal(kLimit));
    const auto work = [](Queue from) {
        return from.run({}, [](Message&) {
            pass_time(30ms);
            return Verdict::ack();
        });
    };
    RunResult mine;
    std::jthread thread([&] { mine = work(queue); });
    const RunResult others = work(second.queue("slow"));
    thread.join();
    EXPECT_EQ(mine.acked + others.acked, static_cast<std::uint64_t>(kMessages));
    EXPECT_GE(mine.acked, kMessages * 4U / 10) << "of " << kMessages;
    EXPECT_GE(others.acked, kMessages * 4U / 10) << "of " << kMessages;
    EXPECT_EQ(queue.stats()->redelivered, 0U) << "nothing had to be asked back";
}

TEST(ConsumerSlow, a_new_consumer_gets_what_another_holds_and_does_not_handle) {
    Broker broker;
    Client first(broker.ipc());
    Client second(broker.ipc());
    Queue queue = first.queue("hoard");
    ASSERT_NO_FATAL_FAILURE(put(queue, 100));
    Consumer hoarder = queue.consume({.prefetch = 100});
    auto taken = hoarder.next(kLimit);
    ASSERT_TRUE(taken);
    ASSERT_TRUE(eventually(10s, [&] { return queue.stats()->ready == 0; }));
    Consumer idle = second.queue("hoard").consume();
    for (int i = 0; i < 40; ++i) {
        auto message = idle.next(kLimit);
        ASSERT_TRUE(message) << i << ": " << message.error().message();
        EXPECT_EQ(message->attempt(), 1U);
        message->ack();
    }
}

TEST(ConsumerSlow, what_get_fetched_too_much_goes_back) {
    Broker broker;
    Client first(broker.ipc());
    Client second(broker.ipc());
    Queue queue = first.queue("gets");
    ASSERT_NO_FATAL_FAILURE(put(queue, 3000));
    for (int i = 0; i < 2000; ++i) {  // quickly: it fetches ahead
        auto message = queue.get(kLimit);
        ASSERT_TRUE(message);
        message->ack();
    }
    std::optional<Message> kept(std::move(*queue.get(kLimit)));
    // Acks go in the background: the last of them may still be on its way when all else is back.
    const auto back = [&] { return queue.stats()->ready == 999 && queue.stats()->leased == 1; };
    EXPECT_TRUE(eventually(10s, back)) << queue.stats()->ready << " ready, " << queue.stats()->leased << " leased";
    Queue others = second.queue("gets");
    for (int i = 0; i < 999; ++i) {
        auto message = others.get(kLimit);
        ASSERT_TRUE(message);
        message->ack();
    }
    EXPECT_EQ(others.get(Millis{0}).error().code(), Code::kEmpty);
    EXPECT_TRUE(kept->ack_confirmed(kLimit));
    EXPECT_TRUE(queue.wait_idle(kLimit));
    EXPECT_TRUE(eventually(10s, [&] { return queue.stats()->consumers == 0; })) << "nobody gets: nobody is attached";
}

TEST(ConsumerSlow, who_takes_a_number_of_messages_draws_no_more) {
    Broker broker;
    Client client(broker.ipc());
    Queue queue = client.queue("numbered");
    ASSERT_NO_FATAL_FAILURE(put(queue, 3'000));
    {
        Consumer consumer = queue.consume({.messages_max = 1'000});
        int taken = 0;
        for (Message& message : consumer) {
            message.ack();
            ++taken;
        }
        EXPECT_EQ(taken, 1'000);
        EXPECT_EQ(consumer.ended(), Code::kStopped);
        EXPECT_EQ(consumer.next(Millis{0}).error().code(), Code::kStopped);
    }
    const RunResult run = queue.run({.threads = 4, .messages_max = 1'000}, [](Message&) { return Verdict::ack(); });
    EXPECT_EQ(run.acked, 1'000U);
    for (const char* wait : {"0", "5s"}) {
        const Finished got =
            test::run(program("telpher"), {"get", "numbered", "-n", "400", "--wait", wait, "-s", broker.ipc()}, 20s);
        EXPECT_TRUE(got.ended.ok()) << got.errors;
        EXPECT_EQ(std::count(got.output.begin(), got.output.end(), '\n'), 400);
    }
    const auto stats = queue.stats();
    EXPECT_EQ(stats->acked, 2'800U);
    EXPECT_EQ(stats->ready, 200U);
    EXPECT_EQ(stats->redelivered, 0U);
    for (int i = 0; i < 200; ++i) {
        auto message = queue.get(kLimit);
        ASSERT_TRUE(message);
        EXPECT_EQ(message->delivery(), 1U) << "it was drawn in vain";
        message->ack();
    }
}

TEST(ConsumerSlow, a_message_may_outlive_its_queue_handle) {
    Broker broker;
    Client client(broker.ipc());
    Queue queue = client.queue("outlive");
    ASSERT_NO_FATAL_FAILURE(put(queue, 2));
    auto message = client.queue("outlive").get(kLimit);
    ASSERT_TRUE(message);
    EXPECT_TRUE(message->ack_confirmed(kLimit)) << "the handle it came from is gone";
    EXPECT_TRUE(eventually(10s, [&] { return queue.stats()->acked == 1; }));
    std::optional<Message> late;
    {
        Client brief(broker.ipc());
        late.emplace(std::move(*brief.queue("outlive").get(kLimit)));
    }
    late->ack();  // the client is gone: nothing happens
    EXPECT_EQ(late->text(), "1");
    late.reset();
    EXPECT_TRUE(eventually(10s, [&] { return queue.stats()->ready == 1; }));
}

// More handles than a session may have open at a time: those of queues that nobody holds any more are closed.
TEST(ConsumerSlow, queue_handles_of_messages_that_were_settled_are_closed) {
    Broker broker;
    Client client(broker.ipc());
    for (std::size_t i = 0; i < limits::kHandlesMax + 100; ++i) {
        Queue brief = client.queue("brief");
        ASSERT_TRUE(brief.put("x", {.timeout = kLimit}));
        auto message = brief.get(kLimit);
        ASSERT_TRUE(message) << i << ": " << message.error().message();
        brief = client.queue("brief");
        message->ack();
    }
    const auto stats = client.show("brief");
    ASSERT_TRUE(stats);
    EXPECT_EQ(stats->redelivered, 0U);
}

TEST(ConsumerSlow, a_consumer_that_leaves_gives_back_and_flushes) {
    Broker broker;
    Client client(broker.ipc());
    Queue queue = client.queue("leaves");
    ASSERT_NO_FATAL_FAILURE(put(queue, 50));
    {
        Consumer consumer = queue.consume({.prefetch = 50});
        for (int i = 0; i < 10; ++i) {
            auto message = consumer.next(kLimit);
            ASSERT_TRUE(message);
            message->ack();
        }
    }
    EXPECT_TRUE(eventually(10s, [&] { return queue.stats()->ready == 40; }));
    EXPECT_EQ(queue.stats()->acked, 10U);
    EXPECT_EQ(queue.stats()->consumers, 0U);
}

TEST(ConsumerSlow, every_get_after_the_end_says_so_until_it_is_reopened) {
    Broker broker;
    Client client(broker.ipc());
    Queue queue = client.queue("end");
    ASSERT_TRUE(queue.seal(kLimit));
    for (int i = 0; i < 3; ++i) EXPECT_EQ(queue.get(kLimit).error().code(), Code::kEnd);
    EXPECT_EQ(queue.get(Millis{0}).error().code(), Code::kEnd);
    ASSERT_TRUE(queue.reopen(kLimit));
    EXPECT_EQ(queue.get(Millis{0}).error().code(), Code::kEmpty);
    EXPECT_EQ(queue.get(Millis{50}).error().code(), Code::kEmpty);
    ASSERT_NO_FATAL_FAILURE(put(queue, 1));
    auto message = queue.get(kLimit);
    ASSERT_TRUE(message) << message.error().message();
    message->ack();
}

}  // namespace
}  // namespace telpher::test
