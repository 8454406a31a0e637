// SIGSTOP: a process that lives, holds its connections and says nothing.
//
// Claim: a stopped consumer's messages come back to others when its session's lease is over, and what it says when it
// wakes harms nobody; a broker that was stopped, shortly or so long that clients give the connection up, is to them
// nothing but time.

#include <gtest/gtest.h>
#include <telpher/client.h>

#include <csignal>

#include "tests/e2e/load.h"
#include "tests/support/seed.h"

namespace telpher::test {
namespace {

TEST(PeerStopped, a_consumer_loses_its_messages_to_others) {
    Broker broker({.args = {"--session-lease-ms", "1500", "--heartbeat-ms", "300"}, .descriptors = {}});
    Load load(broker.ipc(), "work", test_seed());
    {
        Client client(broker.ipc());
        ASSERT_TRUE(client.create("work", {}).has_value());
    }
    load.start_producer({"--rate", "300"});
    auto& stopped = load.start_consumer({"--hold-ms", "20"});
    ASSERT_TRUE(eventually(20s, [&] { return load.progress().delivered > 5; }));
    stopped.process.signal(SIGSTOP);
    load.start_consumer({"--threads", "2"});

    Client watcher(broker.ipc());
    EXPECT_TRUE(eventually(15s, [&] {
        const auto stats = watcher.show("work");
        return stats && stats->redelivered > 0 && stats->consumers == 2;
    })) << "the lease of the stopped one does not end";
    ASSERT_TRUE(load.goes_on(20, 20, 10s));
    stopped.process.signal(SIGCONT);
    ASSERT_TRUE(load.goes_on(100, 100, 20s));
    const Verdict verdict = load.finish(60s);
    EXPECT_TRUE(verdict.ok()) << verdict.text();
    EXPECT_GT(verdict.redelivered, 0U);
}

// Its session ends meanwhile; what it has in line does not.
TEST(PeerStopped, a_producer_in_line_keeps_its_place) {
    Broker broker({.args = {"--session-lease-ms", "2000", "--heartbeat-ms", "400", "--resume-grace-ms", "100"},
                   .descriptors = {}});
    Client watcher(broker.ipc());
    Queue queue = watcher.queue("full", {.maxsize = 1});
    ASSERT_TRUE(queue.put("first").has_value());
    Process put(program("telpher"), {"put", "full", "waits", "--ids", "-s", broker.ipc()});
    ASSERT_TRUE(eventually(10s, [&] { return watcher.show("full")->blocked_producers == 1; }));
    put.signal(SIGSTOP);
    ASSERT_TRUE(eventually(10s, [&] { return watcher.status()->sessions == 1; })) << "its session does not end";
    EXPECT_EQ(watcher.show("full")->blocked_producers, 1U);
    put.signal(SIGCONT);
    queue.get()->ack();
    const auto ended = put.wait(20s);
    ASSERT_TRUE(ended) << "it hangs";
    EXPECT_TRUE(ended->ok()) << ended->text() << " " << put.errors();
    EXPECT_EQ(put.output(), "1\n");
    EXPECT_EQ(queue.get()->text(), "waits");
    EXPECT_EQ(watcher.show("full")->put, 2U);
}

class BrokerStopped : public testing::TestWithParam<int> {};

TEST_P(BrokerStopped, is_nothing_but_time) {
    Broker broker;
    {
        Client client(broker.tcp());
        ASSERT_TRUE(client.create("work", {}).has_value());
    }
    Load load(broker.tcp(), "work", test_seed());
    load.start_producer({"--rate", "300"});
    load.start_consumer({"--threads", "2"});
    ASSERT_TRUE(load.goes_on(50, 50, 20s));
    broker.process().signal(SIGSTOP);
    pass_time(std::chrono::seconds(GetParam()));
    broker.process().signal(SIGCONT);
    ASSERT_TRUE(load.goes_on(50, 50, 20s));
    const Verdict verdict = load.finish(60s);
    EXPECT_TRUE(verdict.ok()) << verdict.text();
}

// Two seconds are less than any time limit; twenty-five are more than three heartbeats, after which a client gives the
// broker up.
INSTANTIATE_TEST_SUITE_P(Seconds, BrokerStopped, testing::Values(2, 25));

}  // namespace
}  // namespace telpher::test
