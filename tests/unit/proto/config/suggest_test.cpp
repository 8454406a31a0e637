#include "proto/config/suggest.h"

#include <gtest/gtest.h>

namespace telpher::config {
namespace {

TEST(Suggest, distances) {
    EXPECT_EQ(edit_distance("", ""), 0U);
    EXPECT_EQ(edit_distance("abc", ""), 3U);
    EXPECT_EQ(edit_distance("on_ful", "on_full"), 1U);
    EXPECT_EQ(edit_distance("lease", "laese"), 1U) << "neighbours that swapped are one mistake";
    EXPECT_EQ(edit_distance("level", "lever"), 1U);
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

TEST(Suggest, the_nearest_that_is_near_enough) {
    const std::vector<std::string> names{"max_messages", "max_bytes", "on_full"};
    EXPECT_EQ(suggest("on_ful", names), "on_full");
    EXPECT_EQ(suggest("max_message", names), "max_messages");
    EXPECT_EQ(suggest("maxbytes", names), "max_bytes");
    EXPECT_EQ(suggest("retry", names), "");
    EXPECT_EQ(suggest("", names), "");
}

}  // namespace
}  // namespace telpher::config
