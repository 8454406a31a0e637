#include "proto/security/key_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/support/temp_dir.h"

namespace telpher::security {
namespace {

using testing::HasSubstr;

class KeyFileTest : public testing::Test {
protected:
    std::filesystem::path write(const std::string& text, unsigned mode = 0600) {
        const auto path = dir_.path() / ("file" + std::to_string(++files_));
        EXPECT_TRUE(write_new_file(path, text, mode));
        return path;
    }
    /// Why the file is refused; empty if it is not.
    static std::string refusal(const std::filesystem::path& path) {
        const auto read = read_key_file(path);
        if (read) return {};
        EXPECT_EQ(read.error().code(), Code::kConfig);
        return read.error().detail();
    }

    test::TempDir dir_;
    int files_ = 0;
    const KeyPair pair_ = make_key_pair().value();
    const KeyPair server_ = make_key_pair().value();
};

TEST_F(KeyFileTest, pairs_are_new_each_time_and_z85) {
    EXPECT_NE(pair_.public_key, server_.public_key);
    EXPECT_NE(pair_.public_key, pair_.secret_key);
    EXPECT_EQ(decode_key(pair_.public_key)->size(), kKeyBytes);
    for (const std::string bad :
         {"", "short", "\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\""}) {
        EXPECT_FALSE(decode_key(bad)) << bad;
    }
    EXPECT_FALSE(decode_key(pair_.public_key + "a"));
}

TEST_F(KeyFileTest, what_is_written_is_read) {
    const auto path = write(format({pair_, server_.public_key}, "Key of alice."));
    const auto read = read_key_file(path);
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(read->pair.public_key, pair_.public_key);
    EXPECT_EQ(read->pair.secret_key, pair_.secret_key);
    EXPECT_EQ(read->server_public, server_.public_key);
    EXPECT_EQ(read_public_key(path).value(), pair_.public_key);
    const auto own = read_key_file(write(format({server_, ""}, "Key of a broker.")));
    ASSERT_TRUE(own);
    EXPECT_EQ(own->server_public, "");
    EXPECT_EQ(read_public_key(write(format_public(server_.public_key, "x"), 0644)).value(), server_.public_key);
}

TEST_F(KeyFileTest, no_key_is_written_over) {
    const auto path = write("precious");
    const auto again = write_new_file(path, "other", 0600);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code(), Code::kConfig);
    std::ifstream file(path);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "precious");
}

TEST_F(KeyFileTest, a_secret_that_others_can_read_is_refused) {
    const std::string text = format({pair_, server_.public_key}, "x");
    struct stat status {};
    ASSERT_EQ(::stat(write(text).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U);
    for (const unsigned mode : {0640U, 0604U, 0620U, 0610U, 0666U}) {
        EXPECT_THAT(refusal(write(text, mode)), HasSubstr("chmod 600")) << mode;
    }
    EXPECT_EQ(refusal(write(text, 0400)), "");
}

TEST_F(KeyFileTest, a_credential_of_systemd_may_show_the_right_of_a_group) {
    const std::string text = format({pair_, ""}, "x");
    ASSERT_EQ(::setenv("CREDENTIALS_DIRECTORY", dir_.path().c_str(), 1), 0);
    EXPECT_EQ(refusal(write(text, 0440)), "");
    EXPECT_THAT(refusal(write(text, 0444)), HasSubstr("chmod"));
    EXPECT_THAT(refusal(write(text, 0460)), HasSubstr("chmod"));
    ::unsetenv("CREDENTIALS_DIRECTORY");
}

TEST_F(KeyFileTest, mistakes_are_named_with_their_place) {
    EXPECT_THAT(refusal(dir_.path() / "absent"), HasSubstr("No such file"));
    EXPECT_THAT(refusal(dir_.path()), HasSubstr("not a regular file"));
    EXPECT_THAT(refusal(write("")), HasSubstr("[key]"));
    EXPECT_THAT(refusal(write("[key\n")), HasSubstr(":1:"));
    EXPECT_THAT(refusal(write("[key]\npublic = \"x\"\n")), HasSubstr(":2:"));
    EXPECT_THAT(refusal(write("[key]\npublic = 5\nsecret = \"\"\n")), HasSubstr("public"));
    EXPECT_THAT(refusal(write(format({pair_, ""}, "x") + "[sever]\n")), HasSubstr("unknown key 'sever'"));
    EXPECT_THAT(refusal(write(format({{pair_.public_key, server_.secret_key}, ""}, "x"))),
                HasSubstr("do not belong together"));
    EXPECT_THAT(refusal(write(std::string(100'000, '#'))), HasSubstr("64 KiB"));
}

TEST_F(KeyFileTest, no_error_shows_the_secret) {
    EXPECT_THAT(refusal(write("[key]\npublic = \"x\"\nsecret = \"" + pair_.secret_key + "\"\n")),
                testing::Not(HasSubstr(pair_.secret_key)));
    EXPECT_THAT(refusal(write(format({{server_.public_key, pair_.secret_key}, ""}, "x"))),
                testing::Not(HasSubstr(pair_.secret_key)));
}

}  // namespace
}  // namespace telpher::security
