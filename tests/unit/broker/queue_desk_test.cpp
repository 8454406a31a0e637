// Queues as frames: made, opened, waited for, changed, paused, listed, removed; and what of it a restart keeps.
#include <gtest/gtest.h>

#include "tests/sim/sim_peer.h"

namespace telpher::sim {
namespace {

using C = v1::Change;

class QueueDeskTest : public testing::Test {
protected:
    QueueDeskTest() {
        EXPECT_TRUE(broker.start());
        peer.hello();
    }
    v1::Open open_of(const std::string& name) {
        v1::Open open;
        open.set_req(peer.request());
        open.set_name(name);
        return open;
    }
    std::uint64_t change(C::What what, const std::string& name, const v1::QueueOptions& options = {},
                         bool force = false) {
        v1::Change change;
        change.set_req(peer.request());
        change.set_what(what);
        change.set_name(name);
        *change.mutable_options() = options;
        change.set_force(force);
        peer.send(v1::OP_CHANGE, change);
        return change.req();
    }
    void restart() {
        broker.kill();
        ASSERT_TRUE(broker.start());
        peer.reconnect();
        peer.hello();
    }

    SimBroker broker{1};
    SimPeer peer{broker};
};

TEST_F(QueueDeskTest, AnAbsentQueueIsNotFound) {
    peer.send(v1::OP_OPEN, open_of("absent"));
    EXPECT_EQ(peer.refused(), Code::kNotFound);
}

TEST_F(QueueDeskTest, BadNamesAreRefused) {
    for (const std::string& name : {std::string(), std::string(".x"), std::string("a b"), std::string(256, 'x')}) {
        v1::Open open = open_of(name);
        open.set_create(true);
        peer.send(v1::OP_OPEN, open);
        EXPECT_EQ(peer.refused(), Code::kBadName);
    }
}

TEST_F(QueueDeskTest, CreationSaysTheOptionsItHas) {
    v1::Open open = open_of("q");
    open.set_create(true);
    *open.mutable_options() = bounded(7, 2, 2);
    peer.send(v1::OP_OPEN, open);
    const auto opened = peer.await<v1::Opened>(v1::OP_OPENED);
    EXPECT_TRUE(opened.created());
    EXPECT_EQ(opened.generation(), 1U);
    EXPECT_EQ(opened.options().maxsize(), 7U);
    EXPECT_EQ(opened.options().on_full(), 2U);
    EXPECT_EQ(opened.options().durability(), 2U);
    EXPECT_EQ(opened.put_bytes(), limits::kHandlePutWindowBytes);
}

TEST_F(QueueDeskTest, WhatItsMakerLeavesOutIsTheBrokersDefaultAtThatTime) {
    broker.shard().change({.queue_defaults = {.maxsize = 5, .on_full = queue::OnFull::kReject}});
    v1::Open open = open_of("q");
    open.set_create(true);
    open.mutable_options()->set_max_bytes(4096);
    peer.send(v1::OP_OPEN, open);
    auto opened = peer.await<v1::Opened>(v1::OP_OPENED);
    EXPECT_EQ(opened.options().maxsize(), 5U);
    EXPECT_EQ(opened.options().on_full(), 2U);
    EXPECT_EQ(opened.options().max_bytes(), 4096U);
    broker.shard().change({.queue_defaults = {.maxsize = 6}});
    open = open_of("q");
    open.set_create(true);
    peer.send(v1::OP_OPEN, open);
    opened = peer.await<v1::Opened>(v1::OP_OPENED);
    EXPECT_FALSE(opened.created());
    EXPECT_EQ(opened.options().maxsize(), 5U) << "what is there stays";
}

TEST_F(QueueDeskTest, OptionsThatDifferAreAMismatch) {
    peer.open("q", bounded(7));
    v1::Open open = open_of("q");
    open.set_create(true);
    open.mutable_options()->set_maxsize(8);
    peer.send(v1::OP_OPEN, open);
    EXPECT_EQ(peer.refused(), Code::kQueueMismatch);
    open = open_of("q");
    open.mutable_options()->set_maxsize(7);  // what is not given is not compared
    peer.send(v1::OP_OPEN, open);
    EXPECT_FALSE(peer.await<v1::Opened>(v1::OP_OPENED).created());
}

TEST_F(QueueDeskTest, OptionsOutOfRangeAreRefused) {
    const auto refused = [&](const v1::QueueOptions& options) {
        v1::Open open = open_of("q");
        open.set_create(true);
        *open.mutable_options() = options;
        peer.send(v1::OP_OPEN, open);
        return peer.refused();
    };
    EXPECT_EQ(refused(bounded(0)), Code::kBadOption);
    EXPECT_EQ(refused(bounded(limits::kMaxsizeMax + 1)), Code::kBadOption);
    EXPECT_EQ(refused(bounded(1, 4)), Code::kBadOption);
    EXPECT_EQ(refused(bounded(1, 1, 0)), Code::kBadOption);
    EXPECT_EQ(broker.shard().queue_count(), 0U);
}

TEST_F(QueueDeskTest, AWaitingOpenIsAnsweredWhenSomebodyMakesTheQueue) {
    v1::Open open = open_of("later");
    open.set_wait(true);
    peer.send(v1::OP_OPEN, open);
    v1::Open left = open_of("later");
    left.set_wait(true);
    peer.send(v1::OP_OPEN, left);
    v1::Leave leave;
    leave.set_req(left.req());
    peer.send(v1::OP_LEAVE, leave);
    EXPECT_FALSE(peer.look(v1::OP_OPENED));
    SimPeer other(broker);
    other.hello();
    other.open("later");
    EXPECT_EQ(peer.await<v1::Opened>(v1::OP_OPENED).req(), open.req());
    EXPECT_FALSE(peer.look(v1::OP_OPENED));
}

TEST_F(QueueDeskTest, NobodyIsToldOfAQueueBeforeItIsCommitted) {
    v1::Open open = open_of("q");
    open.set_create(true);
    peer.send(v1::OP_OPEN, open);
    for (int i = 0; i < 5; ++i) broker.cycle();
    EXPECT_FALSE(broker.transport().from_broker(peer.peer()).has_value());
    peer.await(v1::OP_OPENED);
}

TEST_F(QueueDeskTest, WhatWasChangedOutlivesARestart) {
    peer.open("q", bounded(7));
    peer.open("gone");
    change(C::WHAT_SET, "q", [] {
        v1::QueueOptions options;
        options.set_maxsize(9);
        return options;
    }());
    peer.await(v1::OP_OK);
    change(C::WHAT_PAUSE, "q");
    peer.await(v1::OP_OK);
    change(C::WHAT_REMOVE, "gone");
    peer.await(v1::OP_OK);
    restart();
    const v1::QueueState state = peer.show("q");
    EXPECT_EQ(state.options().maxsize(), 9U);
    EXPECT_TRUE(state.paused());
    EXPECT_EQ(broker.shard().queue_count(), 1U);
    change(C::WHAT_RESUME, "q");
    peer.await(v1::OP_OK);
    EXPECT_FALSE(peer.show("q").paused());
}

TEST_F(QueueDeskTest, DurabilityCannotChange) {
    peer.open("q");
    v1::QueueOptions options;
    options.set_durability(3);
    change(C::WHAT_SET, "q", options);
    EXPECT_EQ(peer.refused(), Code::kBadOption);
}

TEST_F(QueueDeskTest, APausedQueueDeliversNothing) {
    const std::uint32_t handle = peer.open("q");
    change(C::WHAT_PAUSE, "q");
    peer.await(v1::OP_OK);
    peer.put(handle, peer.open_producer(handle), 0, 1);
    peer.attach(handle, 1);
    EXPECT_FALSE(peer.look(v1::OP_DELIVER));
    change(C::WHAT_RESUME, "q");
    peer.await(v1::OP_DELIVER);
}

TEST_F(QueueDeskTest, ALoweredBoundDropsNothing) {
    const std::uint32_t handle = peer.open("q", bounded(5));
    const std::uint64_t producer = peer.open_producer(handle);
    peer.put(handle, producer, 0, 5);
    broker.settle();
    change(C::WHAT_SET, "q", [] {
        v1::QueueOptions options;
        options.set_maxsize(2);
        return options;
    }());
    peer.await(v1::OP_OK);
    peer.put(handle, producer, 5, 1);
    peer.await(v1::OP_PARKED);
    EXPECT_EQ(peer.show("q").ready(), 5U);
    const std::uint32_t sub = peer.attach(handle, 4);
    peer.settle(sub, 1, v1::Settle::VERDICT_ACK, {0, 4, 1});
    peer.await(v1::OP_SETTLED);
    EXPECT_EQ(peer.show("q").ready() + peer.show("q").leased(), 2U);
}

TEST_F(QueueDeskTest, RemovalNeedsForceWhileThereIsWork) {
    const std::uint32_t handle = peer.open("q", bounded(1));
    const std::uint64_t producer = peer.open_producer(handle);
    peer.put(handle, producer, 0, 3);
    peer.await(v1::OP_PARKED);
    peer.clear();
    peer.attach(handle, 1);
    v1::Join join;
    join.set_req(peer.request());
    join.set_handle(handle);
    peer.send(v1::OP_JOIN, join);
    const std::uint64_t seal = peer.seal(handle);  // waits behind the parked put
    peer.await(v1::OP_DELIVER);
    change(C::WHAT_REMOVE, "q");
    EXPECT_EQ(peer.refused(), Code::kBusy);
    const std::uint64_t req = change(C::WHAT_REMOVE, "q", {}, true);
    EXPECT_EQ(peer.await<v1::Ok>(v1::OP_OK).req(), req);
    const auto refused = runs_of(peer.await<v1::Confirm>(v1::OP_CONFIRM).refused());
    EXPECT_EQ(refused, (std::vector<frame::Run>{{1, 2, static_cast<std::uint64_t>(Code::kNotFound)}}));
    const auto of_join = peer.await<v1::Error>(v1::OP_ERROR);
    EXPECT_EQ(of_join.req(), join.req());
    EXPECT_EQ(static_cast<Code>(of_join.code()), Code::kNotFound);
    const auto of_seal = peer.await<v1::Error>(v1::OP_ERROR);
    EXPECT_EQ(of_seal.req(), seal);
    EXPECT_EQ(static_cast<Code>(of_seal.code()), Code::kNotFound);
    const auto of_handle = peer.await<v1::Error>(v1::OP_ERROR);
    EXPECT_EQ(of_handle.handle(), handle);
    EXPECT_EQ(of_handle.req(), 0U);
    EXPECT_EQ(static_cast<Code>(of_handle.code()), Code::kNotFound);
    EXPECT_EQ(broker.shard().queue_count(), 0U);
}

TEST_F(QueueDeskTest, ListGoesOnWhereItStopped) {
    for (const char* name : {"c", "a", "b"}) peer.open(name);
    v1::List list;
    list.set_req(peer.request());
    list.set_max(2);
    peer.send(v1::OP_LIST, list);
    auto queues = peer.await<v1::Queues>(v1::OP_QUEUES);
    ASSERT_EQ(queues.queues_size(), 2);
    EXPECT_EQ(queues.queues(1).name(), "b");
    EXPECT_TRUE(queues.more());
    list.set_req(peer.request());
    list.set_after("b");
    peer.send(v1::OP_LIST, list);
    queues = peer.await<v1::Queues>(v1::OP_QUEUES);
    ASSERT_EQ(queues.queues_size(), 1);
    EXPECT_FALSE(queues.more());
}

}  // namespace
}  // namespace telpher::sim
