// Gets as frames: credit, deliveries, verdicts, lost connections, restarts, bodies that left the memory.
#include <gtest/gtest.h>

#include "tests/sim/sim_peer.h"

namespace telpher::sim {
namespace {

using namespace std::chrono_literals;
using V = v1::Settle;

class GetDeskTest : public testing::Test {
protected:
    GetDeskTest() { EXPECT_TRUE(broker.start()); }

    /// A queue "q" with messages 0..count-1, each in a batch of its own.
    void fill(std::uint64_t count, const v1::QueueOptions& options = {}, std::size_t bytes = 16) {
        SimPeer producer(broker);
        producer.hello();
        const std::uint32_t queue = producer.open("q", options);
        const std::uint64_t id = producer.open_producer(queue);
        for (std::uint64_t i = 0; i < count; ++i) producer.put(queue, id, i, 1, bytes);
        broker.settle();
    }
    void come() {
        session = peer.hello(session);
        handle = peer.open("q");
    }
    void restart() {
        broker.kill();
        ASSERT_TRUE(broker.start());
        peer.reconnect();
        come();
    }
    v1::Deliver deliver(SimPeer& from) { return from.await<v1::Deliver>(v1::OP_DELIVER); }
    v1::Deliver deliver() { return deliver(peer); }
    v1::Attached attach(SimPeer& client, std::uint32_t queue, std::uint64_t credit,
                        std::initializer_list<std::uint64_t> held) {
        v1::Attach attach;
        attach.set_req(client.request());
        attach.set_handle(queue);
        attach.set_credit_messages(credit);
        attach.set_credit_bytes(limits::kCreditBytesMax);
        attach.mutable_held()->Add(held.begin(), held.end());
        client.send(v1::OP_ATTACH, attach);
        return client.await<v1::Attached>(v1::OP_ATTACHED);
    }
    std::vector<std::uint64_t> lost_of(const v1::Settled& settled) {
        return {settled.lost().begin(), settled.lost().end()};
    }

    SimBroker broker{1};
    SimPeer peer{broker};
    v1::HelloOk session;
    std::uint32_t handle = 0;
};

// Else a crash would forget the return, and hand it out once more under the same number.
TEST_F(GetDeskTest, WhatCameBackIsHandedOutOnceTheLogKnows) {
    fill(1);
    come();
    const std::uint32_t sub = peer.attach(handle, 1);
    deliver();
    SimPeer other(broker);
    other.hello();
    other.attach(other.open("q"), 1);
    broker.settle();
    peer.settle(sub, 1, V::VERDICT_RELEASE, {0, 1, 1});
    for (int i = 0; i < 5; ++i) broker.cycle();
    EXPECT_EQ(broker.shard().queue_count(), 1U);
    EXPECT_FALSE(broker.transport().from_broker(other.peer()).has_value()) << "the return is not committed";
    EXPECT_EQ(deliver(other).delivery(), 2U);
}

TEST_F(GetDeskTest, UnlimitedCreditStopsNobody) {
    come();
    SimPeer other(broker);
    other.hello();
    const std::uint32_t theirs = other.open("q");
    other.attach(theirs, 1);
    peer.attach(handle, UINT64_MAX);
    fill(10);
    EXPECT_EQ(peer.show("q").leased(), 10U);
}

TEST_F(GetDeskTest, MarksOfManyQueuesAreInSeveralRecords) {
    come();
    constexpr int kQueues = 4'000;
    v1::QueueOptions memory;
    memory.set_durability(3);
    for (int i = 0; i < kQueues; ++i) {
        const std::uint32_t queue = peer.open("memory-" + std::to_string(i), memory);
        peer.put(queue, peer.open_producer(queue), 0, 1);
    }
    broker.settle();
    broker.advance(1s);
    broker.settle();
    restart();
    EXPECT_EQ(peer.show("memory-0").lost(), 1U);
    EXPECT_EQ(peer.show("memory-3999").lost(), 1U);
}

TEST_F(GetDeskTest, CreditBoundsWhatIsDelivered) {
    fill(5);
    come();
    const std::uint32_t sub = peer.attach(handle, 2);
    EXPECT_EQ(deliver().first_offset(), 0U);
    EXPECT_EQ(deliver().first_offset(), 1U);
    EXPECT_FALSE(peer.look(v1::OP_DELIVER));
    v1::Credit credit;
    credit.set_sub(sub);
    credit.set_messages(1);  // lower: changes nothing
    credit.set_bytes(limits::kCreditBytesMax);
    peer.send(v1::OP_CREDIT, credit);
    EXPECT_FALSE(peer.look(v1::OP_DELIVER));
    credit.set_messages(3);
    peer.send(v1::OP_CREDIT, credit);
    EXPECT_EQ(deliver().first_offset(), 2U);
    EXPECT_FALSE(peer.look(v1::OP_DELIVER));
}

TEST_F(GetDeskTest, ADeliveryIsARangeOfItsBatch) {
    come();
    const std::uint64_t producer = peer.open_producer(handle);
    peer.put(handle, producer, 0, 4, 10);
    broker.settle();
    peer.attach(handle, 3);
    const Frame frame = peer.await(v1::OP_DELIVER);
    const auto deliver = frame.as<v1::Deliver>();
    EXPECT_EQ(deliver.count(), 3U);
    EXPECT_EQ(deliver.delivery(), 1U);
    EXPECT_EQ(deliver.attempt(), 1U);
    EXPECT_EQ(frame.bodies.at(0).size(), 12U);
    EXPECT_EQ(frame.bodies.at(1).size(), 33U);
    EXPECT_EQ(as_text(frame.bodies[1].bytes()).substr(12, 10), std::string(10, 'b'));
}

TEST_F(GetDeskTest, AnAckIsConfirmedOnlyWhenCommitted) {
    fill(1);
    come();
    const std::uint32_t sub = peer.attach(handle, 1);
    deliver();
    peer.settle(sub, 1, V::VERDICT_ACK, {0, 1, 1});
    for (int i = 0; i < 5; ++i) broker.cycle();
    EXPECT_FALSE(broker.transport().from_broker(peer.peer()).has_value());
    EXPECT_EQ(peer.await<v1::Settled>(v1::OP_SETTLED).settle(), 1U);
    EXPECT_EQ(peer.show("q").acked(), 1U);
    EXPECT_EQ(peer.show("q").ready(), 0U);
}

TEST_F(GetDeskTest, NackReturnsAfterItsDelayAndCountsAnAttempt) {
    fill(1);
    come();
    const std::uint32_t sub = peer.attach(handle, 5);
    deliver();
    peer.settle(sub, 1, V::VERDICT_NACK, {0, 1, 1}, 1000);
    peer.await(v1::OP_SETTLED);
    EXPECT_EQ(peer.show("q").delayed(), 1U);
    EXPECT_FALSE(peer.look(v1::OP_DELIVER));
    broker.advance(1001ms);
    const v1::Deliver again = deliver();
    EXPECT_EQ(again.delivery(), 2U);
    EXPECT_EQ(again.attempt(), 2U);
}

TEST_F(GetDeskTest, ReleaseReturnsAtOnceWithoutBlame) {
    fill(2);
    come();
    const std::uint32_t sub = peer.attach(handle, 1);
    deliver();
    peer.settle(sub, 1, V::VERDICT_RELEASE, {0, 1, 1});
    peer.await(v1::OP_SETTLED);
    SimPeer other(broker);
    other.hello();
    other.attach(other.open("q"), 1);
    const v1::Deliver again = deliver(other);
    EXPECT_EQ(again.first_offset(), 0U);
    EXPECT_EQ(again.delivery(), 2U);
    EXPECT_EQ(again.attempt(), 1U);
}

TEST_F(GetDeskTest, WhatOneHoldsIsAskedBackForAnotherThatWaitsIdle) {
    fill(4);
    come();
    const std::uint32_t sub = peer.attach(handle, 4);
    for (int i = 0; i < 4; ++i) deliver();
    EXPECT_FALSE(peer.look(v1::OP_RECALL)) << "nobody waits";
    SimPeer idle(broker);
    idle.hello();
    idle.attach(idle.open("q"), 4);
    const auto recall = peer.await<v1::Recall>(v1::OP_RECALL);
    EXPECT_EQ(recall.sub(), sub);
    EXPECT_EQ(std::vector<std::uint64_t>(recall.ranges().begin(), recall.ranges().end()),
              (std::vector<std::uint64_t>{3, 1, 1}))
        << "of what is too much the newest half";
    EXPECT_FALSE(peer.look(v1::OP_RECALL)) << "asked once";
    peer.settle(sub, 1, V::VERDICT_RELEASE, {3, 1, 1});
    EXPECT_EQ(deliver(idle).first_offset(), 3U);
}

TEST_F(GetDeskTest, WhatIsNotGivenBackIsAskedForMoreAndMoreRarely) {
    fill(4);
    come();
    peer.attach(handle, 4);
    for (int i = 0; i < 4; ++i) deliver();
    SimPeer idle(broker);
    idle.hello();
    idle.attach(idle.open("q"), 4);
    int asked = 0;
    for (int i = 0; i < 10'000; ++i) {
        broker.advance(1ms);
        while (peer.look(v1::OP_RECALL)) ++asked;
    }
    EXPECT_GE(asked, 10) << "once a second at least";
    EXPECT_LE(asked, 20);
}

TEST_F(GetDeskTest, WhatIsNotOwnIsLost) {
    fill(2);
    come();
    const std::uint32_t sub = peer.attach(handle, 1);
    deliver();
    peer.settle(sub, 1, V::VERDICT_ACK, {0, 1, 2});
    EXPECT_EQ(lost_of(peer.await<v1::Settled>(v1::OP_SETTLED)), (std::vector<std::uint64_t>{1, 0, 1}));
    peer.settle(sub, 2, V::VERDICT_ACK, {1, 1, 1});
    EXPECT_EQ(lost_of(peer.await<v1::Settled>(v1::OP_SETTLED)), (std::vector<std::uint64_t>{2, 1, 1}));
    peer.settle(sub, 3, V::VERDICT_ACK, {500, 7, 1});
    EXPECT_EQ(lost_of(peer.await<v1::Settled>(v1::OP_SETTLED)), (std::vector<std::uint64_t>{3, 500, 7}));
}

TEST_F(GetDeskTest, AnAckGivenTwiceSucceedsTwice) {
    fill(1);
    come();
    const std::uint32_t sub = peer.attach(handle, 1);
    deliver();
    peer.settle(sub, 1, V::VERDICT_ACK, {0, 1, 1});
    peer.settle(sub, 2, V::VERDICT_ACK, {0, 1, 1});
    const auto settled = peer.await<v1::Settled>(v1::OP_SETTLED);
    EXPECT_EQ(settled.settle(), 2U);
    EXPECT_EQ(settled.lost_size(), 0);
}

TEST_F(GetDeskTest, SettlesThatBreakTheProtocolCloseTheConnection) {
    fill(1);
    const auto refused_with = [&](const v1::Settle& settle) {
        SimPeer client(broker);
        client.hello();
        const std::uint32_t sub = client.attach(client.open("q"), 0);
        v1::Settle message = settle;
        message.set_sub(sub);
        client.send(v1::OP_SETTLE, message);
        const Code code = client.refused();
        EXPECT_FALSE(client.connected());
        return code;
    };
    v1::Settle settle;
    settle.set_settle(1);
    settle.add_ranges(0);
    settle.add_ranges(1);
    settle.add_ranges(1);
    EXPECT_EQ(refused_with(settle), Code::kProtocol) << "no verdict";
    settle.set_verdict(V::VERDICT_NACK);
    settle.set_delay_ms(8ULL * 24 * 3600 * 1000);
    EXPECT_EQ(refused_with(settle), Code::kBadOption);
    settle.set_delay_ms(0);
    settle.set_settle(0);
    EXPECT_EQ(refused_with(settle), Code::kProtocol) << "settle number";
    settle.set_settle(1);
    settle.add_ranges(3);
    EXPECT_EQ(refused_with(settle), Code::kProtocol) << "not triples";
}

TEST_F(GetDeskTest, ALeaseEndsWithItsTime) {
    v1::QueueOptions options;
    options.set_lease_ms(500);
    fill(1, options);
    come();
    const std::uint32_t sub = peer.attach(handle, 1);
    deliver();
    v1::Extend extend;
    extend.set_req(peer.request());
    extend.set_sub(sub);
    extend.set_lease_ms(800);
    extend.add_ranges(0);
    extend.add_ranges(1);
    extend.add_ranges(1);
    peer.send(v1::OP_EXTEND, extend);
    EXPECT_EQ(peer.await<v1::Extended>(v1::OP_EXTENDED).lost_size(), 0);
    broker.advance(600ms);
    broker.settle();
    EXPECT_EQ(peer.show("q").leased(), 1U);
    broker.advance(300ms);
    broker.settle();
    EXPECT_EQ(peer.show("q").ready(), 1U);
    extend.set_req(peer.request());
    peer.send(v1::OP_EXTEND, extend);
    EXPECT_EQ(peer.await<v1::Extended>(v1::OP_EXTENDED).lost_size(), 2);
    SimPeer other(broker);
    other.hello();
    other.attach(other.open("q"), 1);
    const v1::Deliver again = deliver(other);
    EXPECT_EQ(again.delivery(), 2U);
    EXPECT_EQ(again.attempt(), 2U);
}

TEST_F(GetDeskTest, ALateAckIsTakenWhileNobodyElseHoldsTheMessage) {
    v1::QueueOptions options;
    options.set_lease_ms(500);
    fill(1, options);
    come();
    const std::uint32_t sub = peer.attach(handle, 1);
    deliver();
    broker.advance(600ms);
    broker.settle();
    EXPECT_EQ(peer.show("q").ready(), 1U);
    peer.settle(sub, 1, V::VERDICT_ACK, {0, 1, 1});
    EXPECT_EQ(peer.await<v1::Settled>(v1::OP_SETTLED).lost_size(), 0);
    EXPECT_EQ(peer.show("q").acked(), 1U);
}

TEST_F(GetDeskTest, ALostConnectionHoldsItsLeasesForTheGraceOnly) {
    fill(1);
    come();
    peer.attach(handle, 1);
    deliver();
    SimPeer other(broker);
    other.hello();
    other.attach(other.open("q"), 1);
    peer.lose();
    broker.settle();
    EXPECT_FALSE(other.look(v1::OP_DELIVER));
    EXPECT_EQ(other.show("q").leased(), 1U);
    broker.advance(limits::kResumeGrace + 1ms);
    const v1::Deliver again = deliver(other);
    EXPECT_EQ(again.delivery(), 2U);
    EXPECT_EQ(again.attempt(), 1U);
}

TEST_F(GetDeskTest, AResumedConsumerKeepsWhatItHolds) {
    fill(2);
    come();
    peer.attach(handle, 2);
    deliver();
    deliver();
    peer.lose();
    peer.reconnect();
    come();
    const v1::Attached attached = attach(peer, handle, 0, {0, 1, 1});
    EXPECT_EQ(attached.lost_size(), 0);
    broker.advance(limits::kResumeGrace + 1ms);
    broker.settle();
    EXPECT_EQ(peer.show("q").leased(), 1U);  // the other one, not named, has returned
    EXPECT_EQ(peer.show("q").ready(), 1U);
    peer.settle(attached.sub(), 1, V::VERDICT_ACK, {0, 1, 1});
    EXPECT_EQ(peer.await<v1::Settled>(v1::OP_SETTLED).lost_size(), 0);
}

TEST_F(GetDeskTest, ByeReturnsLeasesAtOnce) {
    fill(1);
    come();
    peer.attach(handle, 1);
    deliver();
    SimPeer other(broker);
    other.hello();
    other.attach(other.open("q"), 1);
    peer.send(v1::OP_BYE, v1::Bye());
    EXPECT_EQ(deliver(other).delivery(), 2U);
}

TEST_F(GetDeskTest, DetachReturnsLeasesAndIsAnswered) {
    fill(1);
    come();
    const std::uint32_t sub = peer.attach(handle, 1);
    deliver();
    v1::Detach detach;
    detach.set_req(peer.request());
    detach.set_sub(sub);
    peer.send(v1::OP_DETACH, detach);
    EXPECT_EQ(peer.await<v1::Ok>(v1::OP_OK).req(), detach.req());
    EXPECT_EQ(peer.show("q").ready(), 1U);
    EXPECT_EQ(peer.show("q").consumers(), 0U);
    detach.set_req(peer.request());
    peer.send(v1::OP_DETACH, detach);
    EXPECT_EQ(peer.refused(), Code::kNotFound);
}

TEST_F(GetDeskTest, AfterARestartWhatWasDeliveredIsHeldForItsConsumer) {
    fill(3);
    come();
    peer.attach(handle, 2);
    deliver();
    deliver();
    restart();
    const v1::Attached attached = attach(peer, handle, 10, {0, 1, 1});
    EXPECT_EQ(attached.lost_size(), 0);
    EXPECT_EQ(deliver().first_offset(), 2U);
    EXPECT_FALSE(peer.look(v1::OP_DELIVER));
    broker.advance(limits::kRestartHold + 1ms);
    const v1::Deliver again = deliver();
    EXPECT_EQ(again.first_offset(), 1U);
    EXPECT_EQ(again.delivery(), 2U);
    EXPECT_EQ(again.attempt(), 1U);
    peer.settle(attached.sub(), 1, V::VERDICT_ACK, {0, 1, 1});
    EXPECT_EQ(peer.await<v1::Settled>(v1::OP_SETTLED).lost_size(), 0);
}

TEST_F(GetDeskTest, ALateClaimAfterARestartIsLost) {
    fill(1);
    come();
    peer.attach(handle, 1);
    deliver();
    broker.advance(300ms);
    broker.settle();
    broker.kill();
    ASSERT_TRUE(broker.start());
    broker.advance(limits::kRestartHold + 1ms);
    SimPeer other(broker);
    other.hello();
    other.attach(other.open("q"), 1);
    EXPECT_EQ(deliver(other).delivery(), 2U);
    peer.reconnect();
    come();
    EXPECT_EQ(attach(peer, handle, 0, {0, 1, 1}).lost_size(), 2);
}

TEST_F(GetDeskTest, WhatWasSettleConfirmedStaysSettledThroughAPowerCut) {
    fill(3);
    come();
    const std::uint32_t sub = peer.attach(handle, 3);
    peer.settle(sub, 1, V::VERDICT_ACK, {1, 1, 1});
    peer.await(v1::OP_SETTLED);
    broker.power_cut(3);
    ASSERT_TRUE(broker.start());
    peer.reconnect();
    come();
    peer.attach(handle, 10);
    broker.advance(limits::kRestartHold + 1ms);
    EXPECT_EQ(deliver().first_offset(), 0U);
    EXPECT_EQ(deliver().first_offset(), 2U);
    EXPECT_FALSE(peer.look(v1::OP_DELIVER));
}

TEST_F(GetDeskTest, NackedMessagesKeepTheirTriesAndDelayThroughARestart) {
    fill(1);
    come();
    const std::uint32_t sub = peer.attach(handle, 1);
    deliver();
    peer.settle(sub, 1, V::VERDICT_NACK, {0, 1, 1}, 5000);
    peer.await(v1::OP_SETTLED);
    restart();
    EXPECT_EQ(peer.show("q").delayed(), 1U);
    peer.attach(handle, 1);
    broker.advance(4000ms);
    EXPECT_FALSE(peer.look(v1::OP_DELIVER));
    broker.advance(1100ms);
    const v1::Deliver again = deliver();
    EXPECT_EQ(again.delivery(), 2U);
    EXPECT_EQ(again.attempt(), 2U);
}

TEST_F(GetDeskTest, ColdBodiesAreReadBack) {
    fill(40, {}, 1000);
    restart();
    peer.attach(handle, 100);
    for (std::uint64_t offset = 0; offset < 40; ++offset) {
        const Frame frame = peer.await(v1::OP_DELIVER);
        ASSERT_EQ(frame.as<v1::Deliver>().first_offset(), offset);
        ASSERT_EQ(as_text(frame.bodies.at(1).bytes()).substr(1),
                  std::string(1000, static_cast<char>('a' + offset % 26)));
    }
}

TEST_F(GetDeskTest, AConsumerGetsColdMessagesBeforeTheHotOnesBehindThem) {
    fill(2);
    restart();
    const std::uint64_t producer = peer.open_producer(handle);
    peer.put(handle, producer, 0, 1);
    broker.settle();
    peer.attach(handle, 10);
    for (std::uint64_t offset = 0; offset < 3; ++offset) EXPECT_EQ(deliver().first_offset(), offset);
}

TEST_F(GetDeskTest, WhatEndedWhileItsBodyWasOnItsWayIsNeitherSentNorCounted) {
    come();
    const std::uint64_t producer = peer.open_producer(handle);
    peer.put(handle, producer, 0, 4);
    peer.attach(handle, 4);
    deliver();
    restart();
    broker.advance(limits::kRestartHold + 1ms);  // nobody came for them: they are ready again
    v1::Attach attach;
    attach.set_req(peer.request());
    attach.set_handle(handle);
    attach.set_credit_messages(3);
    attach.set_credit_bytes(limits::kCreditBytesMax);
    peer.send(v1::OP_ATTACH, attach);
    broker.cycle();  // granted; the body comes with the next
    peer.settle(1, 1, V::VERDICT_ACK, {1, 1, 2});
    EXPECT_EQ(peer.await<v1::Settled>(v1::OP_SETTLED).lost_size(), 0);
    for (const std::uint64_t offset : {0, 2, 3}) {
        const v1::Deliver got = deliver();
        EXPECT_EQ(got.first_offset(), offset);
        EXPECT_EQ(got.count(), 1U);
    }
    EXPECT_FALSE(peer.look(v1::OP_DELIVER));
}

TEST_F(GetDeskTest, WhatIsDoneIsLeftOutOfADeliver) {
    come();
    const std::uint64_t producer = peer.open_producer(handle);
    peer.put(handle, producer, 0, 5);
    const std::uint32_t first = peer.attach(handle, 5);
    deliver();
    peer.settle(first, 1, V::VERDICT_ACK, {1, 1, 1, 1, 1, 1});
    peer.await<v1::Settled>(v1::OP_SETTLED);
    restart();
    broker.advance(limits::kRestartHold + 1ms);
    v1::Attach attach;
    attach.set_req(peer.request());
    attach.set_handle(handle);
    attach.set_credit_messages(5);
    attach.set_credit_bytes(limits::kCreditBytesMax);
    attach.set_holes(true);
    peer.send(v1::OP_ATTACH, attach);
    const std::uint32_t second = peer.await<v1::Attached>(v1::OP_ATTACHED).sub();
    const Frame got = peer.await(v1::OP_DELIVER);
    EXPECT_EQ(std::tuple(got.as<v1::Deliver>().first_offset(), got.as<v1::Deliver>().count()), std::tuple(0U, 5U));
    std::vector<std::uint32_t> lengths(5);
    ASSERT_EQ(got.bodies[0].size(), lengths.size() * sizeof(std::uint32_t));
    std::memcpy(lengths.data(), got.bodies[0].data(), got.bodies[0].size());
    EXPECT_EQ(lengths[1] + lengths[3], 0U);
    EXPECT_EQ(got.bodies[1].size(), lengths[0] + lengths[2] + lengths[4]);
    peer.settle(second, 1, V::VERDICT_ACK, {0, 5, 2});
    EXPECT_EQ(peer.await<v1::Settled>(v1::OP_SETTLED).lost_size(), 0);
    restart();
    EXPECT_EQ(std::tuple(peer.show("q").acked(), peer.show("q").ready()), std::tuple(5U, 0U))
        << "each counts once, though the last ack was of a range with holes";
}

TEST_F(GetDeskTest, PeekShowsColdAndHotWithoutALease) {
    fill(2);
    restart();
    const std::uint64_t producer = peer.open_producer(handle);
    peer.put(handle, producer, 0, 1);
    broker.settle();
    v1::Peek peek;
    peek.set_req(peer.request());
    peek.set_name("q");
    peek.set_max(10);
    std::vector<std::uint64_t> offsets;
    std::string first;
    do {  // what is not in memory may end a page
        peer.send(v1::OP_PEEK, peek);
        const Frame frame = peer.await(v1::OP_PEEKED);
        const auto peeked = frame.as<v1::Peeked>();
        ASSERT_GT(peeked.runs_size(), 0);
        for (const auto& run : peeked.runs()) offsets.push_back(run.first_offset());
        if (first.empty()) first = as_text(frame.bodies.at(1).bytes()).substr(1, 16);
        peek.set_from(peeked.next());
        peek.set_req(peer.request());
    } while (peek.from() > 0);
    EXPECT_EQ(offsets, (std::vector<std::uint64_t>{0, 1, 2}));
    EXPECT_EQ(first, std::string(16, 'a'));
    EXPECT_EQ(peer.show("q").ready(), 3U);
    peek.set_req(peer.request());
    peek.set_max(1);
    peer.send(v1::OP_PEEK, peek);
    EXPECT_EQ(peer.await<v1::Peeked>(v1::OP_PEEKED).next(), 1U);
}

TEST_F(GetDeskTest, DamageToAStoredBodyStopsTheShard) {
    fill(1, {}, 3000);
    broker.kill();
    ASSERT_TRUE(broker.start());
    const auto names = *broker.files().list("log");
    for (const std::string& name : names) {
        const auto bytes = broker.files().contents("log/" + name);
        const std::string text(as_text(bytes));
        const std::size_t at = text.find(std::string(100, 'a'));
        if (at != std::string::npos) broker.files().overwrite("log/" + name, at, as_bytes("zz"));
    }
    peer.reconnect();
    come();
    v1::Attach attach;
    attach.set_req(peer.request());
    attach.set_handle(handle);
    attach.set_credit_messages(1);
    attach.set_credit_bytes(1);
    peer.send(v1::OP_ATTACH, attach);
    EXPECT_EQ(peer.await<v1::Goodbye>(v1::OP_GOODBYE).code(), static_cast<std::uint32_t>(Code::kStorage));
    EXPECT_EQ(broker.shard().failed()->code(), Code::kCorrupt);
}

TEST_F(GetDeskTest, ManyConsumersShareTheWork) {
    fill(8);
    std::vector<std::unique_ptr<SimPeer>> peers;
    std::vector<std::uint32_t> handles;
    for (int i = 0; i < 4; ++i) {
        peers.push_back(std::make_unique<SimPeer>(broker));
        peers.back()->hello();
        handles.push_back(peers.back()->open("q"));
    }
    for (std::size_t i = 0; i < peers.size(); ++i) {  // all in one cycle
        v1::Attach attach;
        attach.set_req(peers[i]->request());
        attach.set_handle(handles[i]);
        attach.set_credit_messages(100);
        attach.set_credit_bytes(limits::kCreditBytesMax);
        peers[i]->send(v1::OP_ATTACH, attach);
    }
    broker.settle();
    for (const auto& client : peers) {
        std::uint64_t got = 0;
        while (const auto frame = client->look<v1::Deliver>(v1::OP_DELIVER)) got += frame->count();
        EXPECT_EQ(got, 2U);
    }
}

}  // namespace
}  // namespace telpher::sim
