// The end of a queue as frames: seal in line, END, JOIN, reopen, and what a restart makes of them.
#include <gtest/gtest.h>

#include "tests/sim/sim_peer.h"

namespace telpher::sim {
namespace {

using namespace std::chrono_literals;
using V = v1::Settle;

class EndDeskTest : public testing::Test {
protected:
    EndDeskTest() {
        EXPECT_TRUE(broker.start());
        peer.hello();
    }
    void open(const v1::QueueOptions& options = {}) {
        handle = peer.open("q", options);
        producer = peer.open_producer(handle);
    }
    std::uint64_t seal() { return peer.seal(handle); }
    std::uint64_t join(bool sealed, std::uint32_t generation = 0) {
        v1::Join join;
        join.set_req(peer.request());
        join.set_handle(handle);
        join.set_sealed(sealed);
        join.set_generation(generation);
        peer.send(v1::OP_JOIN, join);
        return join.req();
    }
    void reopen() {
        v1::Reopen reopen;
        reopen.set_req(peer.request());
        reopen.set_handle(handle);
        peer.send(v1::OP_REOPEN, reopen);
    }
    void restart(const v1::QueueOptions& options = {}) {
        broker.kill();
        ASSERT_TRUE(broker.start());
        peer.reconnect();
        peer.hello();
        handle = peer.open("q", options);
    }

    SimBroker broker{1};
    SimPeer peer{broker};
    std::uint32_t handle = 0;
    std::uint64_t producer = 0;
};

TEST_F(EndDeskTest, ASealRefusesLaterPuts) {
    open();
    peer.put(handle, producer, 0, 1);
    seal();
    peer.await(v1::OP_OK);
    peer.await(v1::OP_CONFIRM);
    peer.put(handle, producer, 1, 1);
    const auto refused = runs_of(peer.await<v1::Confirm>(v1::OP_CONFIRM).refused());
    EXPECT_EQ(refused.back().value, static_cast<std::uint64_t>(Code::kSealed));
    EXPECT_TRUE(peer.show("q").sealed());
}

TEST_F(EndDeskTest, ASealWaitsInLineBehindParkedPuts) {
    open(bounded(1));
    peer.put(handle, producer, 0, 3);
    peer.await(v1::OP_PARKED);
    peer.clear();
    seal();
    peer.put(handle, producer, 3, 1);
    EXPECT_FALSE(peer.look(v1::OP_OK));
    EXPECT_FALSE(peer.show("q").sealed());
    const std::uint32_t sub = peer.attach(handle, 10);
    for (std::uint64_t offset = 0; offset < 3; ++offset) {
        EXPECT_EQ(peer.await<v1::Deliver>(v1::OP_DELIVER).first_offset(), offset);
        EXPECT_FALSE(peer.look(v1::OP_END));
        peer.settle(sub, offset + 1, V::VERDICT_ACK, {offset, 1, 1});
    }
    peer.await(v1::OP_OK);
    peer.await(v1::OP_END);
    Code last = Code::kOk;
    while (const auto confirm = peer.look<v1::Confirm>(v1::OP_CONFIRM)) {
        for (const auto& run : runs_of(confirm->refused())) last = static_cast<Code>(run.value);
    }
    EXPECT_EQ(last, Code::kSealed);
}

TEST_F(EndDeskTest, EndComesOnceAndOnlyAfterTheLastSettle) {
    open();
    peer.put(handle, producer, 0, 2);
    const std::uint32_t sub = peer.attach(handle, 10);
    seal();
    peer.await(v1::OP_OK);
    peer.settle(sub, 1, V::VERDICT_ACK, {0, 1, 1});
    peer.await(v1::OP_SETTLED);
    EXPECT_FALSE(peer.look(v1::OP_END));
    peer.settle(sub, 2, V::VERDICT_NACK, {1, 1, 1}, 500);
    EXPECT_FALSE(peer.look(v1::OP_END));
    broker.advance(501ms);
    peer.clear();
    peer.settle(sub, 3, V::VERDICT_ACK, {1, 1, 2});
    EXPECT_EQ(peer.await<v1::End>(v1::OP_END).generation(), 1U);
    broker.advance(5s);
    EXPECT_FALSE(peer.look(v1::OP_END));
    EXPECT_NE(peer.attach(handle, 1), sub);  // one that comes later is told too
    peer.await(v1::OP_END);
}

TEST_F(EndDeskTest, NobodyIsToldAnEndBeforeItIsCommitted) {
    open();
    peer.attach(handle, 10);
    seal();
    for (int i = 0; i < 5; ++i) broker.cycle();
    EXPECT_FALSE(broker.transport().from_broker(peer.peer()).has_value());
    peer.await(v1::OP_OK);
    peer.await(v1::OP_END);
}

TEST_F(EndDeskTest, ALeaseKeepsTheEndAwayUntilItsHolderIsGone) {
    open();
    peer.put(handle, producer, 0, 1);
    seal();
    SimPeer holder(broker);
    holder.hello();
    holder.attach(holder.open("q"), 1);
    holder.await(v1::OP_DELIVER);
    const std::uint32_t sub = peer.attach(handle, 1);
    holder.lose();
    EXPECT_FALSE(peer.look(v1::OP_END));
    broker.advance(limits::kResumeGrace + 1ms);
    EXPECT_EQ(peer.await<v1::Deliver>(v1::OP_DELIVER).delivery(), 2U);
    EXPECT_FALSE(peer.look(v1::OP_END));
    peer.settle(sub, 1, V::VERDICT_ACK, {0, 1, 2});
    peer.await(v1::OP_END);
}

TEST_F(EndDeskTest, JoinWaitsForTheWorkAndWithSealedForTheSeal) {
    open();
    const std::uint64_t empty = join(false);
    EXPECT_EQ(peer.await<v1::Joined>(v1::OP_JOINED).req(), empty);
    peer.put(handle, producer, 0, 1);
    broker.settle();
    const std::uint64_t done = join(false);
    const std::uint64_t over = join(true);
    EXPECT_FALSE(peer.look(v1::OP_JOINED));
    const std::uint32_t sub = peer.attach(handle, 1);
    peer.settle(sub, 1, V::VERDICT_ACK, {0, 1, 1});
    EXPECT_EQ(peer.await<v1::Joined>(v1::OP_JOINED).req(), done);
    EXPECT_FALSE(peer.look(v1::OP_JOINED));
    seal();
    const auto joined = peer.await<v1::Joined>(v1::OP_JOINED);
    EXPECT_EQ(joined.req(), over);
    EXPECT_EQ(joined.state().acked(), 1U);
    EXPECT_FALSE(joined.lost());
}

TEST_F(EndDeskTest, AJoinThatIsLeftIsNotAnswered) {
    open();
    v1::Leave leave;
    leave.set_req(join(true));
    peer.send(v1::OP_LEAVE, leave);
    seal();
    peer.await(v1::OP_OK);
    EXPECT_FALSE(peer.look(v1::OP_JOINED));
}

TEST_F(EndDeskTest, ReopenBeginsTheNextGeneration) {
    open();
    reopen();
    EXPECT_EQ(peer.refused(), Code::kBadOption);
    const std::uint32_t sub = peer.attach(handle, 10);
    seal();
    EXPECT_EQ(peer.await<v1::End>(v1::OP_END).generation(), 1U);
    peer.clear();
    reopen();
    peer.await(v1::OP_OK);
    const std::uint64_t past = join(true, 1);
    EXPECT_EQ(peer.await<v1::Joined>(v1::OP_JOINED).req(), past);
    peer.put(handle, producer, 0, 1);
    peer.await(v1::OP_DELIVER);
    peer.settle(sub, 1, V::VERDICT_ACK, {0, 1, 1});
    seal();
    EXPECT_EQ(peer.await<v1::End>(v1::OP_END).generation(), 2U);
}

TEST_F(EndDeskTest, SealAndGenerationOutliveARestart) {
    open();
    seal();
    peer.await(v1::OP_OK);
    reopen();
    peer.await(v1::OP_OK);
    seal();
    peer.await(v1::OP_OK);
    restart();
    EXPECT_TRUE(peer.show("q").sealed());
    EXPECT_EQ(peer.show("q").generation(), 2U);
    peer.attach(handle, 1);
    EXPECT_EQ(peer.await<v1::End>(v1::OP_END).generation(), 2U);
    producer = peer.open_producer(handle);
    peer.put(handle, producer, 0, 1);
    EXPECT_EQ(runs_of(peer.await<v1::Confirm>(v1::OP_CONFIRM).refused()).front().value,
              static_cast<std::uint64_t>(Code::kSealed));
}

TEST_F(EndDeskTest, AMemoryQueueThatNobodyReadKnowsWhatItLost) {
    const v1::QueueOptions memory = bounded(10, 1, 3);
    open(memory);
    peer.put(handle, producer, 0, 3);
    broker.settle();
    broker.advance(300ms);
    broker.settle();  // the count is logged lazily
    restart(memory);
    EXPECT_EQ(peer.show("q").lost(), 3U);
    producer = peer.open_producer(handle);
    peer.put(handle, producer, 0, 2);
    broker.settle();
    ASSERT_TRUE(broker.stop());  // not lazily
    ASSERT_TRUE(broker.start());
    peer.reconnect();
    peer.hello();
    EXPECT_EQ(peer.show("q").lost(), 5U);
}

TEST_F(EndDeskTest, AMemoryQueueRestartsEmptyAndJoinSaysLost) {
    const v1::QueueOptions memory = bounded(10, 1, 3);
    open(memory);
    peer.put(handle, producer, 0, 3);
    const std::uint32_t sub = peer.attach(handle, 1);
    peer.settle(sub, 1, V::VERDICT_ACK, {0, 1, 1});
    broker.settle();
    broker.advance(300ms);
    broker.settle();  // the count is logged lazily
    restart(memory);
    const v1::QueueState state = peer.show("q");
    EXPECT_EQ(state.generation(), 2U);
    EXPECT_EQ(state.ready() + state.leased() + state.delayed(), 0U);
    EXPECT_EQ(state.lost(), 2U);
    join(false, 1);
    EXPECT_TRUE(peer.await<v1::Joined>(v1::OP_JOINED).lost());
    join(false, 2);
    EXPECT_TRUE(peer.await<v1::Joined>(v1::OP_JOINED).lost()) << "what was put before is not done";
    restart(memory);
    join(false, 3);
    EXPECT_TRUE(peer.await<v1::Joined>(v1::OP_JOINED).lost()) << "nor is it now";
    seal();
    peer.await(v1::OP_OK);
    v1::Reopen reopen;
    reopen.set_req(peer.request());
    reopen.set_handle(handle);
    peer.send(v1::OP_REOPEN, reopen);
    peer.await(v1::OP_OK);
    join(false, 4);
    EXPECT_FALSE(peer.await<v1::Joined>(v1::OP_JOINED).lost()) << "that is over";
}

TEST_F(EndDeskTest, AnEmptyMemoryQueueLosesNothingInARestart) {
    const v1::QueueOptions memory = bounded(10, 1, 3);
    open(memory);
    restart(memory);
    join(false, 2);
    EXPECT_FALSE(peer.await<v1::Joined>(v1::OP_JOINED).lost());
}

TEST_F(EndDeskTest, AMemoryQueueNeverUsesAnOffsetTwice) {
    const v1::QueueOptions memory = bounded(10, 1, 3);
    open(memory);
    peer.put(handle, producer, 0, 3);
    const auto first = runs_of(peer.await<v1::Confirm>(v1::OP_CONFIRM).stored());
    restart(memory);
    producer = peer.open_producer(handle, producer);
    peer.put(handle, producer, 3, 1);
    const auto second = runs_of(peer.await<v1::Confirm>(v1::OP_CONFIRM).stored());
    EXPECT_GT(second.front().value, first.front().value + 3);
}

}  // namespace
}  // namespace telpher::sim
