// Quotas as frames: whose a queue is, what is refused and leaves nothing behind, and that a restart counts the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "broker/users.h"
#include "proto/security/key_file.h"
#include "tests/sim/sim_peer.h"

namespace telpher::sim {
namespace {

using namespace std::chrono_literals;
using broker::Users;
using security::Quota;
using testing::HasSubstr;
using C = v1::Change;

constexpr const char* kFirstSegment = "0000000000000001.seg";

v1::QueueOptions sized(std::uint64_t maxsize, std::uint64_t max_bytes = 0) {
    v1::QueueOptions options = bounded(maxsize);
    options.set_max_bytes(max_bytes);
    return options;
}

class QuotaDeskTest : public testing::Test {
protected:
    QuotaDeskTest() {
        EXPECT_TRUE(broker.start());
        come();
    }
    /// The same users on a broker that has just started.
    void come() {
        tell();
        for (SimPeer* peer : {&shop, &other, &local}) {
            peer->reconnect();
            peer->hello();
        }
    }
    void tell() {
        std::vector<security::UserFile> users;
        for (const auto& [name, key] : keys) users.push_back({name, {key}, {{}, {}, {"*"}}, quotas[name]});
        broker.shard().set_users(std::make_shared<const Users>(users));
        broker.settle();
    }
    void allow_shop(const Quota& quota) {
        quotas["shop"] = quota;
        tell();
    }
    /// Why not; empty: it was done.
    std::string change(SimPeer& peer, C::What what, const std::string& name, const v1::QueueOptions& options = {}) {
        C change;
        change.set_req(peer.request());
        change.set_what(what);
        change.set_name(name);
        *change.mutable_options() = options;
        peer.send(v1::OP_CHANGE, change);
        return answer(peer, v1::OP_OK);
    }
    std::string create(SimPeer& peer, const std::string& name, const v1::QueueOptions& options = bounded(10)) {
        return change(peer, C::WHAT_CREATE, name, options);
    }
    std::string open(SimPeer& peer, const std::string& name, const v1::QueueOptions& options = {}) {
        v1::Open open;
        open.set_req(peer.request());
        open.set_name(name);
        open.set_create(true);
        *open.mutable_options() = options;
        peer.send(v1::OP_OPEN, open);
        return answer(peer, v1::OP_OPENED);
    }
    std::set<std::string> files() {
        const auto names = broker.files().list("log").value();
        return {names.begin(), names.end()};
    }
    static std::string answer(SimPeer& peer, v1::Op good) {
        if (peer.look(good)) return {};
        const auto error = peer.await<v1::Error>(v1::OP_ERROR);
        EXPECT_EQ(static_cast<Code>(error.code()), Code::kLimit);
        return error.detail();
    }
    /// Whose the queues of this start are and what counts in the quota is the same after it.
    void expect_kept() {
        come();
        EXPECT_EQ(local.show("a").owner(), "shop");
        EXPECT_EQ(local.show("b").owner(), "other");
        EXPECT_THAT(create(shop, "c"), HasSubstr("quota of user shop: 1 queues of 1"));
        EXPECT_EQ(create(other, "of.other"), "");
        EXPECT_EQ(change(other, C::WHAT_REMOVE, "of.other"), "");
    }

    std::map<std::string, std::string> keys{{"shop", security::make_key_pair()->public_key},
                                            {"other", security::make_key_pair()->public_key}};
    std::map<std::string, Quota> quotas;
    SimBroker broker{1};
    SimPeer shop{broker, "shop"};
    SimPeer other{broker, "other"};
    SimPeer local{broker, "uid:1000"};
};

TEST_F(QuotaDeskTest, AQueueIsItsMakers) {
    EXPECT_EQ(create(shop, "a"), "");
    EXPECT_EQ(open(other, "b"), "");
    EXPECT_EQ(create(local, "c"), "");
    EXPECT_EQ(open(other, "a"), "") << "who opens what is there owns nothing";
    EXPECT_EQ(change(other, C::WHAT_SET, "a", bounded(11)), "") << "nor who changes it";
    EXPECT_EQ(local.show("a").owner(), "shop");
    EXPECT_EQ(local.show("b").owner(), "other");
    EXPECT_EQ(local.show("c").owner(), "uid:1000");
    SimPeer nameless(broker);
    nameless.hello();
    EXPECT_EQ(create(nameless, "d"), "");
    EXPECT_EQ(local.show("d").owner(), "");
}

TEST_F(QuotaDeskTest, WhatIsRefusedLeavesNothingBehind) {
    allow_shop({.queues = 1});
    ASSERT_EQ(create(shop, "a"), "");
    const Lsn before = broker.shard().log().last_lsn();
    EXPECT_THAT(create(shop, "b"), HasSubstr("quota of user shop: 1 queues of 1"));
    EXPECT_THAT(open(shop, "b"), HasSubstr("quota of user shop: 1 queues of 1"));
    allow_shop({.messages = 10, .bytes = 10});
    EXPECT_THAT(change(shop, C::WHAT_SET, "a", sized(11)), HasSubstr("messages"));
    EXPECT_THAT(create(shop, "b", sized(1, 1)), HasSubstr("messages: 10 in other queues, 1 asked, 10 allowed"));
    EXPECT_EQ(broker.shard().log().last_lsn(), before);
    EXPECT_EQ(broker.shard().queue_count(), 1U);
    EXPECT_EQ(local.show("a").options().maxsize(), 10U);
}

TEST_F(QuotaDeskTest, WhatIsThereIsOpenedAndMadeAgainWithoutAQuestion) {
    ASSERT_EQ(create(shop, "a"), "");
    ASSERT_EQ(create(other, "b"), "");
    allow_shop({.queues = 1, .messages = 1, .bytes = 1});
    EXPECT_EQ(open(shop, "a"), "");
    EXPECT_EQ(open(shop, "b"), "");
    EXPECT_EQ(create(shop, "a"), "");
}

TEST_F(QuotaDeskTest, TheOwnersQuotaCountsWhoeverChangesTheQueue) {
    allow_shop({.messages = 10});
    ASSERT_EQ(create(shop, "a"), "");
    EXPECT_THAT(change(local, C::WHAT_SET, "a", bounded(11)), HasSubstr("quota of user shop: messages"));
    ASSERT_EQ(create(other, "b", bounded(1000)), "");
    EXPECT_EQ(change(shop, C::WHAT_SET, "b", bounded(2000)), "") << "it is not the quota of who asks";
    keys.erase("shop");
    tell();
    EXPECT_EQ(change(local, C::WHAT_SET, "a", bounded(11)), "") << "who is no user any more has none";
}

TEST_F(QuotaDeskTest, WhatIsRemovedIsFreeAgain) {
    allow_shop({.queues = 2, .messages = 20, .bytes = 200});
    ASSERT_EQ(create(shop, "a", sized(10, 100)), "");
    ASSERT_EQ(create(shop, "b", sized(10, 100)), "");
    EXPECT_THAT(create(shop, "c", sized(1, 1)), HasSubstr("2 queues of 2"));
    EXPECT_EQ(change(local, C::WHAT_REMOVE, "b"), "");
    EXPECT_THAT(create(shop, "c", sized(11, 100)), HasSubstr("messages"));
    EXPECT_THAT(create(shop, "c", sized(10, 101)), HasSubstr("bytes"));
    EXPECT_EQ(create(shop, "c", sized(10, 100)), "");
}

TEST_F(QuotaDeskTest, ARestartCountsTheSame) {
    allow_shop({.queues = 1});
    ASSERT_EQ(create(shop, "a"), "");
    ASSERT_EQ(create(other, "b"), "");
    broker.kill();
    ASSERT_TRUE(broker.start());
    expect_kept();
    EXPECT_TRUE(broker.stop());
    ASSERT_TRUE(broker.start());
    expect_kept();
}

TEST_F(QuotaDeskTest, ARestartCountsTheSameWhenTheRecordsOfTheMakingAreGone) {
    allow_shop({.queues = 1});
    ASSERT_EQ(create(shop, "a"), "");
    ASSERT_EQ(create(other, "b"), "");
    ASSERT_TRUE(files().contains(kFirstSegment));
    const std::uint32_t handle = local.open("noise");
    const std::uint64_t producer = local.open_producer(handle);
    const std::uint32_t sub = local.attach(handle, 1000);
    for (std::uint64_t sequence = 0; sequence < 200; ++sequence) {
        local.put(handle, producer, sequence, 1, 1000);
        broker.settle();
    }
    local.settle(sub, 1, v1::Settle::VERDICT_ACK, {0, 200, 1});
    local.await(v1::OP_SETTLED);
    for (int i = 0; i < 3; ++i) {
        broker.advance(1s);
        broker.settle();
    }
    broker.kill();
    ASSERT_FALSE(files().contains(kFirstSegment));
    ASSERT_TRUE(broker.start());
    expect_kept();
    broker.kill();
    for (const std::string& name : files()) {  // what is left is the snapshot that opens the oldest segment
        if (!name.ends_with(".checkpoint")) continue;
        ASSERT_TRUE(broker.files().remove("log/" + name));
    }
    ASSERT_TRUE(broker.start());
    expect_kept();
}

}  // namespace
}  // namespace telpher::sim
