// Puts as frames: limits, verdicts, waiting in line, cancels, sending again.
#include <gtest/gtest.h>

#include "tests/sim/sim_peer.h"

namespace telpher::sim {
namespace {

using namespace std::chrono_literals;
using frame::Run;
using Runs = std::vector<Run>;

constexpr std::uint64_t kCancelled = static_cast<std::uint64_t>(Code::kCancelled);

/// Segments that hold batches of the usual size.
log::LogOptions larger_log() {
    log::LogOptions options = small_log();
    options.segment_bytes = 4 * limits::kMiB;
    return options;
}

class PutDeskTest : public testing::Test {
protected:
    PutDeskTest() {
        EXPECT_TRUE(broker.start());
        session = peer.hello();
    }

    /// Opens the queue and a producer.
    void open(const v1::QueueOptions& options = {}, const char* name = "q") {
        handle = peer.open(name, options);
        producer = peer.open_producer(handle);
    }
    v1::Confirm confirm() { return peer.await<v1::Confirm>(v1::OP_CONFIRM); }

    /// The broker dies and starts again; the peer is back with its queue and producer.
    void restart(const v1::QueueOptions& options = {}) {
        broker.kill();
        ASSERT_TRUE(broker.start());
        come_back(options);
    }
    /// The connection is lost, and the session's grace runs out.
    void lose_session() {
        peer.lose();
        broker.settle();
        broker.advance(limits::kResumeGrace + 1s);
        broker.settle();
    }
    void come_back(const v1::QueueOptions& options = {}) {
        peer.reconnect();
        session = peer.hello(session);
        handle = peer.open("q", options);
        ASSERT_EQ(peer.open_producer(handle, producer), producer);
    }

    SimBroker broker{1, small_settings(), larger_log()};
    SimPeer peer{broker};
    v1::HelloOk session;
    std::uint32_t handle = 0;
    std::uint64_t producer = 0;
};

TEST_F(PutDeskTest, WhatIsPutIsConfirmedWithItsOffsets) {
    open();
    peer.put(handle, producer, 0, 3);
    v1::Confirm told = confirm();
    EXPECT_EQ(told.producer(), producer);
    EXPECT_EQ(told.decided_below(), 3U);
    EXPECT_EQ(runs_of(told.stored()), (Runs{{0, 3, 0}}));
    peer.put(handle, producer, 3, 2);
    EXPECT_EQ(runs_of(confirm().stored()), (Runs{{3, 2, 3}}));
}

TEST_F(PutDeskTest, NothingIsConfirmedBeforeItIsCommitted) {
    open();
    peer.put(handle, producer, 0, 1);
    for (int i = 0; i < 5; ++i) broker.cycle();
    EXPECT_FALSE(broker.transport().from_broker(peer.peer()).has_value());
    EXPECT_EQ(runs_of(confirm().stored()), (Runs{{0, 1, 0}}));
}

TEST_F(PutDeskTest, AMemoryQueueConfirmsAtOnce) {
    open(bounded(10, 1, 3));
    peer.put(handle, producer, 0, 1);
    broker.cycle();
    const auto frame = broker.transport().from_broker(peer.peer());
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->op, v1::OP_CONFIRM);
}

TEST_F(PutDeskTest, AHoleInTheSequencesIsCancelled) {
    open();
    peer.put(handle, producer, 0, 1);
    confirm();
    peer.put(handle, producer, 5, 1);
    const v1::Confirm told = confirm();
    EXPECT_EQ(runs_of(told.stored()), (Runs{{5, 1, 1}}));
    EXPECT_EQ(runs_of(told.refused()), (Runs{{1, 4, kCancelled}}));
    peer.put(handle, producer, 2, 1);
    EXPECT_EQ(runs_of(confirm().refused()).front().value, kCancelled);
    EXPECT_EQ(peer.show("q").put(), 2U);
}

TEST_F(PutDeskTest, AResendIsConfirmedAgainAndStoredOnce) {
    open();
    peer.put(handle, producer, 0, 3);
    confirm();
    peer.put(handle, producer, 0, 3);
    EXPECT_EQ(runs_of(confirm().stored()), (Runs{{0, 3, 0}}));
    EXPECT_EQ(peer.show("q").ready(), 3U);
}

TEST_F(PutDeskTest, AResendAfterARestartGetsTheSameOffsets) {
    open();
    peer.put(handle, producer, 0, 3);
    peer.put(handle, producer, 3, 2);
    broker.settle();
    restart();
    peer.put(handle, producer, 0, 3);
    EXPECT_EQ(runs_of(confirm().stored()), (Runs{{0, 5, 0}}));  // all that is known: the connection is new
    peer.put(handle, producer, 3, 2);
    EXPECT_EQ(runs_of(confirm().stored()), (Runs{{3, 2, 3}}));
    peer.put(handle, producer, 5, 1);
    EXPECT_EQ(runs_of(confirm().stored()), (Runs{{5, 1, 5}}));
    EXPECT_EQ(peer.show("q").ready(), 6U);
}

TEST_F(PutDeskTest, APutLostWithThePowerIsTakenWhenSentAgain) {
    open();
    peer.put(handle, producer, 0, 3);
    broker.cycle();  // appended, not committed
    broker.power_cut(1);
    ASSERT_TRUE(broker.start());
    come_back();
    EXPECT_EQ(peer.show("q").ready(), 0U);
    peer.put(handle, producer, 0, 3);
    EXPECT_EQ(runs_of(confirm().stored()), (Runs{{0, 3, 0}}));
}

TEST_F(PutDeskTest, AFullQueueThatRejectsRefusesForGood) {
    open(bounded(2, 2));
    peer.put(handle, producer, 0, 3);
    v1::Confirm told = confirm();
    EXPECT_EQ(runs_of(told.stored()), (Runs{{0, 2, 0}}));
    EXPECT_EQ(runs_of(told.refused()), (Runs{{2, 1, static_cast<std::uint64_t>(Code::kFull)}}));
    const std::uint32_t sub = peer.attach(handle, 10);
    peer.settle(sub, 1, v1::Settle::VERDICT_ACK, {0, 2, 1});
    peer.await(v1::OP_SETTLED);
    peer.put(handle, producer, 0, 3);
    told = confirm();
    EXPECT_EQ(runs_of(told.stored()), (Runs{{0, 2, 0}}));
    EXPECT_EQ(runs_of(told.refused()), (Runs{{2, 1, static_cast<std::uint64_t>(Code::kFull)}}));
    EXPECT_EQ(peer.show("q").ready(), 0U);
    EXPECT_EQ(peer.show("q").rejected(), 1U);
}

TEST_F(PutDeskTest, DropOldestMakesRoom) {
    open(bounded(2, 3));
    peer.put(handle, producer, 0, 5);
    broker.settle();
    const v1::QueueState state = peer.show("q");
    EXPECT_EQ(state.put(), 5U);
    EXPECT_EQ(state.dropped(), 3U);
    EXPECT_EQ(state.high_water(), 2U);
    peer.attach(handle, 10);
    EXPECT_EQ(peer.await<v1::Deliver>(v1::OP_DELIVER).first_offset(), 3U);
}

TEST_F(PutDeskTest, AFullQueueParksAndAdmitsInParts) {
    open(bounded(2));
    peer.put(handle, producer, 0, 5);
    EXPECT_EQ(runs_of(confirm().stored()), (Runs{{0, 2, 0}}));
    const auto parked = peer.await<v1::Parked>(v1::OP_PARKED);
    EXPECT_EQ(parked.first_sequence(), 0U);
    EXPECT_TRUE(parked.kept());
    EXPECT_EQ(peer.show("q").blocked_producers(), 1U);
    const std::uint32_t sub = peer.attach(handle, 10);
    std::string payloads;
    for (std::uint64_t settle = 1; settle <= 3; ++settle) {
        const Frame frame = peer.await(v1::OP_DELIVER);
        const auto deliver = frame.as<v1::Deliver>();
        for (std::uint32_t i = 0; i < deliver.count(); ++i) payloads += as_text(frame.bodies[1].bytes())[i * 17 + 1];
        peer.settle(sub, settle, v1::Settle::VERDICT_ACK, {deliver.first_offset(), deliver.count(), 1});
    }
    EXPECT_EQ(payloads, "abcde");
    EXPECT_EQ(runs_of(confirm().stored()), (Runs{{2, 2, 2}}));
    EXPECT_EQ(runs_of(confirm().stored()), (Runs{{4, 1, 4}}));
    const v1::QueueState state = peer.show("q");
    EXPECT_EQ(state.high_water(), 2U);
    EXPECT_EQ(state.put(), 5U);
    EXPECT_EQ(state.blocked_producers(), 0U);
}

TEST_F(PutDeskTest, PutsBehindAParkedOneKeepTheirOrder) {
    open(bounded(1));
    peer.put(handle, producer, 0, 1);
    for (std::uint64_t sequence = 1; sequence < 5; ++sequence) peer.put(handle, producer, sequence, 1);
    for (int i = 1; i < 5; ++i) EXPECT_EQ(peer.await<v1::Parked>(v1::OP_PARKED).first_sequence(), i);
    const std::uint32_t sub = peer.attach(handle, 10);
    for (std::uint64_t offset = 0; offset < 5; ++offset) {
        const Frame frame = peer.await(v1::OP_DELIVER);
        EXPECT_EQ(as_text(frame.bodies[1].bytes())[1], static_cast<char>('a' + offset));
        peer.settle(sub, offset + 1, v1::Settle::VERDICT_ACK, {offset, 1, 1});
    }
}

TEST_F(PutDeskTest, CancelInTheMiddleOfAParkedBatchLeavesTheRest) {
    open(bounded(1));
    peer.put(handle, producer, 0, 1);
    peer.put(handle, producer, 1, 5);
    peer.await(v1::OP_PARKED);
    peer.clear();
    peer.cancel(handle, producer, 2, 2);
    EXPECT_EQ(runs_of(confirm().refused()), (Runs{{2, 2, kCancelled}}));
    const std::uint32_t sub = peer.attach(handle, 10);
    std::string payloads;
    for (std::uint64_t settle = 1; settle <= 4; ++settle) {
        const Frame frame = peer.await(v1::OP_DELIVER);
        payloads += as_text(frame.bodies[1].bytes())[1];
        peer.settle(sub, settle, v1::Settle::VERDICT_ACK, {frame.as<v1::Deliver>().first_offset(), 1, 1});
    }
    EXPECT_EQ(payloads, "abef");
    EXPECT_FALSE(peer.look(v1::OP_DELIVER).has_value());
    EXPECT_EQ(peer.show("q").put(), 4U);
}

TEST_F(PutDeskTest, CancelOfAWholeParkedBatchTakesItOut) {
    open(bounded(1));
    peer.put(handle, producer, 0, 1);
    peer.put(handle, producer, 1, 5);
    peer.await(v1::OP_PARKED);
    peer.clear();
    peer.cancel(handle, producer, 1, 5);
    EXPECT_EQ(runs_of(confirm().refused()), (Runs{{1, 5, kCancelled}}));
    EXPECT_EQ(peer.show("q").blocked_producers(), 0U);
    peer.put(handle, producer, 1, 5);
    EXPECT_EQ(runs_of(confirm().refused()), (Runs{{1, 5, kCancelled}}));
}

TEST_F(PutDeskTest, CancelOfWhatIsStoredTellsSo) {
    open();
    peer.put(handle, producer, 0, 2);
    confirm();
    peer.cancel(handle, producer, 0, 2);
    EXPECT_EQ(runs_of(confirm().stored()), (Runs{{0, 2, 0}}));
}

TEST_F(PutDeskTest, CancelOfWhatNeverCameIsCancelled) {
    open();
    peer.cancel(handle, producer, 7, 3);
    EXPECT_EQ(runs_of(confirm().refused()), (Runs{{7, 3, kCancelled}}));
    peer.put(handle, producer, 8, 1);  // comes after all
    EXPECT_FALSE(runs_of(confirm().refused()).empty());
    EXPECT_EQ(peer.show("q").put(), 0U);
    peer.clear();
    peer.put(handle, producer, 10, 1);
    EXPECT_EQ(runs_of(confirm().stored()), (Runs{{10, 1, 0}}));
}

TEST_F(PutDeskTest, AParkedPutSurvivesAResume) {
    open(bounded(1));
    peer.put(handle, producer, 0, 1);
    peer.put(handle, producer, 1, 2);
    peer.await(v1::OP_PARKED);
    peer.lose();
    come_back(bounded(1));
    peer.put(handle, producer, 1, 2);  // sent again: it keeps its place
    const std::uint32_t sub = peer.attach(handle, 10);
    for (std::uint64_t offset = 0; offset < 3; ++offset) {
        EXPECT_EQ(peer.await<v1::Deliver>(v1::OP_DELIVER).first_offset(), offset);
        peer.settle(sub, offset + 1, v1::Settle::VERDICT_ACK, {offset, 1, 1});
    }
    EXPECT_FALSE(peer.look(v1::OP_DELIVER).has_value());
    EXPECT_EQ(peer.show("q").put(), 3U);
}

TEST_F(PutDeskTest, AVerdictLostWithItsConnectionIsToldAgainAndIsNoHole) {
    open();
    peer.put(handle, producer, 0, 2);
    broker.settle();
    peer.lose();  // the CONFIRM was on its way
    peer.reconnect();
    session = peer.hello(session);
    handle = peer.open("q");
    peer.open_producer(handle, producer);
    peer.put(handle, producer, 2, 1);
    v1::Confirm told = confirm();
    EXPECT_EQ(told.decided_below(), 3U);
    EXPECT_EQ(runs_of(told.stored()), (Runs{{0, 3, 0}}));
    peer.lose();
    come_back();
    peer.cancel(handle, producer, 3, 1);
    told = confirm();  // names nothing below, and says of nothing below that it is decided
    EXPECT_EQ(told.decided_below(), 0U);
}

TEST_F(PutDeskTest, AParkedPutOfALostSessionGoesInWhenItsTurnComes) {
    open(bounded(1));
    peer.put(handle, producer, 0, 1);
    peer.put(handle, producer, 1, 2);
    peer.await(v1::OP_PARKED);
    lose_session();
    SimPeer other(broker);
    other.hello();
    const std::uint32_t sub = other.attach(other.open("q"), 10);
    other.await(v1::OP_DELIVER);
    other.settle(sub, 1, v1::Settle::VERDICT_ACK, {0, 1, 1});
    other.await(v1::OP_DELIVER);
    EXPECT_EQ(other.show("q").put(), 2U);
    EXPECT_EQ(other.show("q").blocked_producers(), 1U) << "one of the two still waits";
}

TEST_F(PutDeskTest, AProducerWhoDoesNotAnswerRoomGoesToTheEndOfTheLine) {
    open(bounded(1));
    peer.put(handle, producer, 0, 1);
    // So much is parked that the last body is not kept.
    constexpr std::size_t kLarge = 700 * 1024;
    peer.put(handle, producer, 1, 1, kLarge);
    peer.put(handle, producer, 2, 1, kLarge);
    peer.put(handle, producer, 3, 1, kLarge);
    EXPECT_TRUE(peer.await<v1::Parked>(v1::OP_PARKED).kept());
    EXPECT_TRUE(peer.await<v1::Parked>(v1::OP_PARKED).kept());
    EXPECT_FALSE(peer.await<v1::Parked>(v1::OP_PARKED).kept());
    SimPeer other(broker);
    other.hello();
    const std::uint32_t others = other.open("q");
    const std::uint64_t second = other.open_producer(others);
    other.put(others, second, 0, 1);
    other.await(v1::OP_PARKED);
    const std::uint32_t sub = other.attach(others, 10);
    std::uint64_t settle = 0;
    const auto ack = [&] {
        const auto deliver = other.await<v1::Deliver>(v1::OP_DELIVER);
        other.settle(sub, ++settle, v1::Settle::VERDICT_ACK, {deliver.first_offset(), 1, 1});
    };
    for (int i = 0; i < 3; ++i) ack();  // 0, 1, 2: now it is the turn of 3
    EXPECT_EQ(peer.await<v1::Room>(v1::OP_ROOM).first_sequence(), 3U);
    other.put(others, second, 1, 1);
    EXPECT_FALSE(other.look(v1::OP_DELIVER).has_value());
    broker.advance(3s);
    for (int i = 0; i < 2; ++i) ack();  // the other's, which were behind
    EXPECT_EQ(peer.await<v1::Room>(v1::OP_ROOM).first_sequence(), 3U);
    peer.put(handle, producer, 3, 1, kLarge);
    ack();
    EXPECT_EQ(other.show("q").put(), 6U);
}

TEST_F(PutDeskTest, TwoProducersAreAdmittedInTheOrderTheyWereParked) {
    open(bounded(1));
    peer.put(handle, producer, 0, 1);
    confirm();
    std::vector<std::unique_ptr<SimPeer>> peers;
    std::vector<std::pair<std::uint32_t, std::uint64_t>> opened;
    for (int i = 0; i < 5; ++i) {
        SimPeer& next = *peers.emplace_back(std::make_unique<SimPeer>(broker));
        next.hello();
        const std::uint32_t queue = next.open("q");
        opened.emplace_back(queue, next.open_producer(queue));
        next.put(queue, opened.back().second, 0, 1);
        next.await(v1::OP_PARKED);
    }
    const std::uint32_t sub = peer.attach(handle, 1);
    for (std::uint64_t i = 0; i < 5; ++i) {
        peer.await(v1::OP_DELIVER);
        peer.settle(sub, i + 1, v1::Settle::VERDICT_ACK, {i, 1, 1});
        v1::Credit credit;
        credit.set_sub(sub);
        credit.set_messages(i + 2);
        credit.set_bytes(limits::kCreditBytesMax);
        peer.send(v1::OP_CREDIT, credit);
        EXPECT_EQ(runs_of(peers[i]->await<v1::Confirm>(v1::OP_CONFIRM).stored()), (Runs{{0, 1, i + 1}}));
        if (i + 1 == 5) break;
        EXPECT_FALSE(peers[i + 1]->look(v1::OP_CONFIRM).has_value());
    }
}

TEST_F(PutDeskTest, AnUnknownProducerIsRefusedUnlessItBegins) {
    handle = peer.open("q");
    peer.put(handle, 77, 5, 2);
    EXPECT_EQ(runs_of(confirm().refused()), (Runs{{5, 2, static_cast<std::uint64_t>(Code::kUnknownProducer)}}));
    EXPECT_TRUE(peer.connected());
    v1::OpenProducer open;
    open.set_req(peer.request());
    open.set_handle(handle);
    const std::uint64_t given = peer.open_producer(handle);
    for (const std::uint64_t never : {given + 1, std::uint64_t{99} << 32}) {
        open.set_producer(never);
        peer.send(v1::OP_OPEN_PRODUCER, open);
        EXPECT_EQ(peer.refused(), Code::kUnknownProducer);
    }
}

TEST_F(PutDeskTest, AProducerBelongsToOneSession) {
    open();
    SimPeer other(broker);
    other.hello();
    v1::OpenProducer open;
    open.set_req(other.request());
    open.set_handle(other.open("q"));
    open.set_producer(producer);
    other.send(v1::OP_OPEN_PRODUCER, open);
    EXPECT_EQ(other.refused(), Code::kBusy);
}

TEST_F(PutDeskTest, AClosedProducerTakesBackWhatWaits) {
    open(bounded(1));
    peer.put(handle, producer, 0, 3);
    peer.await(v1::OP_PARKED);
    peer.clear();
    peer.close_producer(handle, producer);
    EXPECT_EQ(runs_of(confirm().refused()), (Runs{{1, 2, kCancelled}}));
    peer.await(v1::OP_OK);
    EXPECT_EQ(peer.show("q").producers(), 0U);
}

TEST_F(PutDeskTest, MalformedBatchesCloseTheConnection) {
    const auto refused_with = [&](std::string bytes) {
        SimPeer client(broker);
        client.hello();
        v1::Put put;
        put.set_handle(client.open("q"));
        client.send(v1::OP_PUT, put, Slice::own(std::move(bytes)));
        const Code code = client.refused();
        EXPECT_FALSE(client.connected());
        return code;
    };
    const std::string good(as_text(make_batch(1, 0, 2, 8).bytes()));
    EXPECT_EQ(refused_with(good.substr(0, good.size() - 1)), Code::kProtocol);
    std::string flipped = good;
    flipped.back() ^= 1;
    EXPECT_EQ(refused_with(flipped), Code::kChecksum);
    EXPECT_EQ(refused_with(std::string(as_text(make_batch(1, 0, 1, 2 * limits::kMiB).bytes()))), Code::kTooLarge);
    EXPECT_EQ(refused_with("x"), Code::kProtocol);
}

TEST_F(PutDeskTest, APutWithoutAHandleClosesTheConnection) {
    peer.put(7, 1, 0, 1);
    EXPECT_EQ(peer.refused(), Code::kProtocol);
    EXPECT_FALSE(peer.connected());
}

TEST_F(PutDeskTest, APutBeyondTheLimitIsAFlowViolation) {
    open(bounded(1'000'000, 1, 3));
    std::uint64_t sent = 0;
    std::uint64_t sequence = 0;
    // In one cycle: no limit can rise meanwhile.
    while (sent < limits::kHandlePutWindowBytes) {
        peer.put(handle, producer, sequence, 1, 1'000'000);
        sent += 1'000'000;
        ++sequence;
    }
    EXPECT_EQ(peer.refused(), Code::kOk);
    EXPECT_TRUE(peer.connected());
}

TEST_F(PutDeskTest, TheLimitRisesAsPutsAreStored) {
    open(bounded(1'000'000, 1, 1));
    for (std::uint64_t sequence = 0; sequence < 20; ++sequence) {
        peer.put(handle, producer, sequence, 1, 1'000'000);
        confirm();
    }
    std::uint64_t limit = 0;
    while (const auto raised = peer.look<v1::Limit>(v1::OP_LIMIT)) limit = std::max(limit, raised->put_bytes());
    EXPECT_GE(limit, 20'000'000U);
}

TEST_F(PutDeskTest, TooManyBytesUncommittedAreAFlowViolation) {
    open(bounded(1'000'000, 1, 1));
    for (std::uint64_t sequence = 0; sequence < 10; ++sequence) {
        peer.put(handle, producer, sequence, 1, 1'000'000);
        broker.cycle();  // nothing is committed, so no limit rises
    }
    EXPECT_EQ(peer.refused(), Code::kFlowViolation);
    EXPECT_FALSE(peer.connected());
}

TEST_F(PutDeskTest, WhatWaitsKeepsItsPlaceForALeaseAfterItsSession) {
    open(bounded(1));
    peer.put(handle, producer, 0, 1);
    confirm();
    peer.put(handle, producer, 1, 1);
    peer.await(v1::OP_PARKED);
    lose_session();
    SimPeer other(broker);
    other.hello();
    const std::uint32_t others = other.open("q");
    other.put(others, other.open_producer(others), 0, 1);
    other.await(v1::OP_PARKED);
    come_back();
    EXPECT_FALSE(session.resumed());
    peer.put(handle, producer, 1, 1);
    const std::uint32_t sub = peer.attach(handle, 2);
    peer.await(v1::OP_DELIVER);
    peer.settle(sub, 1, v1::Settle::VERDICT_ACK, {0, 1, 1});
    const auto told = peer.await<v1::Confirm>(v1::OP_CONFIRM);
    EXPECT_EQ(runs_of(told.stored()), (Runs{{0, 2, 0}})) << "before the one that came later";
}

TEST_F(PutDeskTest, WhatWaitsOfAProducerThatNobodyOpensIsCancelled) {
    open(bounded(1));
    peer.put(handle, producer, 0, 2);
    peer.await(v1::OP_PARKED);
    EXPECT_EQ(peer.show("q").blocked_producers(), 1U);
    lose_session();
    for (int i = 0; i < 2; ++i) {
        broker.advance(limits::kSessionLease);
        broker.settle();
    }
    come_back();
    EXPECT_EQ(peer.show("q").blocked_producers(), 0U);
    peer.put(handle, producer, 0, 2);
    const auto told = confirm();
    EXPECT_EQ(runs_of(told.stored()), (Runs{{0, 1, 0}}));
    EXPECT_EQ(runs_of(told.refused()), (Runs{{1, 1, kCancelled}}));
}

// Nobody would answer when its body is asked for, and all others would wait behind it.
TEST_F(PutDeskTest, WhatWaitsWithoutABodyLeavesWithItsSession) {
    open(bounded(1));
    peer.put(handle, producer, 0, 1);
    constexpr std::size_t kLarge = 700 * 1024;
    for (std::uint64_t i = 1; i < 4; ++i) peer.put(handle, producer, i, 1, kLarge);
    broker.settle();
    lose_session();
    EXPECT_EQ(broker.shard().queue_count(), 1U);
    SimPeer other(broker);
    other.hello();
    EXPECT_EQ(other.show("q").blocked_producers(), 0U);
}

TEST_F(PutDeskTest, APutUnderALeaseOfAnotherSessionIsAnOrdinaryOne) {
    open();
    peer.put(handle, producer, 0, 1);
    confirm();
    SimPeer holder(broker);
    holder.hello();
    holder.attach(holder.open("q"), 1);
    holder.await(v1::OP_DELIVER);
    peer.seal(handle);
    peer.await(v1::OP_OK);
    v1::Put put;
    put.set_handle(handle);
    put.set_under_offset(0);
    put.set_under_delivery(1);
    peer.send(v1::OP_PUT, put, make_batch(producer, 1, 1, 16));
    EXPECT_EQ(runs_of(confirm().refused()), (Runs{{1, 1, static_cast<std::uint64_t>(Code::kSealed)}}));
}

TEST_F(PutDeskTest, AClosedProducerPutsNothing) {
    open();
    peer.put(handle, producer, 0, 1);
    confirm();
    peer.close_producer(handle, producer);
    peer.await(v1::OP_OK);
    peer.put(handle, producer, 1, 1);
    EXPECT_EQ(runs_of(confirm().refused()), (Runs{{1, 1, static_cast<std::uint64_t>(Code::kUnknownProducer)}}));
    EXPECT_EQ(peer.open_producer(handle, producer), producer);
    peer.put(handle, producer, 1, 1);
    EXPECT_EQ(runs_of(confirm().stored()), (Runs{{0, 2, 0}}));
}

TEST_F(PutDeskTest, AFullDiskRefusesPutsUntilThereIsRoom) {
    open();
    peer.put(handle, producer, 0, 1);
    confirm();
    broker.files().set_free_bytes(1);
    broker.advance(1s);
    broker.settle();
    peer.put(handle, producer, 1, 2);
    EXPECT_EQ(runs_of(confirm().refused()), (Runs{{1, 2, static_cast<std::uint64_t>(Code::kDiskFull)}}));
    const std::uint32_t sub = peer.attach(handle, 1);
    peer.settle(sub, 1, v1::Settle::VERDICT_ACK, {0, 1, 1});
    peer.await(v1::OP_SETTLED);
    broker.files().set_free_bytes(1ULL << 40);
    broker.advance(1s);
    broker.settle();
    peer.put(handle, producer, 5, 1);
    EXPECT_EQ(runs_of(confirm().stored()).front().first, 5U);
}

TEST_F(PutDeskTest, AFailedSyncStopsTheShardAndConfirmsNothing) {
    open();
    peer.put(handle, producer, 0, 1);
    broker.files().fail_nth(test::FaultyFileSystem::Op::kSync, 1, Code::kIo);
    EXPECT_EQ(peer.await<v1::Goodbye>(v1::OP_GOODBYE).code(), static_cast<std::uint32_t>(Code::kStorage));
    EXPECT_TRUE(broker.shard().failed().has_value());
    EXPECT_FALSE(peer.look(v1::OP_CONFIRM).has_value());
    peer.put(handle, producer, 1, 1);
    EXPECT_EQ(broker.cycle(), 0U);
}

}  // namespace
}  // namespace telpher::sim
