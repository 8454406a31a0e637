// Patterns, and what follows from them.
#include "broker/rights.h"

#include <gtest/gtest.h>

#include "broker/users.h"
#include "proto/base/clock.h"
#include "proto/security/key_file.h"

namespace telpher::broker {
namespace {

bool matches(const std::string& pattern, const std::string& queue) {
    return Rights({.put = {pattern}, .get = {}, .admin = {}}).on(queue).any_of(RightSet::kPut);
}

TEST(Pattern, star_is_any_text_and_question_mark_one_character) {
    EXPECT_TRUE(matches("jobs", "jobs"));
    EXPECT_FALSE(matches("jobs", "jobs2"));
    EXPECT_FALSE(matches("jobs", "Jobs"));
    EXPECT_FALSE(matches("jobs", "a.jobs"));
    EXPECT_TRUE(matches("jobs.*", "jobs."));
    EXPECT_TRUE(matches("jobs.*", "jobs.a/b.c"));
    EXPECT_FALSE(matches("jobs.*", "jobs"));
    EXPECT_FALSE(matches("jobs.*", "jobsxa")) << "a dot is a dot";
    EXPECT_TRUE(matches("*", "anything/at.all{x}"));
    EXPECT_TRUE(matches("*.dead", "a.b.dead"));
    EXPECT_TRUE(matches("t?m", "tom"));
    EXPECT_FALSE(matches("t?m", "tm"));
    EXPECT_TRUE(matches("{a}-*", "{a}-1")) << "braces are themselves";
    EXPECT_TRUE(matches("a*b*c", "a1b2c"));
    EXPECT_FALSE(matches("a*b*c", "a1b2"));
}

TEST(Pattern, no_name_takes_long) {
    const std::string stars = "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b";
    const Instant begin = system_clock().now();
    EXPECT_FALSE(matches(stars, std::string(255, 'a')));
    EXPECT_FALSE(matches(stars, std::string(64 * 1024, 'a'))) << "what no queue can be called";
    EXPECT_LT(system_clock().now() - begin, std::chrono::seconds(1));
}

TEST(Rights, are_what_some_rule_allows_and_nothing_else) {
    const Rights rights({.put = {"jobs", "logs.*"}, .get = {"jobs"}, .admin = {"mine.*"}});
    EXPECT_EQ(rights.on("jobs"), RightSet(RightSet::kPut | RightSet::kGet));
    EXPECT_EQ(rights.on("logs.a"), RightSet(RightSet::kPut));
    EXPECT_EQ(rights.on("mine.x"), RightSet(RightSet::kAll)) << "admin is everything";
    EXPECT_TRUE(rights.on("other").empty());
    EXPECT_TRUE(rights.administers());
    EXPECT_FALSE(Rights(security::Rules{}).administers());
    EXPECT_TRUE(Rights(security::Rules{}).on("jobs").empty());
    EXPECT_EQ(Rights::all().on("x"), RightSet(RightSet::kAll));
}

TEST(RightSet, says_what_was_lost) {
    const RightSet both(RightSet::kPut | RightSet::kGet);
    EXPECT_EQ(both.without(RightSet(RightSet::kGet)), RightSet(RightSet::kPut));
    EXPECT_TRUE(both.without(RightSet(RightSet::kAll)).empty());
    EXPECT_FALSE(both.any_of(RightSet::kAdmin));
}

TEST(Users, are_found_by_key_and_by_name) {
    const std::string one = security::make_key_pair()->public_key;
    const std::string two = security::make_key_pair()->public_key;
    const Users users(std::vector<security::UserFile>{{"alice", {one, two}, {{"jobs"}, {}, {}}}});
    EXPECT_EQ(*users.find(security::decode_key(one).value()), "alice");
    EXPECT_EQ(*users.find(security::decode_key(two).value()), "alice");
    EXPECT_EQ(users.find(std::string(32, '\0')), nullptr);
    EXPECT_TRUE(users.rights_of("alice")->on("jobs").any_of(RightSet::kPut));
    EXPECT_EQ(users.rights_of("bob"), nullptr);
    EXPECT_EQ(Users().rights_of("bob"), nullptr) << "where no keys are, nobody has a name";
}

TEST(Users, who_needs_no_key_may_do_everything) {
    const Users users(std::vector<security::UserFile>{});
    EXPECT_EQ(Users::local_user("localhost:1000:100:4711"), "uid:1000");
    EXPECT_EQ(Users::local_user("127.0.0.1"), "");
    EXPECT_EQ(Users::local_user("::1"), "");
    EXPECT_EQ(users.rights_of("uid:1000")->on("jobs"), RightSet(RightSet::kAll));
    EXPECT_EQ(users.rights_of("")->on("jobs"), RightSet(RightSet::kAll));
}

}  // namespace
}  // namespace telpher::broker
