#include "proto/security/user_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "proto/security/key_file.h"
#include "tests/support/temp_dir.h"

namespace telpher::security {
namespace {

using testing::HasSubstr;

class UserFileTest : public testing::Test {
protected:
    void write(const std::string& name, const std::string& text) { std::ofstream(dir_.path() / name) << text; }
    static std::string key() { return make_key_pair().value().public_key; }
    std::string refusal() {
        const auto read = read_users(dir_.path());
        return read ? "" : read.error().detail();
    }

    test::TempDir dir_;
};

TEST_F(UserFileTest, what_is_written_is_read) {
    const UserFile alice{"alice", {key(), key()}, {{"jobs", "jobs.*"}, {"a?b{c}/d"}, {}}};
    const UserFile bob{"bob", {key()}, {{}, {}, {"*"}}, {.queues = 3, .messages = INT64_MAX, .bytes = UINT64_MAX}};
    write("bob.toml", format(bob));
    write("alice.toml", format(alice));
    write("alice.toml~", "no user");
    write(".alice.123", "no user");
    const auto users = read_users(dir_.path());
    ASSERT_TRUE(users) << users.error().message();
    EXPECT_EQ(*users, (std::vector{alice, bob}));
}

TEST_F(UserFileTest, mistakes_are_named_with_their_place) {
    const std::string good = "public_keys = [\"" + key() + "\"]\n";
    const std::vector<std::pair<std::string, std::string>> cases{
        {"", "public_keys is due"},
        {"public_keys = [\"short\"]\n", ":1:"},
        {good + "put = \"jobs\"\n", ":2:"},
        {good + "put = [1]\n", "list of texts"},
        {good + "gets = [\"jobs\"]\n", "unknown key 'gets'"},
        {good + "get = [\"jo bs\"]\n", "'jo bs' is no pattern"},
        {good + "admin = [\"\"]\n", "is no pattern"},
        {"public_keys = [\n", "x.toml:"},
        {good + "quota = 3\n", "[quota] is a table"},
        {good + "[quota]\nqueue = 3\n", "x.toml:3:9: unknown key 'queue'"},
        {good + "[quota]\nqueues = 0\n", "queues is a whole number from 1 on"},
        {good + "[quota]\nmessages = -1\n", "messages is a whole number"},
        {good + "[quota]\nmessages = \"1k\"\n", "messages is a whole number"},
        {good + "[quota]\nbytes = \"much\"\n", "or a size as"},
        {good + "[quota]\nbytes = 1.5\n", "bytes is a whole number"},
        {good + "[quota]\nbytes = 0\n", "x.toml:3:9: bytes is a whole number from 1 on"},
        {good + "[quota]\nbytes = \"0\"\n", "bytes is a whole number from 1 on"},
        {good + "[quota]\nqueues = true\n", "queues is a whole number"},
    };
    for (const auto& [text, why] : cases) {
        write("x.toml", text);
        EXPECT_THAT(refusal(), HasSubstr(why)) << text;
    }
    write("x.toml", good);
    EXPECT_EQ(refusal(), "");
    write("y.toml", good);
    EXPECT_THAT(refusal(), HasSubstr("x has the same key"));
}

TEST_F(UserFileTest, bytes_of_a_quota_may_have_a_unit) {
    write("x.toml", "public_keys = [\"" + key() + "\"]\n[quota]\nbytes = \"2GiB\"\n");
    const auto users = read_users(dir_.path());
    ASSERT_TRUE(users) << users.error().message();
    EXPECT_EQ(users->front().quota, (Quota{.queues = 0, .messages = 0, .bytes = 2ULL << 30}));
}

TEST_F(UserFileTest, an_absent_directory_is_an_error_and_an_empty_one_is_none) {
    EXPECT_EQ(read_users(dir_.path() / "absent").error().code(), Code::kConfig);
    EXPECT_TRUE(read_users(dir_.path()).value().empty());
}

TEST(UserName, is_a_file_name_without_surprises) {
    for (const char* good : {"a", "alice", "team-a.worker_7", "0"}) EXPECT_TRUE(legal_user_name(good)) << good;
    for (const char* bad : {"", ".", "..", ".hidden", "-x", "a/b", "a b", "uid:0", "\n"}) {
        EXPECT_FALSE(legal_user_name(bad)) << bad;
    }
    EXPECT_FALSE(legal_user_name(std::string(65, 'a')));
}

}  // namespace
}  // namespace telpher::security
