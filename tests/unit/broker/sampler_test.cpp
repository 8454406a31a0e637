// What the admin port sees of a shard: figures of a queue's life, in slices, and requests that nobody serves.
#include "broker/sampler.h"

#include <gtest/gtest.h>

#include <thread>

#include "broker/sample_inbox.h"
#include "tests/sim/sim_peer.h"

namespace telpher::sim {
namespace {

using namespace std::chrono_literals;
using V = v1::Settle;

class SamplerTest : public testing::Test {
protected:
    SamplerTest() { EXPECT_TRUE(broker.start()); }

    broker::Sample sample(broker::SampleQuery query = {.queues = true}) {
        broker::SampleJob job;
        job.query = std::move(query);
        slices = 1;
        while (!broker.shard().sample(job)) ++slices;
        return std::move(job.sample);
    }
    broker::QueueSample queue() { return sample().queues.at(0); }

    SimBroker broker{1};
    std::size_t slices = 0;
};

TEST_F(SamplerTest, FollowsAMessageThroughItsLife) {
    SimPeer producer(broker);
    producer.hello();
    const std::uint32_t handle = producer.open("q");
    const std::uint64_t id = producer.open_producer(handle);
    producer.put(handle, id, 0, 3, 16);
    broker.settle();
    broker.advance(2s);
    broker.settle();
    auto seen = queue();
    EXPECT_EQ(seen.state.ready(), 3U);
    EXPECT_GE(seen.oldest_ready, 2s);
    EXPECT_EQ(seen.oldest_lease, 0s);
    EXPECT_EQ(seen.metrics.put_wait.count(), 3U);

    SimPeer consumer(broker);
    consumer.hello();
    const std::uint32_t sub = consumer.attach(consumer.open("q"), 2);
    consumer.await<v1::Deliver>(v1::OP_DELIVER);
    broker.advance(1s);
    broker.settle();
    seen = queue();
    EXPECT_EQ(seen.metrics.delivered, 2U);
    EXPECT_EQ(seen.metrics.queue_wait.count(), 2U);
    EXPECT_GE(seen.metrics.queue_wait.sum(), 4e9);
    EXPECT_GE(seen.oldest_lease, 1s);
    EXPECT_EQ(seen.credit, 0U);

    consumer.settle(sub, 1, V::VERDICT_ACK, {0, 1, 1});
    consumer.settle(sub, 2, V::VERDICT_RELEASE, {1, 1, 1});
    broker.settle();
    seen = queue();
    EXPECT_EQ(seen.metrics.lease.count(), 1U) << "acked ones only";
    EXPECT_GE(seen.metrics.lease.sum(), 1e9);
    EXPECT_EQ(seen.oldest_lease, 0s);
    EXPECT_EQ(seen.state.ready(), 2U);
}

TEST_F(SamplerTest, CountsDeathsByTheirReason) {
    SimPeer producer(broker);
    producer.hello();
    v1::QueueOptions options;
    options.set_max_attempts(1);
    const std::uint32_t handle = producer.open("q", options);
    producer.put(handle, producer.open_producer(handle), 0, 3, 16);
    SimPeer consumer(broker);
    consumer.hello();
    const std::uint32_t sub = consumer.attach(consumer.open("q"), 3);
    consumer.await<v1::Deliver>(v1::OP_DELIVER);
    consumer.settle(sub, 1, V::VERDICT_DEAD, {0, 1, 1});
    consumer.settle(sub, 2, V::VERDICT_NACK, {1, 2, 1});
    broker.settle();
    const auto seen = queue();
    EXPECT_EQ(seen.metrics.died, (std::array<std::uint64_t, 3>{1, 2, 0}));
    EXPECT_EQ(seen.state.dead(), 3U);
    EXPECT_EQ(seen.oldest_lease, 0s);
}

TEST_F(SamplerTest, AgeSurvivesARestart) {
    SimPeer producer(broker);
    producer.hello();
    const std::uint32_t handle = producer.open("q");
    producer.put(handle, producer.open_producer(handle), 0, 1, 16);
    broker.settle();
    EXPECT_LT(queue().oldest_ready, 1s);
    broker.kill();
    ASSERT_TRUE(broker.start());
    EXPECT_GT(queue().oldest_ready, 0s) << "since its put, as the batch says";
}

TEST_F(SamplerTest, ManyQueuesTakeManySlices) {
    SimPeer peer(broker);
    peer.hello();
    for (int i = 0; i < 250; ++i) peer.open("q" + std::to_string(i));
    broker.settle();
    const auto all = sample();
    EXPECT_EQ(all.queues.size(), 250U);
    EXPECT_GE(slices, 3U);
    EXPECT_TRUE(std::is_sorted(all.queues.begin(), all.queues.end(),
                               [](const auto& a, const auto& b) { return a.state.name() < b.state.name(); }));
    EXPECT_EQ(sample({.queues = true, .queue = "q7"}).queues.at(0).state.name(), "q7");
    EXPECT_TRUE(sample({.queues = true, .queue = "none"}).queues.empty());
}

TEST_F(SamplerTest, CountsClientsAndWhatBreaksTheProtocol) {
    SimPeer idle(broker);
    idle.hello();
    SimPeer consumer(broker);
    consumer.hello();
    consumer.attach(consumer.open("q"), 2);
    SimPeer both(broker);
    both.hello();
    const std::uint32_t handle = both.open("q");
    both.open_producer(handle);
    both.attach(handle, 1);
    SimPeer stranger(broker);
    stranger.send(v1::OP_PING, v1::Ping());
    broker.settle();
    const auto seen = sample({.list_clients = true});
    EXPECT_EQ(seen.clients.idle, 1U);
    EXPECT_EQ(seen.clients.consumers, 1U);
    EXPECT_EQ(seen.clients.producers, 0U);
    EXPECT_EQ(seen.clients.both, 1U);
    EXPECT_EQ(seen.client_list.size(), 3U);
    ASSERT_EQ(seen.protocol_errors.size(), 1U);
    EXPECT_EQ(seen.protocol_errors[0], std::pair(Code::kHelloRequired, std::uint64_t{1}));
    EXPECT_GT(seen.sync_time.count(), 0U);
}

TEST(SampleInbox, WaitsNoLongerThanAsked) {
    broker::SampleInbox inbox;
    EXPECT_EQ(inbox.ask({}, 1s, [] {}).error().code(), Code::kBusy) << "closed";
    inbox.open();
    for (int i = 0; i < 8; ++i) EXPECT_EQ(inbox.ask({}, 1ms, [] {}).error().code(), Code::kTimeout) << i;
    EXPECT_EQ(inbox.ask({}, 1ms, [] {}).error().code(), Code::kBusy) << "the stuck shard has enough of them";
    while (inbox.front() != nullptr) inbox.finish_front();
    std::thread shard;
    const auto served = inbox.ask({}, 10s, [&] {
        shard = std::thread([&] {
            EXPECT_NE(inbox.front(), nullptr);
            inbox.finish_front();
        });
    });
    shard.join();
    EXPECT_TRUE(served.has_value());
    inbox.close();
}

}  // namespace
}  // namespace telpher::sim
