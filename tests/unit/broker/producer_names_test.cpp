// Producers that have a name: the first sequence that is not stored, whoever opens the name, and nothing of the one
// before afterwards.
#include <gtest/gtest.h>

#include "tests/sim/sim_peer.h"

namespace telpher::sim {
namespace {

using namespace std::chrono_literals;
using Runs = std::vector<frame::Run>;

constexpr std::uint64_t kCancelled = static_cast<std::uint64_t>(Code::kCancelled);
constexpr std::uint64_t kFenced = static_cast<std::uint64_t>(Code::kFenced);

/// Segments that hold batches of the usual size.
log::LogOptions larger_log() {
    log::LogOptions options = small_log();
    options.segment_bytes = 4 * limits::kMiB;
    return options;
}

class ProducerNamesTest : public testing::Test {
protected:
    ProducerNamesTest() { EXPECT_TRUE(broker.start()); }

    struct Client {
        explicit Client(SimBroker& to) : peer(to) {}
        SimPeer peer;
        std::uint32_t handle = 0;
        std::uint64_t producer = 0;
        std::uint64_t next = 0;
    };
    /// A client that has just been started: a session, the queue, the name.
    Client start(const v1::QueueOptions& options = {}, std::string_view name = "tail") {
        Client client(broker);
        client.peer.hello();
        client.handle = client.peer.open("q", options);
        const auto opened = client.peer.open_named(client.handle, name);
        client.producer = opened.producer();
        client.next = opened.next_sequence();
        return client;
    }
    static void put(Client& client, std::uint64_t first, std::uint32_t count) {
        client.peer.put(client.handle, client.producer, first, count);
    }
    v1::Confirm confirm(Client& client) { return client.peer.await<v1::Confirm>(v1::OP_CONFIRM); }
    std::uint64_t stored() {
        SimPeer looker(broker);
        looker.hello();
        return looker.show("q").put();
    }

    SimBroker broker{1, small_settings(), larger_log()};
};

TEST_F(ProducerNamesTest, ANewNameBeginsWithZeroAndEachHasItsOwn) {
    Client client = start();
    EXPECT_EQ(client.next, 0U);
    put(client, 0, 3);
    confirm(client);
    EXPECT_EQ(start({}, "other").next, 0U);
    EXPECT_EQ(start().next, 3U);
}

TEST_F(ProducerNamesTest, WhoOpensItAgainGoesOnWhereItEndedUnderANewId) {
    Client first = start();
    put(first, 0, 3);
    confirm(first);
    first.peer.lose();
    Client second = start();
    EXPECT_EQ(second.next, 3U);
    EXPECT_NE(second.producer, first.producer);
    put(second, 3, 2);
    EXPECT_EQ(runs_of(confirm(second).stored()), (Runs{{3, 2, 3}}));
    EXPECT_EQ(start().next, 5U);
}

TEST_F(ProducerNamesTest, TheOlderIsFencedAtOnceAlthoughItsSessionLives) {
    Client older = start();
    put(older, 0, 2);
    confirm(older);
    Client newer = start();
    put(older, 2, 1);
    EXPECT_EQ(runs_of(confirm(older).refused()), (Runs{{2, 1, kFenced}}));
    EXPECT_EQ(older.peer.refused_named(older.handle, "tail", older.producer), Code::kFenced);
    put(newer, 2, 1);
    EXPECT_EQ(runs_of(confirm(newer).stored()), (Runs{{2, 1, 2}}));
    EXPECT_EQ(stored(), 3U);
}

TEST_F(ProducerNamesTest, WhatTheOlderHasParkedIsNeverAdmitted) {
    Client older = start(bounded(2));
    put(older, 0, 5);
    put(older, 5, 2);
    EXPECT_EQ(runs_of(confirm(older).stored()), (Runs{{0, 2, 0}}));
    Client newer = start(bounded(2));
    EXPECT_EQ(newer.next, 2U);
    EXPECT_EQ(runs_of(confirm(older).refused()), (Runs{{2, 5, kFenced}}));
    const std::uint32_t sub = newer.peer.attach(newer.handle, 10);
    newer.peer.await(v1::OP_DELIVER);
    newer.peer.settle(sub, 1, v1::Settle::VERDICT_ACK, {0, 2, 1});
    newer.peer.await(v1::OP_SETTLED);
    EXPECT_EQ(stored(), 2U);
    put(newer, 2, 2);
    EXPECT_EQ(runs_of(confirm(newer).stored()), (Runs{{2, 2, 2}}));
}

TEST_F(ProducerNamesTest, OrphansOfACrashedClientAreNotAdmittedBesideItsSuccessors) {
    Client crashed = start(bounded(1));
    put(crashed, 0, 4);
    confirm(crashed);
    crashed.peer.lose();
    broker.settle();
    broker.advance(limits::kResumeGrace + 1s);  // the session is over, what it has in line stays a lease longer
    broker.settle();
    Client next = start(bounded(1));
    EXPECT_EQ(next.next, 1U);
    EXPECT_EQ(next.peer.show("q").blocked_producers(), 0U);
    put(next, 1, 3);
    const std::uint32_t sub = next.peer.attach(next.handle, 10);
    for (std::uint64_t offset = 0; offset < 4; ++offset) {
        EXPECT_EQ(next.peer.await<v1::Deliver>(v1::OP_DELIVER).first_offset(), offset);
        next.peer.settle(sub, offset + 1, v1::Settle::VERDICT_ACK, {offset, 1, 1});
    }
    broker.settle();
    EXPECT_EQ(stored(), 4U);
    EXPECT_EQ(start(bounded(1)).next, 4U);
}

TEST_F(ProducerNamesTest, APutOfTheOlderThatIsNotCommittedYetCounts) {
    Client older = start();
    put(older, 0, 3);
    broker.cycle();  // admitted, not committed
    Client newer = start();
    EXPECT_EQ(newer.next, 3U);
    EXPECT_EQ(runs_of(confirm(older).stored()), (Runs{{0, 3, 0}}));
    EXPECT_EQ(stored(), 3U);
}

TEST_F(ProducerNamesTest, AfterARefusalNothingIsStoredUntilItIsOpenedAgain) {
    Client client = start(bounded(2, 2));
    put(client, 0, 3);
    v1::Confirm told = confirm(client);
    EXPECT_EQ(runs_of(told.refused()), (Runs{{2, 1, static_cast<std::uint64_t>(Code::kFull)}}));
    const std::uint32_t sub = client.peer.attach(client.handle, 10);
    client.peer.settle(sub, 1, v1::Settle::VERDICT_ACK, {0, 2, 1});
    client.peer.await(v1::OP_SETTLED);
    put(client, 3, 1);  // there is room, but it would leave a hole
    EXPECT_EQ(runs_of(confirm(client).refused()), (Runs{{3, 1, kCancelled}}));
    const auto again = client.peer.open_named(client.handle, "tail");
    EXPECT_EQ(again.next_sequence(), 2U);
    client.peer.put(client.handle, again.producer(), 2, 2);
    EXPECT_EQ(runs_of(confirm(client).stored()), (Runs{{2, 2, 2}}));
    EXPECT_EQ(stored(), 4U);
}

TEST_F(ProducerNamesTest, PutsBehindARefusedOneAreRefusedWithIt) {
    Client client = start();
    broker.files().set_free_bytes(1);
    broker.advance(1s);
    broker.settle();
    put(client, 0, 2);
    EXPECT_EQ(runs_of(confirm(client).refused()), (Runs{{0, 2, static_cast<std::uint64_t>(Code::kDiskFull)}}));
    broker.files().set_free_bytes(1ULL << 40);
    broker.advance(1s);
    broker.settle();
    put(client, 2, 2);
    EXPECT_EQ(runs_of(confirm(client).refused()), (Runs{{2, 2, kCancelled}}));
    EXPECT_EQ(client.peer.open_named(client.handle, "tail").next_sequence(), 0U);
}

TEST_F(ProducerNamesTest, ACancelTakesWhatFollowsOutToo) {
    Client client = start(bounded(1));
    put(client, 0, 4);
    put(client, 4, 2);
    confirm(client);
    client.peer.await(v1::OP_PARKED);
    client.peer.cancel(client.handle, client.producer, 2, 1);
    EXPECT_EQ(runs_of(confirm(client).refused()), (Runs{{2, 2, kCancelled}, {4, 2, kCancelled}}));
    put(client, 6, 1);
    const std::uint32_t sub = client.peer.attach(client.handle, 10);
    client.peer.await(v1::OP_DELIVER);
    client.peer.settle(sub, 1, v1::Settle::VERDICT_ACK, {0, 1, 1});
    client.peer.await(v1::OP_SETTLED);
    broker.settle();
    EXPECT_EQ(stored(), 2U);
    EXPECT_EQ(start(bounded(1)).next, 2U);
}

TEST_F(ProducerNamesTest, AHoleIsRefusedNotPassed) {
    Client client = start();
    put(client, 1, 1);
    EXPECT_EQ(runs_of(confirm(client).refused()), (Runs{{0, 2, kCancelled}}));
    EXPECT_EQ(start().next, 0U);
}

TEST_F(ProducerNamesTest, AReconnectGoesOnWithTheIdAndTheVerdictsComeAgain) {
    Client client = start();
    put(client, 0, 2);
    broker.settle();
    client.peer.lose();
    broker.settle();
    client.peer.reconnect();
    client.peer.hello();
    client.handle = client.peer.open("q");
    EXPECT_EQ(client.peer.open_named(client.handle, "tail", client.producer).producer(), client.producer);
    put(client, 0, 2);
    put(client, 2, 1);
    broker.settle();
    EXPECT_EQ(stored(), 3U);
    EXPECT_EQ(runs_of(confirm(client).stored()).front().count, 2U);
}

TEST_F(ProducerNamesTest, AnIdWithoutItsNameOrWithAForgottenOneIsRefused) {
    Client client = start();
    EXPECT_EQ(client.peer.refused_named(client.handle, "", client.producer), Code::kUnknownProducer);
    EXPECT_EQ(client.peer.refused_named(client.handle, "never", client.producer), Code::kUnknownProducer);
    EXPECT_EQ(client.peer.refused_named(client.handle, std::string(256, 'n'), 0), Code::kTooLarge);
    EXPECT_EQ(client.peer.open_named(client.handle, std::string(255, '\0')).next_sequence(), 0U);
}

TEST_F(ProducerNamesTest, AKillOfTheBrokerChangesNothing) {
    Client first = start();
    put(first, 0, 3);
    confirm(first);
    for (int lives = 0; lives < 3; ++lives) {
        broker.kill();
        ASSERT_TRUE(broker.start());
        Client client = start();
        EXPECT_EQ(client.next, 3U + static_cast<std::uint64_t>(lives));
        put(client, client.next, 1);
        confirm(client);
    }
    EXPECT_EQ(stored(), 6U);
}

TEST_F(ProducerNamesTest, AfterAPowerCutItIsWhatWasCommitted) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        Client client = start();
        const std::uint64_t before = client.next;
        put(client, before, 3);
        confirm(client);
        put(client, before + 3, 4);
        broker.cycle();  // appended, not committed
        broker.power_cut(seed);
        ASSERT_TRUE(broker.start());
        const Client again = start();
        EXPECT_GE(again.next, before + 3);
        EXPECT_EQ(again.next, stored());
    }
}

TEST_F(ProducerNamesTest, RefusalsTheBrokerForgetsLeaveNoHoleEither) {
    Client client = start(bounded(2, 2));
    put(client, 0, 4);
    confirm(client);  // 2 and 3 are refused
    broker.kill();
    ASSERT_TRUE(broker.start());
    client.peer.reconnect();
    client.peer.hello();
    client.handle = client.peer.open("q", bounded(2, 2));
    client.peer.open_named(client.handle, "tail", client.producer);
    const std::uint32_t sub = client.peer.attach(client.handle, 10);
    broker.advance(limits::kRestartHold + 1ms);
    client.peer.await(v1::OP_DELIVER);
    client.peer.settle(sub, 1, v1::Settle::VERDICT_ACK, {0, 2, 1});
    client.peer.await(v1::OP_SETTLED);
    put(client, 4, 1);  // what the client knows to be refused is cut out
    const auto refused = runs_of(confirm(client).refused());
    ASSERT_FALSE(refused.empty());
    EXPECT_EQ(stored(), 2U);
    EXPECT_EQ(start(bounded(2, 2)).next, 2U);
}

TEST_F(ProducerNamesTest, NamesComeThroughSnapshotsAndWithoutTheirMessages) {
    SimBroker small{1};
    ASSERT_TRUE(small.start());
    SimPeer peer(small);
    peer.hello();
    const std::uint32_t handle = peer.open("q");
    auto opened = peer.open_named(handle, "tail");
    const std::uint32_t sub = peer.attach(handle, 5000);
    std::uint64_t settles = 0;
    for (std::uint64_t sequence = 0; sequence < 300; ++sequence) {
        peer.put(handle, opened.producer(), sequence, 1, 1000);
        peer.await(v1::OP_DELIVER);
        peer.settle(sub, ++settles, v1::Settle::VERDICT_ACK, {sequence, 1, 1});
        if (sequence % 100 == 99) {
            opened = peer.open_named(handle, "tail");
            EXPECT_EQ(opened.next_sequence(), sequence + 1);
        }
        peer.clear();
    }
    for (int i = 0; i < 3; ++i) {
        small.advance(1s);
        small.settle();
    }
    EXPECT_LT(small.shard().log().segment_count(), 8U);  // nothing of the first ones is left
    small.kill();
    ASSERT_TRUE(small.start());
    SimPeer after(small);
    after.hello();
    EXPECT_EQ(after.open_named(after.open("q"), "tail").next_sequence(), 300U);
}

TEST_F(ProducerNamesTest, AMemoryQueueCountsFromZeroAfterARestart) {
    Client client = start(bounded(10, 1, 3));
    put(client, 0, 3);
    confirm(client);
    EXPECT_EQ(start(bounded(10, 1, 3)).next, 3U);
    broker.kill();
    ASSERT_TRUE(broker.start());
    client.peer.reconnect();
    client.peer.hello();
    client.handle = client.peer.open("q", bounded(10, 1, 3));
    EXPECT_EQ(client.peer.refused_named(client.handle, "tail", client.producer), Code::kUnknownProducer);
    EXPECT_EQ(start(bounded(10, 1, 3)).next, 0U);
}

TEST_F(ProducerNamesTest, ANameGoesWithItsQueue) {
    Client client = start();
    put(client, 0, 3);
    confirm(client);
    v1::Change remove;
    remove.set_req(client.peer.request());
    remove.set_what(v1::Change::WHAT_REMOVE);
    remove.set_name("q");
    remove.set_force(true);
    client.peer.send(v1::OP_CHANGE, remove);
    client.peer.await(v1::OP_OK);
    EXPECT_EQ(start().next, 0U);
}

TEST_F(ProducerNamesTest, ItIsForgottenThirtyDaysAfterTheLastPut) {
    Client client = start();
    put(client, 0, 3);
    confirm(client);
    client.peer.close_producer(client.handle, client.producer);
    client.peer.await(v1::OP_OK);
    client.peer.lose();
    broker.settle();
    broker.advance(29 * 24h);
    broker.settle();
    broker.kill();
    ASSERT_TRUE(broker.start());
    {
        SimPeer looker(broker);
        looker.hello();
        EXPECT_EQ(looker.refused_named(looker.open("q"), "tail", 1), Code::kFenced) << "it is known";
    }
    broker.advance(2 * 24h);
    broker.settle();
    broker.advance(1s);
    broker.settle();
    broker.kill();
    ASSERT_TRUE(broker.start());
    EXPECT_EQ(start().next, 0U);
}

}  // namespace
}  // namespace telpher::sim
