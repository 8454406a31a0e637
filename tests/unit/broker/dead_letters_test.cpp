// Dead letters through the shard: what makes one, what is said of it, what a restart and the end of the log's oldest
// segment leave of it, how it is redriven and dropped.
#include <gtest/gtest.h>

#include "tests/sim/sim_peer.h"

namespace telpher::sim {
namespace {

using namespace std::chrono_literals;
using V = v1::Settle;

class DeadLettersTest : public testing::Test {
protected:
    DeadLettersTest() {
        EXPECT_TRUE(broker.start());
        come();
        producer = peer.open_producer(handle);
    }
    void come() {
        peer.reconnect();
        peer.hello();
        handle = peer.open("q");
    }
    void put(std::uint64_t first, std::uint32_t count) {
        peer.put(handle, producer, first, count);
        peer.await(v1::OP_CONFIRM);
    }
    /// One SETTLE over [first, first + count), with everything it can say.
    void settle(V::Verdict verdict, std::uint64_t first, std::uint64_t count, std::uint64_t delivery,
                const std::string& reason, bool backoff = false) {
        V message;
        message.set_epoch(peer.epoch());
        message.set_sub(sub);
        message.set_settle(++settles);
        message.set_verdict(verdict);
        message.set_backoff(backoff);
        message.set_reason(reason);
        for (const std::uint64_t number : {first, count, delivery}) message.add_ranges(number);
        peer.send(v1::OP_SETTLE, message);
    }
    void attach() {
        sub = peer.attach(handle, 100);
        settles = 0;
    }
    /// Puts [0, count) and kills them, each with a reason of its own.
    void kill(std::uint32_t count) {
        put(0, count);
        attach();
        for (std::uint64_t i = 0; i < count; ++i) settle(V::VERDICT_DEAD, i, 1, 1, "reason " + std::to_string(i));
        peer.await(v1::OP_SETTLED);
        broker.settle();
        peer.clear();
    }
    v1::Peeked peek(std::uint32_t state) {
        v1::Peek request;
        request.set_epoch(peer.epoch());
        request.set_req(peer.request());
        request.set_name("q");
        request.set_max(1000);
        request.set_state(state);
        peer.send(v1::OP_PEEK, request);
        return peer.await<v1::Peeked>(v1::OP_PEEKED);
    }
    v1::DeadHandled handle_dead(v1::HandleDead::What what, std::uint64_t first, std::uint64_t count,
                                std::uint32_t max = 0) {
        send_handle_dead(what, first, count, max);
        return peer.await<v1::DeadHandled>(v1::OP_DEAD_HANDLED);
    }
    void send_handle_dead(v1::HandleDead::What what, std::uint64_t first, std::uint64_t count, std::uint32_t max = 0) {
        v1::HandleDead request;
        request.set_epoch(peer.epoch());
        request.set_req(peer.request());
        request.set_name("q");
        request.set_what(what);
        request.set_first(first);
        request.set_count(count);
        request.set_max(max);
        peer.send(v1::OP_HANDLE_DEAD, request);
    }
    void start_again() {
        ASSERT_TRUE(broker.start());
        come();
    }

    SimBroker broker{1};
    SimPeer peer{broker};
    std::uint32_t handle = 0;
    std::uint32_t sub = 0;
    std::uint64_t settles = 0;
    std::uint64_t producer = 0;
};

TEST_F(DeadLettersTest, TheLastAttemptThatFailsMakesOneWithItsReason) {
    v1::QueueOptions options;
    options.set_max_attempts(2);
    handle = peer.open("few", options);
    producer = peer.open_producer(handle);
    put(0, 1);
    attach();
    settle(V::VERDICT_NACK, 0, 1, 1, "first");
    broker.settle();
    settle(V::VERDICT_NACK, 0, 1, 2, "second");
    broker.settle();
    const auto state = peer.show("few");
    EXPECT_EQ(state.dead(), 1U);
    EXPECT_EQ(state.died(), 1U);
    EXPECT_EQ(state.ready() + state.leased() + state.delayed(), 0U);
    EXPECT_EQ(state.nacked(), 2U);
}

TEST_F(DeadLettersTest, PeekSaysWhyAndOnlyWhenAskedFor) {
    kill(3);
    EXPECT_EQ(peek(0).runs_size(), 0);
    const auto dead = peek(4);
    ASSERT_EQ(dead.runs_size(), 3);
    EXPECT_EQ(dead.runs(1).reason(), "reason 1");
    EXPECT_EQ(dead.runs(1).cause(), 1U);
    EXPECT_EQ(dead.runs(1).delivery(), 1U);
    EXPECT_EQ(dead.runs(1).attempt(), 1U);
    EXPECT_GT(dead.runs(1).dead_ms(), 0U);
    EXPECT_EQ(dead.next(), 0U);
}

TEST_F(DeadLettersTest, LongReasonsComePageByPage) {
    put(0, 20);
    attach();
    for (std::uint64_t i = 0; i < 20; ++i) {
        settle(V::VERDICT_DEAD, i, 1, 1, std::string(4096, static_cast<char>('a' + i)));
    }
    broker.settle();
    const auto page = peek(4);
    EXPECT_GT(page.runs_size(), 1);
    EXPECT_LT(page.runs_size(), 20);
    EXPECT_EQ(page.next(), static_cast<std::uint64_t>(page.runs_size()));
}

TEST_F(DeadLettersTest, AReasonOverItsLimitIsFatalAndChangesNothing) {
    put(0, 1);
    attach();
    settle(V::VERDICT_DEAD, 0, 1, 1, std::string(4097, 'x'));
    EXPECT_EQ(peer.refused(), Code::kTooLarge);
    EXPECT_FALSE(peer.connected());
    come();
    EXPECT_EQ(peer.show("q").dead(), 0U);
}

TEST_F(DeadLettersTest, TheyOutliveARestartWithTheirReason) {
    kill(3);
    broker.kill();
    start_again();
    EXPECT_EQ(peer.show("q").dead(), 3U);
    EXPECT_EQ(peer.show("q").died(), 3U);
    const auto dead = peek(4);
    ASSERT_EQ(dead.runs_size(), 3);
    EXPECT_EQ(dead.runs(2).reason(), "reason 2");
}

TEST_F(DeadLettersTest, ARedriveHandsThemOutAgainAndIsRemembered) {
    kill(3);
    const auto done = handle_dead(v1::HandleDead::WHAT_REDRIVE, 0, 1);
    EXPECT_EQ(done.messages(), 1U);
    EXPECT_FALSE(done.more());
    const auto deliver = peer.await<v1::Deliver>(v1::OP_DELIVER);
    EXPECT_EQ(deliver.first_offset(), 0U);
    EXPECT_EQ(deliver.delivery(), 2U);
    EXPECT_EQ(deliver.attempt(), 1U) << "no attempt is counted";
    broker.kill();
    start_again();
    EXPECT_EQ(peer.show("q").dead(), 2U);
    EXPECT_EQ(handle_dead(v1::HandleDead::WHAT_REDRIVE, 0, UINT64_MAX, 1).next(), 2U);
    EXPECT_EQ(peer.show("q").dead(), 1U);
}

TEST_F(DeadLettersTest, ADropIsForEver) {
    kill(3);
    const auto done = handle_dead(v1::HandleDead::WHAT_DROP, 0, UINT64_MAX, 2);
    EXPECT_EQ(done.messages(), 2U);
    EXPECT_TRUE(done.more());
    EXPECT_EQ(done.next(), 2U);
    broker.kill();
    start_again();
    EXPECT_EQ(peer.show("q").dead(), 1U);
    EXPECT_EQ(peer.show("q").dropped(), 2U);
}

TEST_F(DeadLettersTest, TheEndAndAJoinDoNotWaitForThemAndNothingIsRedrivenThen) {
    kill(1);
    peer.seal(handle);
    peer.await(v1::OP_OK);
    peer.await(v1::OP_END);
    send_handle_dead(v1::HandleDead::WHAT_REDRIVE, 0, 1);
    EXPECT_EQ(peer.refused(), Code::kSealed);
    EXPECT_EQ(peer.show("q").dead(), 1U);
}

TEST_F(DeadLettersTest, ARedriveStopsAtTheBound) {
    kill(3);
    v1::Change change;
    change.set_epoch(peer.epoch());
    change.set_req(peer.request());
    change.set_what(v1::Change::WHAT_SET);
    change.set_name("q");
    change.mutable_options()->set_maxsize(2);
    peer.send(v1::OP_CHANGE, change);
    peer.await(v1::OP_OK);
    const auto done = handle_dead(v1::HandleDead::WHAT_REDRIVE, 0, UINT64_MAX);
    EXPECT_EQ(done.messages(), 2U);
    EXPECT_TRUE(done.full());
    EXPECT_TRUE(done.more());
    EXPECT_EQ(done.next(), 2U);
}

TEST_F(DeadLettersTest, RemovalOfAQueueWithDeadLettersNeedsForce) {
    kill(1);
    v1::Change change;
    change.set_epoch(peer.epoch());
    change.set_req(peer.request());
    change.set_what(v1::Change::WHAT_REMOVE);
    change.set_name("q");
    peer.send(v1::OP_CHANGE, change);
    EXPECT_EQ(peer.refused(), Code::kBusy);
    change.set_force(true);
    peer.send(v1::OP_CHANGE, change);
    peer.await(v1::OP_OK);
}

TEST_F(DeadLettersTest, NonsenseIsRefused) {
    send_handle_dead(v1::HandleDead::WHAT_UNSPECIFIED, 0, 1);
    EXPECT_EQ(peer.refused(), Code::kUnsupported);
    EXPECT_EQ(handle_dead(v1::HandleDead::WHAT_DROP, UINT64_MAX, UINT64_MAX).messages(), 0U);
    EXPECT_EQ(handle_dead(v1::HandleDead::WHAT_REDRIVE, 5, 0).messages(), 0U);
    v1::Peek request;
    request.set_epoch(peer.epoch());
    request.set_req(peer.request());
    request.set_name("q");
    request.set_state(5);
    peer.send(v1::OP_PEEK, request);
    EXPECT_EQ(peer.refused(), Code::kBadOption);
}

}  // namespace
}  // namespace telpher::sim
