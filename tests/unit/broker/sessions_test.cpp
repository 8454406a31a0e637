// HELLO and what follows from it: who may say what on a connection, and whose session it is.
#include <gtest/gtest.h>

#include "tests/sim/sim_peer.h"

namespace telpher::sim {
namespace {

using namespace std::chrono_literals;

class SessionsTest : public testing::Test {
protected:
    SessionsTest() { EXPECT_TRUE(broker.start()); }
    SimBroker broker{1};
};

v1::Hello hello_of(std::uint32_t min, std::uint32_t max) {
    v1::Hello hello;
    hello.set_proto_min(min);
    hello.set_proto_max(max);
    return hello;
}

TEST_F(SessionsTest, HelloIsAnsweredWithWhatTheClientMustKnow) {
    SimPeer peer(broker);
    const v1::HelloOk ok = peer.hello();
    EXPECT_EQ(ok.proto(), 1U);
    EXPECT_NE(ok.session(), 0U);
    EXPECT_EQ(ok.token().size(), 16U);
    EXPECT_EQ(ok.epoch(), 1U);
    EXPECT_FALSE(ok.resumed());
    EXPECT_EQ(ok.limits().session_put_bytes(), limits::kSessionPutWindowBytes);
    EXPECT_EQ(ok.shard_map_size(), 1);
}

TEST_F(SessionsTest, NothingIsTakenBeforeHello) {
    SimPeer peer(broker);
    peer.send(v1::OP_PING, v1::Ping());
    EXPECT_EQ(peer.refused(), Code::kHelloRequired);
    EXPECT_FALSE(peer.connected());
}

TEST_F(SessionsTest, SecondHelloBreaksTheProtocol) {
    SimPeer peer(broker);
    peer.hello();
    peer.send(v1::OP_HELLO, hello_of(1, 1));
    EXPECT_EQ(peer.refused(), Code::kProtocol);
    EXPECT_FALSE(peer.connected());
}

TEST_F(SessionsTest, AVersionInCommonIsNeeded) {
    SimPeer newer(broker);
    newer.send(v1::OP_HELLO, hello_of(2, 9));
    EXPECT_EQ(newer.refused(), Code::kVersion);
    EXPECT_FALSE(newer.connected());
    SimPeer both(broker);
    both.send(v1::OP_HELLO, hello_of(1, 9));
    EXPECT_EQ(both.await<v1::HelloOk>(v1::OP_HELLO_OK).proto(), 1U);
}

TEST_F(SessionsTest, ALongClientNameIsRefused) {
    SimPeer peer(broker);
    v1::Hello hello = hello_of(1, 1);
    hello.set_client_name(std::string(limits::kNameBytesMax + 1, 'x'));
    peer.send(v1::OP_HELLO, hello);
    EXPECT_EQ(peer.refused(), Code::kProtocol);
}

TEST_F(SessionsTest, AMalformedHelloIsRefused) {
    SimPeer peer(broker);
    peer.send_raw(std::string("\x01\xff\xff\xff", 4));
    EXPECT_EQ(peer.refused(), Code::kProtocol);
    EXPECT_FALSE(peer.connected());
}

TEST_F(SessionsTest, PingIsAnsweredWithItsStamp) {
    SimPeer peer(broker);
    peer.hello();
    v1::Ping ping;
    ping.set_stamp(77);
    peer.send(v1::OP_PING, ping);
    EXPECT_EQ(peer.await<v1::Pong>(v1::OP_PONG).stamp(), 77U);
}

TEST_F(SessionsTest, AWrongEpochExecutesNothing) {
    SimPeer peer(broker);
    peer.hello();
    v1::Open open;
    open.set_epoch(peer.epoch() + 1);
    open.set_req(1);
    open.set_name("q");
    open.set_create(true);
    peer.send(v1::OP_OPEN, open);
    EXPECT_EQ(peer.refused(), Code::kStaleSession);
    EXPECT_FALSE(peer.connected());
    EXPECT_EQ(broker.shard().queue_count(), 0U);
}

TEST_F(SessionsTest, AnUnknownOpIsRefusedAndTheConnectionStays) {
    SimPeer peer(broker);
    peer.hello();
    peer.send_raw(std::string(1, '\x7f'));
    EXPECT_EQ(peer.refused(), Code::kUnsupported);
    EXPECT_TRUE(peer.connected());
    peer.send(v1::OP_PING, v1::Ping());
    peer.await(v1::OP_PONG);
}

TEST_F(SessionsTest, AMalformedHeaderClosesTheConnection) {
    for (const std::string& header : {std::string("\x02\xff\xff\xff", 4), std::string("\x04\x0a", 2)}) {
        SimPeer peer(broker);
        peer.hello();
        peer.send_raw(header);
        EXPECT_EQ(peer.refused(), Code::kProtocol);
        EXPECT_FALSE(peer.connected());
    }
}

TEST_F(SessionsTest, TheNumberOfFramesIsChecked) {
    SimPeer ping(broker);
    ping.hello();
    v1::Ping message;
    message.set_epoch(ping.epoch());
    ping.send_raw(frame::encode(v1::OP_PING, message), {Slice::own(std::string("x"))});
    EXPECT_EQ(ping.refused(), Code::kProtocol);
    EXPECT_FALSE(ping.connected());
    SimPeer put(broker);
    put.hello();
    put.send(v1::OP_PUT, v1::Put());
    EXPECT_EQ(put.refused(), Code::kProtocol);
    EXPECT_FALSE(put.connected());
}

TEST_F(SessionsTest, AnEmptyHeaderClosesTheConnection) {
    SimPeer peer(broker);
    peer.hello();
    peer.send_raw("");
    EXPECT_EQ(peer.refused(), Code::kProtocol);
    EXPECT_FALSE(peer.connected());
}

TEST_F(SessionsTest, AHeaderOverItsLimitClosesTheConnection) {
    SimPeer peer(broker);
    peer.hello();
    std::string header(limits::kHotHeaderBytes + 1, '\0');
    header[0] = static_cast<char>(v1::OP_PING);
    peer.send_raw(std::move(header));
    EXPECT_EQ(peer.refused(), Code::kTooLarge);
    EXPECT_FALSE(peer.connected());
}

TEST_F(SessionsTest, ResumeGoesOnWithTheNextEpoch) {
    SimPeer peer(broker);
    const v1::HelloOk first = peer.hello();
    peer.lose();
    peer.reconnect();
    const v1::HelloOk second = peer.hello(first);
    EXPECT_TRUE(second.resumed());
    EXPECT_EQ(second.session(), first.session());
    EXPECT_EQ(second.epoch(), first.epoch() + 1);
    EXPECT_EQ(second.boot_id(), first.boot_id());
}

TEST_F(SessionsTest, AWrongTokenGetsANewSession) {
    SimPeer peer(broker);
    v1::HelloOk first = peer.hello();
    peer.lose();
    peer.reconnect();
    first.mutable_token()->at(3) ^= 1;
    const v1::HelloOk second = peer.hello(first);
    EXPECT_FALSE(second.resumed());
    EXPECT_NE(second.session(), first.session());
}

TEST_F(SessionsTest, ResumeFencesTheOlderConnection) {
    SimPeer old(broker);
    const v1::HelloOk session = old.hello();
    SimPeer fresh(broker);
    EXPECT_TRUE(fresh.hello(session).resumed());
    EXPECT_FALSE(old.connected());
    fresh.send(v1::OP_PING, v1::Ping());
    fresh.await(v1::OP_PONG);
}

TEST_F(SessionsTest, ASessionEndsWithItsGrace) {
    SimPeer peer(broker);
    const v1::HelloOk session = peer.hello();
    peer.lose();
    broker.settle();
    broker.advance(limits::kResumeGrace + 1s);
    broker.settle();
    peer.reconnect();
    EXPECT_FALSE(peer.hello(session).resumed());
}

TEST_F(SessionsTest, SilenceBeyondTheLeaseClosesTheConnection) {
    SimPeer silent(broker);
    silent.hello();
    SimPeer alive(broker);
    alive.hello();
    for (int i = 0; i < 31; ++i) {
        broker.advance(1s);
        alive.send(v1::OP_PING, v1::Ping());
        alive.await(v1::OP_PONG);
    }
    EXPECT_FALSE(silent.connected());
    EXPECT_TRUE(alive.connected());
}

TEST_F(SessionsTest, AfterARestartTheBootIdDiffersAndNothingResumes) {
    SimPeer peer(broker);
    const v1::HelloOk session = peer.hello();
    broker.kill();
    ASSERT_TRUE(broker.start());
    peer.reconnect();
    const v1::HelloOk next = peer.hello(session);
    EXPECT_FALSE(next.resumed());
    EXPECT_NE(next.boot_id(), session.boot_id());
}

TEST_F(SessionsTest, ADrainingBrokerSaysGoodbye) {
    SimPeer peer(broker);
    peer.hello();
    broker.shard().drain();
    EXPECT_EQ(peer.await<v1::Goodbye>(v1::OP_GOODBYE).code(), static_cast<std::uint32_t>(Code::kRestarting));
    SimPeer late(broker);
    late.send(v1::OP_HELLO, hello_of(1, 1));
    EXPECT_EQ(late.await<v1::Goodbye>(v1::OP_GOODBYE).code(), static_cast<std::uint32_t>(Code::kRestarting));
}

TEST_F(SessionsTest, APeerThatDoesNotReadIsClosed) {
    SimPeer peer(broker);
    peer.hello();
    broker.transport().set_high_water(3);
    for (int i = 0; i < 5; ++i) peer.send(v1::OP_PING, v1::Ping());
    EXPECT_FALSE(peer.connected());
    int pongs = 0;
    while (peer.look(v1::OP_PONG)) ++pongs;
    EXPECT_EQ(pongs, 3);
    SimPeer other(broker);
    other.hello();
}

TEST_F(SessionsTest, StatusTellsOfTheBroker) {
    SimPeer peer(broker);
    peer.hello();
    peer.open("q");
    v1::Status status;
    status.set_req(peer.request());
    peer.send(v1::OP_STATUS, status);
    const auto answer = peer.await<v1::StatusIs>(v1::OP_STATUS_IS);
    EXPECT_EQ(answer.boot(), 1U);
    EXPECT_EQ(answer.queues(), 1U);
    EXPECT_EQ(answer.sessions(), 1U);
    EXPECT_EQ(answer.connections(), 1U);
    EXPECT_GT(answer.commits(), 0U);
}

}  // namespace
}  // namespace telpher::sim
