#include "proto/session/connection.h"

#include <gtest/gtest.h>

#include "tests/unit/proto/session/fake_network.h"

namespace telpher::session {
namespace {

using namespace std::chrono_literals;
using Action = Connection::Action;

Instant at(Duration time) { return Instant{} + time; }

/// A connection that came up at `now`.
Connection connected(Instant now) {
    Connection connection("test", 1);
    EXPECT_EQ(connection.tick(now), Action::kConnect);
    static_cast<void>(connection.greet(now));
    EXPECT_TRUE(connection.on_hello_ok(hello_ok(), now));
    return connection;
}

TEST(Connection, ConnectsAtOnceAndAsksForANewSession) {
    Connection connection("name", 1);
    EXPECT_EQ(connection.tick(at(1s)), Action::kConnect);
    EXPECT_EQ(connection.tick(at(1s)), Action::kNone);
    const auto hello = connection.greet(at(2s));
    EXPECT_EQ(hello.client_name(), "name");
    EXPECT_EQ(hello.resume_session(), 0U);
    EXPECT_FALSE(connection.up());
    const auto resumed = connection.on_hello_ok(hello_ok(5), at(3s));
    ASSERT_TRUE(resumed);
    EXPECT_FALSE(*resumed);
    EXPECT_TRUE(connection.up());
    EXPECT_EQ(connection.epoch(), Epoch(5));
}

TEST(Connection, GivesUpWithoutAnAnswer) {
    Connection connection("test", 1);
    ASSERT_EQ(connection.tick(at(0s)), Action::kConnect);
    EXPECT_EQ(connection.tick(at(9s)), Action::kNone);
    EXPECT_EQ(connection.tick(at(10s)), Action::kGiveUp);
    connection.lost(at(10s));
    EXPECT_LE(connection.next_due(), at(10s + 50ms));
    ASSERT_EQ(connection.tick(at(11s)), Action::kConnect);
    static_cast<void>(connection.greet(at(12s)));
    EXPECT_EQ(connection.tick(at(22s)), Action::kGiveUp);
}

TEST(Connection, ResumesItsSession) {
    auto connection = connected(at(0s));
    connection.lost(at(2s));
    ASSERT_EQ(connection.tick(at(3s)), Action::kConnect);
    const auto hello = connection.greet(at(3s));
    EXPECT_EQ(hello.resume_session(), 7U);
    EXPECT_EQ(hello.resume_token(), "0123456789abcdef");
    const auto resumed = connection.on_hello_ok(hello_ok(2, true), at(3s));
    ASSERT_TRUE(resumed);
    EXPECT_TRUE(*resumed);
    EXPECT_EQ(connection.epoch(), Epoch(2));
}

TEST(Connection, DoesNotBelieveAResumeOfAnotherSession) {
    auto connection = connected(at(0s));
    connection.lost(at(2s));
    ASSERT_EQ(connection.tick(at(3s)), Action::kConnect);
    static_cast<void>(connection.greet(at(3s)));
    auto hello = hello_ok(2, true);
    hello.set_session(8);
    const auto resumed = connection.on_hello_ok(hello, at(3s));
    ASSERT_TRUE(resumed);
    EXPECT_FALSE(*resumed);
}

TEST(Connection, AfterByeAsksForANewSession) {
    auto connection = connected(at(0s));
    connection.forget_session();
    connection.lost(at(2s));
    ASSERT_EQ(connection.tick(at(3s)), Action::kConnect);
    EXPECT_EQ(connection.greet(at(3s)).resume_session(), 0U);
}

TEST(Connection, PingsWhenItHasSentNothing) {
    auto connection = connected(at(0s));
    EXPECT_EQ(connection.next_due(), at(5s));
    connection.sent(at(3s));
    connection.received(at(3s));
    EXPECT_EQ(connection.tick(at(5s)), Action::kNone);
    EXPECT_EQ(connection.tick(at(8s)), Action::kPing);
    EXPECT_EQ(connection.tick(at(8s)), Action::kNone);
}

TEST(Connection, IsDeadAfterThreeHeartbeatsOfSilence) {
    auto connection = connected(at(0s));
    connection.received(at(1s));
    EXPECT_NE(connection.tick(at(15s)), Action::kGiveUp);
    EXPECT_EQ(connection.tick(at(16s)), Action::kGiveUp);
}

TEST(Connection, IsNeverDeadInLessThanTenSeconds) {
    Connection connection("test", 1);
    ASSERT_EQ(connection.tick(at(0s)), Action::kConnect);
    static_cast<void>(connection.greet(at(0s)));
    auto hello = hello_ok();
    hello.set_heartbeat_ms(1'000);
    ASSERT_TRUE(connection.on_hello_ok(hello, at(0s)));
    EXPECT_EQ(connection.tick(at(9s)), Action::kPing);
    EXPECT_EQ(connection.tick(at(10s)), Action::kGiveUp);
}

TEST(Connection, OwnPauseIsNotTheSilenceOfThePeer) {
    auto connection = connected(at(0s));
    connection.excuse(100s);
    EXPECT_EQ(connection.tick(at(100s)), Action::kPing);
}

TEST(Connection, ComesBackQuicklyAfterAGoodConnection) {
    auto connection = connected(at(0s));
    connection.lost(at(60s));
    EXPECT_LE(connection.next_due(), at(60s + 10ms));
}

TEST(Connection, BacksOffWhenConnectionsDoNotLast) {
    Connection connection("test", 3);
    Instant now = at(0s);
    Duration longest{0};
    for (int i = 0; i < 12; ++i) {
        ASSERT_EQ(connection.tick(now), Action::kConnect);
        static_cast<void>(connection.greet(now));
        ASSERT_TRUE(connection.on_hello_ok(hello_ok(), now));
        connection.lost(now);
        longest = std::max(longest, connection.next_due() - now);
        now = connection.next_due();
    }
    EXPECT_GT(longest, 2s);
}

TEST(Connection, WaitsAsLongAsTheBrokerAsked) {
    auto connection = connected(at(0s));
    connection.lost(at(60s), 3s);
    EXPECT_EQ(connection.next_due(), at(63s));
}

TEST(Connection, RefusesAnUnknownVersion) {
    Connection connection("test", 1);
    ASSERT_EQ(connection.tick(at(0s)), Action::kConnect);
    static_cast<void>(connection.greet(at(0s)));
    auto hello = hello_ok();
    hello.set_proto(2);
    const auto welcome = connection.on_hello_ok(hello, at(0s));
    ASSERT_FALSE(welcome);
    EXPECT_EQ(welcome.error().code(), Code::kVersion);
}

TEST(Connection, RefusesAHelloOkItDidNotAskFor) {
    auto connection = connected(at(0s));
    EXPECT_FALSE(connection.on_hello_ok(hello_ok(), at(1s)));
}

}  // namespace
}  // namespace telpher::session
