// A subscription for get(): attached only while it is used.
#include <gtest/gtest.h>

#include <thread>

#include "tests/support/deadline.h"
#include "tests/unit/consumer/fake_wire.h"

namespace telpher::consumer {
namespace {

using namespace std::chrono_literals;
using Ranges = std::vector<frame::Run>;
using test::eventually;

struct GetterRig : Rig {
    GetterRig() : Rig(Subscription::Kind::kGetter) { connect(); }

    /// get() on a thread of its own.
    std::jthread get(Result<Message>& out, Millis timeout = 10s) {
        return std::jthread([this, &out, timeout] { out = subscription->next(timeout); });
    }
    void await_wake() {
        if (!eventually(5s, [this] { return woken.load(); })) throw std::runtime_error("the engine was not woken");
        last_due = work();
    }
    Instant last_due;
};

TEST(Getter, AttachesWhenAGetWaitsWithCreditForIt) {
    GetterRig rig;
    EXPECT_TRUE(rig.wire->sent.empty());
    EXPECT_EQ(rig.subscription->next(0ms).error().code(), Code::kEmpty);
    Result<Message> message = fail(Code::kEmpty);
    std::jthread user = rig.get(message);
    rig.await_wake();
    EXPECT_EQ(rig.attach().credit_messages(), 1U);
    ASSERT_TRUE(rig.deliver(3, 1));
    user.join();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->id(), 3U);
}

TEST(Getter, GivesBackWhatNobodyWantsAndLeaves) {
    GetterRig rig;
    Result<Message> message = fail(Code::kEmpty);
    {
        std::jthread user = rig.get(message);
        rig.await_wake();
        rig.attach();
        ASSERT_TRUE(rig.deliver(3, 4));
    }
    ASSERT_TRUE(rig.woken) << "the last get to leave starts the clock";
    const Instant due = rig.work();
    EXPECT_LE(due - rig.clock.now(), Subscription::kGetterIdle);
    rig.clock.skip(60ms);
    EXPECT_EQ(rig.work(), Instant::never());
    EXPECT_EQ(rig.settle()->second, (Ranges{{4, 3, 1}}));
    ASSERT_TRUE(rig.deliver(9, 1)) << "nobody waits: straight back";
    EXPECT_EQ(rig.settle()->second, (Ranges{{9, 1, 1}}));
    ASSERT_TRUE(rig.settled(2));
    EXPECT_FALSE(rig.wire->take<v1::Detach>(v1::OP_DETACH)) << "one message is still handled";
    EXPECT_FALSE(rig.subscription->idle());
    message->ack();
    EXPECT_TRUE(rig.woken);
    rig.work();
    EXPECT_EQ(rig.settle()->second, (Ranges{{3, 1, 1}}));
    ASSERT_TRUE(rig.settled(3));
    EXPECT_TRUE(rig.wire->take<v1::Detach>(v1::OP_DETACH));
    EXPECT_TRUE(rig.subscription->idle());
    EXPECT_TRUE(rig.wire->sent.empty());

    std::jthread user = rig.get(message);
    rig.await_wake();
    EXPECT_EQ(rig.attach(2).credit_messages(), 1U) << "as new";
    ASSERT_TRUE(rig.deliver(10, 1));
}

TEST(Getter, GetsThatFollowQuicklyPrefetch) {
    constexpr std::uint64_t kMessages = 5000;
    GetterRig rig;
    int deliveries = 0;
    std::jthread broker([&](const std::stop_token& stop) {
        std::uint64_t offset = 0;
        std::uint64_t limit = 0;
        for (; !stop.stop_requested(); std::this_thread::yield()) {
            if (rig.woken) rig.work();
            while (!rig.wire->sent.empty()) {
                if (rig.wire->sent.front().op == v1::OP_ATTACH) {
                    limit = rig.attach().credit_messages();
                } else if (const auto credit = rig.wire->take<v1::Credit>(v1::OP_CREDIT)) {
                    limit = credit->messages();
                } else if (const auto settle = rig.settle()) {
                    ASSERT_TRUE(rig.settled(settle->first.settle()));
                }
            }
            const std::uint64_t count = std::min(limit, kMessages) - std::min(offset, kMessages);
            if (count == 0) continue;
            ++deliveries;
            ASSERT_TRUE(rig.deliver(offset, static_cast<std::uint32_t>(count)));
            offset += count;
        }
    });
    for (std::uint64_t i = 0; i < kMessages; ++i) {
        Result<Message> message = rig.subscription->next(5s);
        ASSERT_TRUE(message);
        ASSERT_EQ(message->id(), i);
        message->ack();
    }
    broker.request_stop();
    broker.join();
    EXPECT_LT(deliveries, 500);
}

TEST(Getter, AfterTheEndTheNextGetAsksAgain) {
    GetterRig rig;
    Result<Message> message = fail(Code::kEmpty);
    std::jthread first = rig.get(message);
    rig.await_wake();
    rig.attach();
    ASSERT_TRUE(rig.end());
    first.join();
    EXPECT_EQ(message.error().code(), Code::kEnd);

    std::jthread second = rig.get(message);
    ASSERT_TRUE(eventually(5s, [&] {
        rig.work();
        return !rig.wire->sent.empty();
    }));
    ASSERT_TRUE(rig.wire->take<v1::Detach>(v1::OP_DETACH));
    rig.attach(2);
    ASSERT_TRUE(rig.deliver(1, 1)) << "somebody reopened it";
    second.join();
    EXPECT_TRUE(message);
}

TEST(Getter, KeepsItsLeasesOverAReconnect) {
    GetterRig rig;
    Result<Message> message = fail(Code::kEmpty);
    {
        std::jthread user = rig.get(message);
        rig.await_wake();
        rig.attach();
        ASSERT_TRUE(rig.deliver(3, 1));
    }
    rig.disconnect();
    rig.connect();
    EXPECT_EQ(*frame::read_runs(rig.attach().held(), 10), (Ranges{{3, 1, 1}}));
}

}  // namespace
}  // namespace telpher::consumer
