#include "proto/config/secret_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "tests/support/temp_dir.h"

namespace telpher::config {
namespace {

using testing::HasSubstr;

class SecretFile : public testing::Test {
protected:
    SecretFile() : file_(dir_.path() / "key") {
        std::ofstream(file_) << "secret";
        mode(0600);
    }
    ~SecretFile() override { ::unsetenv("CREDENTIALS_DIRECTORY"); }
    void mode(mode_t mode) const { ASSERT_EQ(::chmod(file_.c_str(), mode), 0); }

    test::TempDir dir_;
    std::filesystem::path file_;
};

TEST_F(SecretFile, its_owners_alone) {
    EXPECT_EQ(*check_secret_file(file_), file_.string());
    for (const mode_t others : {0640U, 0604U, 0620U, 0601U}) {
        mode(others);
        const auto checked = check_secret_file(file_);
        ASSERT_FALSE(checked) << std::oct << others;
        EXPECT_THAT(checked.error().detail(), HasSubstr("chmod 600"));
    }
}

TEST_F(SecretFile, a_file_that_is_there) {
    EXPECT_THAT(check_secret_file(dir_.path() / "absent").error().detail(), HasSubstr("No such file"));
    EXPECT_THAT(check_secret_file(dir_.path()).error().detail(), HasSubstr("no regular file"));
}

TEST_F(SecretFile, variables_in_its_path) {
    ::setenv("CREDENTIALS_DIRECTORY", dir_.path().c_str(), 1);
    EXPECT_EQ(*check_secret_file("${CREDENTIALS_DIRECTORY}/key"), file_.string());
    EXPECT_THAT(check_secret_file("${TELPHER_TEST_UNSET}/key").error().detail(), HasSubstr("$TELPHER_TEST_UNSET"));
    EXPECT_THAT(check_secret_file("${CREDENTIALS_DIRECTORY").error().detail(), HasSubstr("lacks a }"));
}

TEST_F(SecretFile, what_systemd_hands_over_is_guarded_by_its_folder) {
    mode(0440);
    ::setenv("CREDENTIALS_DIRECTORY", dir_.path().c_str(), 1);
    EXPECT_TRUE(check_secret_file("${CREDENTIALS_DIRECTORY}/key"));
    ::setenv("CREDENTIALS_DIRECTORY", (dir_.path() / "other").c_str(), 1);
    std::filesystem::create_directory(dir_.path() / "other");
    EXPECT_FALSE(check_secret_file("${CREDENTIALS_DIRECTORY}/../key"));
}

}  // namespace
}  // namespace telpher::config
