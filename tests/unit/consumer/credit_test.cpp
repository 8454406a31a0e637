#include "consumer/credit.h"

#include <gtest/gtest.h>

namespace telpher::consumer {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1'000'000'000};

TEST(Credit, AsksForOneMessageBeforeAnybodyWaitsIfEager) {
    Credit eager(0, true);
    const auto limits = eager.raise({}, kStart);
    ASSERT_TRUE(limits);
    EXPECT_EQ(limits->messages, 1U);
    EXPECT_EQ(limits->bytes, Credit::kBufferBytes);
    EXPECT_FALSE(eager.raise({}, kStart)) << "said once is enough";

    Credit lazy(0, false);
    EXPECT_FALSE(lazy.raise({}, kStart));
    EXPECT_EQ(lazy.raise({.waiting = 3}, kStart)->messages, 3U);
}

// One handler thread: a message is taken, handled for `each`, acked; returns the most messages it ever held or might be
// sent.
std::uint64_t most_held(Duration each, int messages) {
    Credit credit(0, true);
    Load load{.waiting = 1};
    Instant now = kStart;
    std::uint64_t most = 0;
    const auto turn = [&] {
        (void)credit.raise(load, now);
        load.buffered += credit.granted().messages - load.delivered;  // the broker has plenty
        load.delivered = credit.granted().messages;
        most = std::max(most, load.buffered + load.handled);
    };
    for (int i = 0; i < messages; ++i) {
        load.waiting = 1;
        turn();
        load.waiting = 0;
        --load.buffered;
        load.handled = 1;
        turn();
        now = now + each;
        load.handled = 0;
        credit.settled(1, now);
        turn();
    }
    return most;
}

TEST(Credit, SlowHandlerHoldsNothingBack) {
    EXPECT_LE(most_held(25ms, 50), 2U);
    EXPECT_LE(most_held(1s, 50), 2U);
}

TEST(Credit, FastHandlerHoldsWhatItHandlesInTheWindow) {
    EXPECT_GE(most_held(1us, 100'000), 10'000U);
    EXPECT_LE(most_held(1us, 200'000), 21'000U);
    EXPECT_LE(most_held(1ms, 1'000), 22U);
}

TEST(Credit, DoublesWithEveryRoundTrip) {
    Credit credit(0, true);
    Load load{.waiting = 1};
    Instant now = kStart;
    int rounds = 0;
    for (; credit.granted().messages < 10'000 && rounds < 30; ++rounds) {
        (void)credit.raise(load, now);
        now = now + 200us;  // all that was granted came, was handled at once and settled
        credit.settled(credit.granted().messages - load.delivered, now);
        load.delivered = credit.granted().messages;
    }
    EXPECT_LT(rounds, 20);
}

TEST(Credit, FixedPrefetchCountsWhatIsHandled) {
    Credit credit(10, true);
    EXPECT_EQ(credit.raise({}, kStart)->messages, 10U);
    EXPECT_FALSE(credit.low({.delivered = 10, .buffered = 8, .handled = 2}));
    EXPECT_FALSE(credit.raise({.delivered = 10, .handled = 10, .waiting = 1}, kStart)) << "ten are out already";
    EXPECT_TRUE(credit.low({.delivered = 10, .handled = 5}));
    EXPECT_EQ(credit.raise({.delivered = 10, .handled = 5}, kStart)->messages, 15U);
}

TEST(Credit, AsksForNoMoreThanWillBeTaken) {
    Credit adaptive(0, true);
    adaptive.settled(100, kStart);
    EXPECT_EQ(adaptive.raise({.waiting = 8, .takes_left = 5}, kStart)->messages, 5U);
    EXPECT_FALSE(adaptive.raise({.delivered = 5, .buffered = 5, .waiting = 3, .takes_left = 5}, kStart));
    EXPECT_FALSE(adaptive.low({.delivered = 5, .buffered = 2, .waiting = 8, .takes_left = 2}));
    EXPECT_FALSE(adaptive.raise({.delivered = 5, .handled = 5, .waiting = 3, .takes_left = 0}, kStart));
    // Asked back by the broker: another one is wanted for it.
    EXPECT_EQ(adaptive.raise({.delivered = 5, .buffered = 1, .waiting = 2, .takes_left = 2}, kStart)->messages, 6U);

    Credit fixed(10, true);
    EXPECT_EQ(fixed.raise({.takes_left = 3}, kStart)->messages, 3U);
}

TEST(Credit, WaitingThreadsAreServedWithoutVerdicts) {
    Credit credit(0, true);
    Load load{.waiting = 1};
    for (std::uint64_t taken = 0; taken < 1000; ++taken) {  // collects a thousand messages before the first verdict
        ASSERT_TRUE(taken == 0 || credit.low(load));
        ASSERT_TRUE(credit.raise(load, kStart));
        ASSERT_GT(credit.granted().messages, load.delivered);
        ++load.delivered;
        ++load.handled;
    }
}

TEST(Credit, NeverMoreThanTheLimitOutstanding) {
    Credit credit(0, true);
    credit.settled(10'000'000, kStart);
    const Load load{.delivered = 100, .buffered = 40, .handled = 60, .waiting = 1};
    const auto limits = credit.raise(load, kStart);
    EXPECT_EQ(limits->messages - load.delivered + load.buffered + load.handled, limits::kCreditMessagesMax);
    EXPECT_FALSE(
        credit.raise({.delivered = limits->messages, .handled = limits::kCreditMessagesMax, .waiting = 1}, kStart));
    Credit fixed(4'000'000, true);
    EXPECT_EQ(fixed.raise({}, kStart)->messages, limits::kCreditMessagesMax);
}

TEST(Credit, BytesBoundWhatIsBuffered) {
    Credit credit(1000, true);
    EXPECT_EQ(credit.raise({}, kStart)->bytes, Credit::kBufferBytes);
    Load load{
        .delivered = 4, .delivered_bytes = Credit::kBufferBytes, .buffered = 4, .buffered_bytes = Credit::kBufferBytes};
    EXPECT_FALSE(credit.raise(load, kStart));
    load = {.delivered = 4, .delivered_bytes = Credit::kBufferBytes, .handled = 4};
    EXPECT_TRUE(credit.low(load));
    EXPECT_EQ(credit.raise(load, kStart)->bytes, 2 * Credit::kBufferBytes);
    load = {.delivered = 5, .delivered_bytes = 6 * Credit::kBufferBytes, .handled = 5};  // one very large message
    EXPECT_EQ(credit.raise(load, kStart)->bytes, 7 * Credit::kBufferBytes);
}

TEST(Credit, LimitsNeverFallUntilANewAttachment) {
    Credit credit(0, true);
    credit.settled(500, kStart);
    const auto high = credit.raise({.waiting = 1}, kStart);
    EXPECT_EQ(high->messages, 500U);
    EXPECT_FALSE(credit.raise({.waiting = 1}, kStart + 1s)) << "what was granted stays granted";
    EXPECT_EQ(credit.granted(), *high);
    credit.restart();
    EXPECT_EQ(credit.raise({.waiting = 1}, kStart + 1s)->messages, 1U);
}

}  // namespace
}  // namespace telpher::consumer
