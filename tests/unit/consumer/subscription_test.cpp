#include "consumer/subscription.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "tests/support/deadline.h"
#include "tests/unit/consumer/fake_wire.h"

namespace telpher::consumer {
namespace {

using namespace std::chrono_literals;
using Kind = Subscription::Kind;
using Ranges = std::vector<frame::Run>;
using test::eventually;

TEST(Subscription, AttachesWithCreditForOneAndHandsOutWhatComes) {
    Rig rig;
    rig.connect();
    const v1::Attach attach = rig.attach();
    EXPECT_EQ(attach.handle(), 4U);
    EXPECT_EQ(attach.epoch(), 9U);
    EXPECT_EQ(attach.consumer_name(), "test");
    EXPECT_EQ(attach.credit_messages(), 1U);
    EXPECT_EQ(attach.held_size(), 0);
    EXPECT_EQ(rig.wire->bound, 1U);
    EXPECT_EQ(rig.subscription->next(0ms).error().code(), Code::kEmpty);
    ASSERT_TRUE(rig.deliver(5, 2));
    Message first = *rig.subscription->next(0ms);
    EXPECT_EQ(first.id(), 5U);
    EXPECT_EQ(first.text(), "5");
    EXPECT_EQ(rig.subscription->next(0ms)->id(), 6U);
}

TEST(Subscription, AcksOfWhatADeliverBroughtAreOneRange) {
    Rig rig(Kind::kConsumer, 100);
    rig.connect();
    EXPECT_TRUE(rig.attach(3).holes());
    ASSERT_TRUE(rig.deliver_records(10, {plain("a"), "", plain("b"), "", "", plain("c"), ""}));
    Message a = *rig.subscription->next(5s);
    Message b = *rig.subscription->next(5s);
    Message c = *rig.subscription->next(5s);
    EXPECT_EQ(std::tuple(a.id(), b.id(), c.id()), std::tuple(10U, 12U, 15U));
    EXPECT_EQ(rig.subscription->next(0ms).error().code(), Code::kEmpty);
    a.ack();
    b.ack();
    c.ack();
    rig.work();
    EXPECT_EQ(rig.settle()->second, (Ranges{{10, 6, 1}}));
    ASSERT_TRUE(rig.deliver_records(20, {plain("d"), "", plain("e")}));
    Message d = *rig.subscription->next(5s);
    d.ack();
    rig.subscription->next(5s)->release();
    ASSERT_TRUE(rig.settled(1));
    EXPECT_EQ(rig.settle()->second, (Ranges{{20, 1, 1}}));
    EXPECT_EQ(rig.settle()->second, (Ranges{{22, 1, 1}})) << "only an ack may say more than what was there";
}

TEST(Subscription, AckIsSentAtOnceAndThenGathered) {
    Rig rig(Kind::kConsumer, 100);
    rig.connect();
    rig.attach(3);
    ASSERT_TRUE(rig.deliver(0, 10));
    rig.subscription->next(5s)->ack();
    EXPECT_TRUE(rig.woken);
    rig.work();
    const auto first = rig.settle();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->first.settle(), 1U);
    EXPECT_EQ(first->first.sub(), 3U);
    EXPECT_EQ(first->first.epoch(), 9U);
    EXPECT_EQ(first->second, (Ranges{{0, 1, 1}}));
    for (int i = 0; i < 5; ++i) rig.subscription->next(5s)->ack();
    EXPECT_FALSE(rig.woken) << "the first is on its way, and there is more to do";
    rig.work();
    EXPECT_FALSE(rig.settle());
    ASSERT_TRUE(rig.settled(1));
    const auto second = rig.settle();
    ASSERT_TRUE(second);
    EXPECT_EQ(second->first.settle(), 2U);
    EXPECT_EQ(second->second, (Ranges{{1, 5, 1}}));
}

TEST(Subscription, MessageWithoutAVerdictIsReleased) {
    Rig rig;
    rig.connect();
    rig.attach();
    ASSERT_TRUE(rig.deliver(5, 1, 4));
    { const Message message = *rig.subscription->next(5s); }
    rig.work();
    const auto settle = rig.settle();
    ASSERT_TRUE(settle);
    EXPECT_EQ(settle->first.verdict(), v1::Settle::VERDICT_RELEASE);
    EXPECT_EQ(settle->second, (Ranges{{5, 1, 4}}));
}

TEST(Subscription, UnreadableRecordIsADeadLetterAndTheNextIsGiven) {
    Rig rig;
    rig.connect();
    rig.attach();
    ASSERT_TRUE(rig.deliver_records(5, {"\xff", plain("good")}));
    const auto good = rig.subscription->next(5s);
    EXPECT_EQ(good->text(), "good");
    rig.work();
    const auto settle = rig.settle();
    ASSERT_TRUE(settle);
    EXPECT_EQ(settle->first.verdict(), v1::Settle::VERDICT_DEAD);
    EXPECT_EQ(settle->second, (Ranges{{5, 1, 1}}));
}

TEST(Subscription, NextWaitsForAMessageTheEndOrAStop) {
    Rig rig;
    rig.connect();
    rig.attach();
    std::jthread broker([&] {
        ASSERT_TRUE(eventually(5s, [&] { return rig.woken.load() || rig.subscription->idle(); }));
        ASSERT_TRUE(rig.deliver(1, 1));
    });
    Result<Message> message = rig.subscription->next(10s);
    ASSERT_TRUE(message);
    broker.join();
    message->ack();
    EXPECT_EQ(rig.subscription->next(5ms).error().code(), Code::kEmpty);
    ASSERT_TRUE(rig.end());
    EXPECT_EQ(rig.subscription->next(5s).error().code(), Code::kEnd);
    ASSERT_TRUE(rig.deliver(2, 1)) << "the next generation";
    EXPECT_TRUE(rig.subscription->next(0ms));
    std::stop_source stop;
    std::jthread stopper([&] { stop.request_stop(); });
    EXPECT_EQ(rig.subscription->next(10s, stop.get_token()).error().code(), Code::kStopped);
}

TEST(Subscription, AWaitingThreadAsksForCredit) {
    Rig rig(Kind::kConsumer);
    rig.connect();
    rig.attach();
    ASSERT_TRUE(rig.deliver(1, 1));
    const Message held = *rig.subscription->next(0ms);  // the only credit is used up
    std::jthread waiter([&] { EXPECT_EQ(rig.subscription->next(10s)->id(), 2U); });
    ASSERT_TRUE(eventually(5s, [&] { return rig.woken.load(); }));
    rig.work();
    const auto credit = rig.wire->take<v1::Credit>(v1::OP_CREDIT);
    ASSERT_TRUE(credit);
    EXPECT_EQ(credit->messages(), 2U);
    EXPECT_EQ(credit->sub(), 1U);
    ASSERT_TRUE(rig.deliver(2, 1));
}

TEST(Subscription, StopReleasesWhatNobodyTook) {
    Rig rig;
    rig.connect();
    rig.attach();
    ASSERT_TRUE(rig.deliver(1, 5));
    Message message = *rig.subscription->next(5s);
    rig.subscription->stop();
    EXPECT_EQ(rig.subscription->next(5s).error().code(), Code::kStopped);
    rig.work();
    EXPECT_EQ(rig.settle()->second, (Ranges{{2, 4, 1}}));
    ASSERT_TRUE(rig.deliver(9, 1)) << "was on its way";
    EXPECT_EQ(rig.settle()->second, (Ranges{{9, 1, 1}}));
    message.ack();
    rig.work();
    EXPECT_EQ(rig.settle()->second, (Ranges{{1, 1, 1}}));
    EXPECT_TRUE(rig.wire->sent.empty()) << "no credit any more";
}

TEST(Subscription, RecalledMessagesAreReleased) {
    Rig rig;
    rig.connect();
    rig.attach();
    ASSERT_TRUE(rig.deliver(0, 10));
    const Message message = *rig.subscription->next(5s);
    v1::Recall recall;
    std::uint64_t end = 0;
    frame::add_run(*recall.mutable_ranges(), end, {0, 3, 1});
    frame::add_run(*recall.mutable_ranges(), end, {8, 10, 1});
    ASSERT_TRUE(rig.give(v1::OP_RECALL, recall));
    const auto settle = rig.settle();
    EXPECT_EQ(settle->first.verdict(), v1::Settle::VERDICT_RELEASE);
    EXPECT_EQ(settle->second, (Ranges{{1, 2, 1}, {8, 2, 1}}));
    EXPECT_EQ(rig.subscription->next(5s)->id(), 3U);
}

TEST(Subscription, AfterAReconnectItSaysWhatItHoldsAndSettlesAgain) {
    Rig rig(Kind::kConsumer, 100);
    rig.connect();
    rig.attach();
    ASSERT_TRUE(rig.deliver(0, 10));
    Message zero = *rig.subscription->next(5s);
    Message one = *rig.subscription->next(5s);
    rig.subscription->next(5s)->ack();  // 2: sent, not confirmed
    rig.work();
    ASSERT_TRUE(rig.settle());
    rig.disconnect();
    rig.subscription->next(5s)->ack();  // 3: not sent
    EXPECT_FALSE(rig.woken);

    rig.connect();
    const v1::Attach attach = rig.attach(77, {{1, 1, 0}, {5, 2, 0}});
    EXPECT_EQ(*frame::read_runs(attach.held(), 100), (Ranges{{0, 10, 1}}));
    EXPECT_EQ(attach.credit_messages(), 92U) << "eight are held";
    const auto again = rig.settle();
    ASSERT_TRUE(again);
    EXPECT_EQ(again->first.sub(), 77U);
    EXPECT_EQ(again->first.settle(), 1U);
    EXPECT_EQ(again->second, (Ranges{{2, 1, 1}}));
    ASSERT_TRUE(rig.settled(1));
    EXPECT_EQ(rig.settle()->second, (Ranges{{3, 1, 1}}));
    ASSERT_TRUE(rig.settled(2));

    EXPECT_EQ(one.ack_confirmed().error().code(), Code::kLeaseLost);
    EXPECT_EQ(rig.subscription->next(5s)->id(), 4U);
    EXPECT_EQ(rig.subscription->next(5s)->id(), 7U) << "5 and 6 are somebody else's";
    zero.ack();
    rig.work();
    EXPECT_EQ(rig.settle()->first.settle(), 3U);
}

TEST(Subscription, ARefusedAttachIsTriedAgainOrFailsForGood) {
    Rig rig;
    rig.connect();
    const auto attach = rig.wire->take<v1::Attach>(v1::OP_ATTACH);
    rig.wire->refuse(attach->req(), Code::kRestarting);
    rig.work();
    EXPECT_TRUE(rig.wire->sent.empty()) << "not at once";
    rig.clock.skip(600ms);
    rig.work();
    const auto second = rig.wire->take<v1::Attach>(v1::OP_ATTACH);
    ASSERT_TRUE(second);
    rig.wire->refuse(second->req(), Code::kNotFound);
    EXPECT_EQ(rig.subscription->next(5s).error().code(), Code::kNotFound);
}

TEST(Subscription, ClosedBeforeItWasAttachedItDetachesItself) {
    Rig rig;
    rig.connect();
    EXPECT_FALSE(rig.subscription->idle());
    EXPECT_FALSE(rig.subscription->close(1ms));
    rig.attach(6);
    const auto detach = rig.wire->take<v1::Detach>(v1::OP_DETACH);
    ASSERT_TRUE(detach);
    EXPECT_EQ(detach->sub(), 6U);
    EXPECT_TRUE(rig.subscription->close(1ms));
    rig.work();
    EXPECT_TRUE(rig.wire->sent.empty()) << "it does not come back";
}

TEST(Subscription, FlushWaitsForTheCommit) {
    Rig rig;
    rig.connect();
    rig.attach();
    EXPECT_TRUE(rig.subscription->flush(0ms)) << "nothing to wait for";
    ASSERT_TRUE(rig.deliver(0, 3));
    for (int i = 0; i < 3; ++i) rig.subscription->next(5s)->ack();
    EXPECT_EQ(rig.subscription->flush(1ms).error().code(), Code::kTimeout);
    rig.work();
    ASSERT_TRUE(rig.settle());
    std::jthread broker([&] {
        std::this_thread::yield();
        ASSERT_TRUE(rig.settled(1, {1, 2, 1}));
    });
    EXPECT_EQ(rig.subscription->flush(10s).error().code(), Code::kLeaseLost) << "2 was acked too late";
    EXPECT_TRUE(rig.subscription->flush(0ms)) << "said once";
}

TEST(Subscription, AckConfirmedTellsCommittedFromLost) {
    Rig rig;
    rig.connect();
    rig.attach();
    ASSERT_TRUE(rig.deliver(10, 2));
    Message kept = *rig.subscription->next(5s);
    Message lost = *rig.subscription->next(5s);
    const auto answer = [&](std::uint64_t number, std::vector<std::uint64_t> gone) {
        ASSERT_TRUE(eventually(5s, [&] { return rig.woken.load(); }));
        rig.work();
        ASSERT_TRUE(rig.settle());
        ASSERT_TRUE(rig.settled(number, gone));
    };
    {
        std::jthread broker([&] { answer(1, {}); });
        EXPECT_TRUE(kept.ack_confirmed(10s));
    }
    rig.woken = false;
    {
        std::jthread broker([&] { answer(2, {2, 11, 1}); });
        EXPECT_EQ(lost.ack_confirmed(10s).error().code(), Code::kLeaseLost);
    }
}

TEST(Subscription, ExtendIsAskedAgainAfterAReconnect) {
    Rig rig;
    rig.connect();
    rig.attach();
    ASSERT_TRUE(rig.deliver(10, 1, 3));
    Message message = *rig.subscription->next(5s);
    Result<void> outcome;
    std::jthread user([&] { outcome = message.extend(90s, 10s); });
    ASSERT_TRUE(eventually(5s, [&] { return rig.woken.load(); }));
    rig.work();
    ASSERT_TRUE(rig.wire->take<v1::Extend>(v1::OP_EXTEND));
    rig.disconnect();
    rig.connect();
    rig.attach(2);
    const auto extend = rig.wire->take<v1::Extend>(v1::OP_EXTEND);
    ASSERT_TRUE(extend);
    EXPECT_EQ(extend->sub(), 2U);
    EXPECT_EQ(extend->lease_ms(), 90'000U);
    EXPECT_EQ(*frame::read_runs(extend->ranges(), 10), (Ranges{{10, 1, 3}}));
    rig.wire->answer(v1::OP_EXTENDED, extend->req(), v1::Extended{});
    user.join();
    EXPECT_TRUE(outcome);
}

TEST(Subscription, FramesThatMakeNoSenseAreRefused) {
    Rig rig;
    rig.connect();
    rig.attach();
    EXPECT_EQ(rig.settled(1).error().code(), Code::kProtocol) << "nothing was sent";
    EXPECT_EQ(rig.settled(0, {1, 2}).error().code(), Code::kProtocol);
    EXPECT_EQ(rig.settled(0, {1, 2, 3}).error().code(), Code::kProtocol);
    EXPECT_EQ(rig.give(v1::OP_CONFIRM, v1::Confirm{}).error().code(), Code::kProtocol);
    v1::Deliver deliver;
    deliver.set_count(1);
    EXPECT_EQ(rig.give(v1::OP_DELIVER, deliver, {Slice{}, Slice{}}).error().code(), Code::kProtocol);
    v1::Recall recall;
    recall.add_ranges(1);
    EXPECT_EQ(rig.give(v1::OP_RECALL, recall).error().code(), Code::kProtocol);
}

TEST(Subscription, AMemoryQueueThatStartedAnewSaysLost) {
    Rig rig;
    rig.connect(false, 1, Durability::kMemory);
    rig.attach();
    rig.disconnect();
    rig.connect(true, 2, Durability::kMemory);
    rig.attach();
    EXPECT_EQ(rig.subscription->next(5s).error().code(), Code::kLost);
    Rig durable;
    durable.connect();
    durable.attach();
    durable.disconnect();
    durable.connect(true, 1);
    durable.attach();
    EXPECT_EQ(durable.subscription->next(0ms).error().code(), Code::kEmpty);
}

TEST(Subscription, MessagesOutliveEverything) {
    std::optional<Message> message;
    {
        Rig rig;
        rig.connect();
        rig.attach();
        ASSERT_TRUE(rig.deliver(1, 3));
        message.emplace(*rig.subscription->next(5s));
        Message failed = *rig.subscription->next(5s);
        EXPECT_TRUE(rig.subscription->close(0ms));
        EXPECT_EQ(failed.ack_confirmed().error().code(), Code::kStopped);
        rig.subscription->on_failed(Error(Code::kStopped, "the client was closed"));
        rig.wire.reset();
        rig.woken = false;
    }
    EXPECT_EQ(message->text(), "1");
    EXPECT_EQ(message->extend(1s).error().code(), Code::kStopped);
    message->ack();
    message.reset();
}

TEST(Subscription, FailureEndsEveryWait) {
    Rig rig;
    rig.connect();
    rig.attach();
    ASSERT_TRUE(rig.deliver(1, 2));
    Message message = *rig.subscription->next(5s);
    rig.subscription->next(5s)->ack();
    std::jthread flusher([&] { EXPECT_EQ(rig.subscription->flush(10s).error().code(), Code::kNotFound); });
    std::jthread taker([&] { EXPECT_EQ(rig.subscription->next(10s).error().code(), Code::kNotFound); });
    std::jthread acker([&] { EXPECT_EQ(message.ack_confirmed(10s).error().code(), Code::kNotFound); });
    rig.subscription->on_failed(Error(Code::kNotFound, "removed"));
}

TEST(Subscription, ALeaseWithoutEndIsTakenForTheLongestThereIs) {
    SkipClock clock;
    FakeWire wire;
    const Subscription::Options options{.prefetch = 0, .name = "test", .keep_leases = true};
    const auto subscription = std::make_shared<Subscription>(options, clock, [](Subscription&, bool) {});
    v1::Opened opened;
    opened.mutable_options()->set_lease_ms(UINT64_MAX / 3);
    subscription->on_connected(wire, {opened, false}, clock.now());
    const Instant due = subscription->do_work(clock.now());
    EXPECT_GT(due, clock.now());
    EXPECT_LT(due, clock.now() + limits::kNackDelayMax);
    subscription->stop();
}

TEST(Subscription, AChildOfForkIsRefused) {
    Rig rig;
    rig.connect();
    rig.attach();
    ASSERT_TRUE(rig.deliver(1, 2));
    Message message = *rig.subscription->next(5s);
    const pid_t child = fork();
    if (child == 0) {
        const bool refused = rig.subscription->next(0ms).error().code() == Code::kForked &&
                             rig.subscription->flush(0ms).error().code() == Code::kForked &&
                             message.ack_confirmed(0ms).error().code() == Code::kForked;
        _exit(refused && !rig.woken ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    message.ack();
    EXPECT_TRUE(rig.woken);
}

}  // namespace
}  // namespace telpher::consumer
