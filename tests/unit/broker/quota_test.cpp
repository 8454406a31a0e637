// What a quota lets a user have: at, below and above it, and what an owner is after a restart.
#include "broker/quota.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/catalog.h"
#include "broker/log/records.pb.h"
#include "broker/replay.h"
#include "broker/snapshot.h"

namespace telpher::broker {
namespace {

using security::Quota;
using testing::HasSubstr;

queue::Options bounds(std::uint64_t maxsize, std::uint64_t max_bytes = 0) {
    queue::Options options;
    options.maxsize = maxsize;
    options.max_bytes = max_bytes;
    return options;
}

class QuotaTest : public testing::Test {
protected:
    HostedQueue& made(const std::string& name, const queue::Options& options, const std::string& owner = "shop") {
        HostedQueue& queue = catalog_.create(name, options);
        catalog_.give(queue, owner);
        return queue;
    }
    Result<void> check(const Quota& quota, const queue::Options& wanted, const HostedQueue* changed = nullptr) {
        return check_quota(quota, "shop", catalog_.owned_by("shop"), wanted, changed);
    }
    static std::string refused(const Result<void>& done) {
        if (done) return "allowed";
        EXPECT_EQ(done.error().code(), Code::kLimit);
        return done.error().message();
    }

    Catalog catalog_;
};

TEST_F(QuotaTest, NoneIsNoBound) {
    made("a", bounds(limits::kMaxsizeMax, UINT64_MAX));
    made("b", bounds(limits::kMaxsizeMax, UINT64_MAX));
    EXPECT_TRUE(check({}, bounds(limits::kMaxsizeMax)));
}

TEST_F(QuotaTest, CountsQueues) {
    const Quota quota{.queues = 2};
    made("of somebody else", bounds(10), "other");
    made("of nobody", bounds(10), "");
    made("a", bounds(10));
    EXPECT_TRUE(check(quota, bounds(10)));
    HostedQueue& second = made("b", bounds(10));
    EXPECT_THAT(refused(check(quota, bounds(10))), HasSubstr("quota of user shop: 2 queues of 2"));
    EXPECT_TRUE(check(quota, bounds(20), &second)) << "a change makes none";
    catalog_.remove(second.id);
    EXPECT_TRUE(check(quota, bounds(10)));
}

TEST_F(QuotaTest, AddsUpMessages) {
    const Quota quota{.messages = 100};
    HostedQueue& first = made("a", bounds(60));
    EXPECT_TRUE(check(quota, bounds(40)));
    EXPECT_THAT(refused(check(quota, bounds(41))), HasSubstr("messages: 60 in other queues, 41 asked, 100 allowed"));
    EXPECT_TRUE(check(quota, bounds(100), &first));
    EXPECT_THAT(refused(check(quota, bounds(101), &first)), HasSubstr("0 in other queues"));
}

TEST_F(QuotaTest, WithBytesEachQueueHasABound) {
    const Quota quota{.bytes = 1000};
    EXPECT_THAT(refused(check(quota, bounds(10))), HasSubstr("needs max_bytes"));
    HostedQueue& first = made("a", bounds(10, 900));
    EXPECT_TRUE(check(quota, bounds(10, 100)));
    EXPECT_THAT(refused(check(quota, bounds(10, 101))), HasSubstr("bytes: 900 in other queues"));
    EXPECT_THAT(refused(check(quota, bounds(10, 0), &first)), HasSubstr("needs max_bytes")) << "no bound is the most";
    EXPECT_THAT(refused(check(quota, bounds(10, UINT64_MAX))), HasSubstr("bytes")) << "sums do not wrap";
}

TEST_F(QuotaTest, ALoweredOneTakesNothingAndLetsNothingGrow) {
    const Quota lowered{.queues = 1, .messages = 10, .bytes = 10};
    HostedQueue& first = made("a", bounds(100, 100));
    HostedQueue& free = made("b", bounds(100));
    EXPECT_TRUE(check(lowered, bounds(100, 100), &first)) << "nothing changes";
    EXPECT_TRUE(check(lowered, bounds(99, 1), &first));
    EXPECT_FALSE(check(lowered, bounds(101, 1), &first));
    EXPECT_FALSE(check(lowered, bounds(1, 101), &first));
    EXPECT_TRUE(check(lowered, bounds(100, 0), &free)) << "it had no bound before";
    EXPECT_TRUE(check(lowered, bounds(100, 1000), &free)) << "any bound is less than none";
}

TEST_F(QuotaTest, AnOwnerIsKeptInSnapshots) {
    made("a", bounds(10));
    made("of nobody", bounds(10), "");
    Catalog again;
    Replay replay(again, Instant{}, WallTime{});
    Lsn lsn(1);
    for (const log::Record& record : make_snapshot(catalog_, 1)) {
        log::RecordView view;
        view.kind = record.kind;
        view.lsn = lsn;
        view.meta = as_bytes(record.meta);
        ASSERT_TRUE(replay.take(view));
        lsn += 1;
    }
    EXPECT_EQ(again.find("a")->owner, "shop");
    EXPECT_EQ(again.owned_by("shop").size(), 1U);
    EXPECT_EQ(again.find("of nobody")->owner, "");
}

}  // namespace
}  // namespace telpher::broker
