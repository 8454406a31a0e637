#include "producer/window.h"

#include <gtest/gtest.h>

namespace telpher::producer {
namespace {

using State = Window::Batch::State;

class WindowTest : public testing::Test {
protected:
    WindowTest() { window_.connected(1'000, 8); }

    void push(std::uint64_t first, std::uint32_t count, std::size_t bytes = 100) {
        window_.push({Slice::own(std::vector<std::byte>(bytes)), first, count, {}, State::kUnsent});
    }
    /// Sends all that may go; their first sequences.
    std::vector<std::uint64_t> send() {
        std::vector<std::uint64_t> sent;
        while (auto* batch = window_.next()) {
            sent.push_back(batch->first);
            window_.sent(*batch);
        }
        return sent;
    }
    Window window_;
};

TEST_F(WindowTest, SendsInOrder) {
    push(0, 10);
    push(10, 5);
    EXPECT_FALSE(window_.takes_new());
    EXPECT_EQ(send(), (std::vector<std::uint64_t>{0, 10}));
    EXPECT_TRUE(window_.takes_new());
    EXPECT_EQ(window_.size(), 2U);
    EXPECT_EQ(window_.bytes(), 200U);
}

TEST_F(WindowTest, ABatchLeavesWhenAllItsMessagesAreDecided) {
    push(0, 10);
    push(10, 5);
    send();
    window_.decided(9);
    EXPECT_EQ(window_.size(), 2U);
    EXPECT_EQ(window_.first(99), 0U);
    window_.decided(10);
    EXPECT_EQ(window_.size(), 1U);
    EXPECT_EQ(window_.first(99), 10U);
    window_.decided(15);
    EXPECT_TRUE(window_.empty());
    EXPECT_EQ(window_.first(99), 99U);
    EXPECT_EQ(window_.bytes(), 0U);
}

TEST_F(WindowTest, StartsABatchWhileBelowTheByteLimit) {
    push(0, 1, 999);
    push(1, 1, 500);
    push(2, 1, 1);
    EXPECT_EQ(send(), (std::vector<std::uint64_t>{0, 1}));
    EXPECT_FALSE(window_.takes_new());
    window_.raise_limit(1'499);
    EXPECT_TRUE(send().empty());
    window_.raise_limit(1'500);
    EXPECT_EQ(send(), (std::vector<std::uint64_t>{2}));
}

TEST_F(WindowTest, LimitsOnlyRise) {
    window_.raise_limit(10);
    push(0, 1, 500);
    push(1, 1, 500);
    EXPECT_EQ(send().size(), 2U);
}

TEST_F(WindowTest, KeepsToThePutsInFlight) {
    window_.connected(1'000'000, 2);
    push(0, 1);
    push(1, 1);
    push(2, 1);
    EXPECT_EQ(send(), (std::vector<std::uint64_t>{0, 1}));
    window_.decided(1);
    EXPECT_EQ(send(), (std::vector<std::uint64_t>{2}));
    EXPECT_FALSE(window_.takes_new());
    window_.decided(2);
    EXPECT_TRUE(window_.takes_new());
}

TEST_F(WindowTest, AParkedBatchStopsThoseBehind) {
    push(0, 10);
    EXPECT_EQ(send().size(), 1U);
    window_.parked(0);
    EXPECT_FALSE(window_.takes_new());
    push(10, 1);
    EXPECT_TRUE(send().empty());
    window_.decided(5);
    EXPECT_TRUE(send().empty()) << "the rest of it waits still";
    window_.decided(10);
    EXPECT_EQ(send(), (std::vector<std::uint64_t>{10}));
}

TEST_F(WindowTest, SendsAgainWhatTheBrokerAsksFor) {
    push(0, 10);
    push(10, 10);
    send();
    window_.parked(0);
    window_.parked(10);
    window_.asked(10);
    EXPECT_EQ(send(), (std::vector<std::uint64_t>{10}));
    EXPECT_FALSE(window_.takes_new()) << "the first waits still";
    window_.decided(20);
    EXPECT_TRUE(window_.takes_new());
}

TEST_F(WindowTest, ABatchAskedForCountsAgainstTheLimitAgain) {
    push(0, 1, 900);
    send();
    window_.parked(0);
    window_.asked(0);
    EXPECT_EQ(send().size(), 1U);
    window_.parked(0);
    window_.asked(0);
    EXPECT_TRUE(send().empty());
    window_.raise_limit(2'000);
    EXPECT_EQ(send().size(), 1U);
}

TEST_F(WindowTest, ANewConnectionSendsEverythingAgainInOrder) {
    push(0, 10, 600);
    push(10, 10, 600);
    EXPECT_EQ(send().size(), 2U);
    push(20, 1);
    window_.parked(10);
    window_.decided(10);
    window_.connected(5'000, 8);
    EXPECT_FALSE(window_.is_sent(10));
    EXPECT_EQ(send(), (std::vector<std::uint64_t>{10, 20}));
    EXPECT_TRUE(window_.is_sent(19));
    EXPECT_TRUE(window_.takes_new());
}

TEST_F(WindowTest, NewsOfUnknownBatchesChangeNothing) {
    push(0, 10);
    send();
    window_.parked(5);
    window_.asked(100);
    EXPECT_TRUE(window_.takes_new());
    EXPECT_TRUE(send().empty());
}

TEST_F(WindowTest, AskedBeforeItWasSentOnThisConnectionIsNoMatter) {
    push(0, 10);
    send();
    window_.connected(1'000, 8);
    window_.asked(0);
    EXPECT_EQ(send(), (std::vector<std::uint64_t>{0}));
    EXPECT_TRUE(window_.takes_new());
}

TEST_F(WindowTest, KnowsWhatWasSent) {
    push(0, 10);
    push(20, 10);
    send();
    EXPECT_TRUE(window_.is_sent(0));
    EXPECT_FALSE(window_.is_sent(10)) << "a hole";
    EXPECT_TRUE(window_.is_sent(29));
    EXPECT_FALSE(window_.is_sent(30));
}

}  // namespace
}  // namespace telpher::producer
