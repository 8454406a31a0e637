// Who goes when too many have not said HELLO.
#include "broker/strangers.h"

#include <gtest/gtest.h>

namespace telpher::broker {
namespace {

using namespace std::chrono_literals;

class StrangersTest : public testing::Test {
protected:
    std::optional<int> add(int fd, const std::string& address) { return strangers_.add(fd, address, now_); }

    Instant now_{1'000'000'000};
    Strangers strangers_{StrangerLimits{.total = 5, .per_address = 3, .young = 1s}};
};

TEST_F(StrangersTest, one_address_has_its_limit) {
    for (int fd = 1; fd <= 3; ++fd) EXPECT_FALSE(add(fd, "a"));
    EXPECT_EQ(add(4, "a"), 4) << "all are young: the newcomer goes";
    EXPECT_FALSE(add(5, "b")) << "others are not concerned";
    now_ = now_ + 1s;
    EXPECT_EQ(add(6, "a"), 1) << "the oldest has had its time";
    EXPECT_EQ(add(7, "a"), 2);
    EXPECT_EQ(strangers_.size(), 4U);
}

TEST_F(StrangersTest, all_together_have_theirs) {
    for (int fd = 1; fd <= 5; ++fd) EXPECT_FALSE(add(fd, "address " + std::to_string(fd)));
    EXPECT_EQ(add(6, "x"), 6);
    now_ = now_ + 1s;
    EXPECT_EQ(add(7, "x"), 1);
    EXPECT_EQ(strangers_.size(), 5U);
}

TEST_F(StrangersTest, who_said_hello_or_left_counts_no_more) {
    for (int fd = 1; fd <= 3; ++fd) add(fd, "a");
    strangers_.remove(2);
    strangers_.remove(2);
    EXPECT_FALSE(add(4, "a"));
    EXPECT_EQ(strangers_.size(), 3U);
    EXPECT_FALSE(add(4, "b")) << "the descriptor is another connection's now";
    EXPECT_EQ(strangers_.size(), 3U);
    for (int fd = 1; fd <= 4; ++fd) strangers_.remove(fd);
    EXPECT_EQ(strangers_.size(), 0U);
}

}  // namespace
}  // namespace telpher::broker
