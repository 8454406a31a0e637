#include "consumer/exit_map.h"

#include <gtest/gtest.h>

namespace telpher {
namespace {

TEST(ExitMap, IsTheOneOfTheHandlerContract) {
    const ExitMap map;
    EXPECT_EQ(map.action(0), Action::kAck);
    for (const int status : {75, 111}) EXPECT_EQ(map.action(status), Action::kRetry) << status;
    EXPECT_EQ(map.action(69), Action::kPause);
    for (const int status : {65, 100}) EXPECT_EQ(map.action(status), Action::kDead) << status;
    for (const int status : {126, 127}) EXPECT_EQ(map.action(status), Action::kBroken) << status;
    for (const int status : {1, 2, 64, 66, 68, 70, 99, 101, 125, 128, 255})
        EXPECT_EQ(map.action(status), Action::kFail) << status;
}

TEST(ExitMap, CanBeChanged) {
    ExitMap map;
    ASSERT_TRUE(map.change("3=dead,4=retry,5=release"));
    ASSERT_TRUE(map.change("0=fail"));
    ASSERT_TRUE(map.change("127=fail,69=ack,6=pause"));
    EXPECT_EQ(map.action(3), Action::kDead);
    EXPECT_EQ(map.action(4), Action::kRetry);
    EXPECT_EQ(map.action(5), Action::kRelease);
    EXPECT_EQ(map.action(0), Action::kFail);
    EXPECT_EQ(map.action(127), Action::kFail);
    EXPECT_EQ(map.action(69), Action::kAck);
    EXPECT_EQ(map.action(6), Action::kPause);
    EXPECT_EQ(map.action(75), Action::kRetry);
}

TEST(ExitMap, RefusesWhatMakesNoSense) {
    for (const char* text : {"3", "=dead", "3=", "3=deadly", "256=dead", "-1=dead", "x=dead", "3=broken", "3=dead,,"}) {
        ExitMap map;
        EXPECT_EQ(map.change(text).error().code(), Code::kUsage) << text;
    }
}

}  // namespace
}  // namespace telpher
