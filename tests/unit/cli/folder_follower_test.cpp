// Files moved into a folder as records, in order, and done with for good; every restart.
#include "producer/folder_follower.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "tests/support/temp_dir.h"

namespace telpher {
namespace {

namespace fs = std::filesystem;
using Records = std::vector<std::string>;

class FolderFollowerTest : public testing::Test {
protected:
    FolderFollowerTest() {
        fs::create_directory(folder());
        start(0);
    }
    void start(std::uint64_t stored, Framing framing = Framing::kWhole) {
        follower_ = std::make_unique<FolderFollower>(folder(), framing, FollowState(dir_.path() / "state", "owner"),
                                                     [this](const std::string& text) { notes_.push_back(text); });
        const auto loaded = follower_->load();
        ASSERT_TRUE(loaded) << loaded.error().message();
        ASSERT_TRUE(follower_->seek(stored));
    }
    Records read(std::size_t most = SIZE_MAX) {
        Records records;
        PutOptions put;
        while (records.size() < most) {
            const auto record = follower_->next(put);
            if (!record) {
                EXPECT_EQ(record.error().code(), Code::kEmpty) << record.error().message();
                break;
            }
            records.emplace_back(*record);
        }
        return records;
    }
    void add(const std::string& name, const std::string& text) const {
        std::ofstream(folder() + "/" + name, std::ios::binary) << text;
    }
    [[nodiscard]] std::string folder() const { return (dir_.path() / "in").string(); }
    [[nodiscard]] bool is_done(const std::string& name) const {
        return fs::exists(folder() + "/.done/" + name) && !fs::exists(folder() + "/" + name);
    }

    test::TempDir dir_;
    Records notes_;
    std::unique_ptr<FolderFollower> follower_;
};

TEST_F(FolderFollowerTest, FilesComeInTheOrderOfTheirNames) {
    add("b", "2");
    add("a", "1");
    EXPECT_EQ(read(), (Records{"1", "2"}));
    add("0", "3");
    EXPECT_EQ(read(), Records{"3"});
}

TEST_F(FolderFollowerTest, WhatIsNotCompleteIsNotTaken) {
    add(".a", "x");
    add("b.tmp", "x");
    add("c.part", "x");
    for (int i = 0; i < 1'001; ++i) fs::create_directory(folder() + "/d" + std::to_string(i));
    add("e", "");
    EXPECT_EQ(read(), Records{""});
}

TEST_F(FolderFollowerTest, WhatIsStoredIsMovedAndNothingElse) {
    add("a", "1");
    add("b", "2");
    read();
    ASSERT_TRUE(follower_->stored_below(1));
    EXPECT_FALSE(is_done("b"));
    ASSERT_TRUE(follower_->stored_below(2));
    EXPECT_TRUE(is_done("a"));
    EXPECT_TRUE(is_done("b"));
    add("a", "again");
    EXPECT_EQ(read(), Records{"again"});
    ASSERT_TRUE(follower_->stored_below(3));
    EXPECT_FALSE(fs::exists(folder() + "/a"));
}

TEST_F(FolderFollowerTest, ARestartGoesOnWithTheRecordTheBrokerWants) {
    add("a", "1");
    add("b", "2");
    EXPECT_EQ(read(1), Records{"1"});
    add("0", "3");  // comes later, although its name is lower
    for (std::uint64_t stored = 0; stored <= 3; ++stored) {
        start(stored);
        Records all{"1", "2", "3"};
        all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(stored));
        EXPECT_EQ(read(), all);
    }
    EXPECT_TRUE(notes_.empty());
}

TEST_F(FolderFollowerTest, ACrashBetweenMovingAndWritingDownLosesNothing) {
    add("a", "1");
    add("b", "2");
    add("c", "3");
    read();
    fs::copy_file(dir_.path() / "state", dir_.path() / "before");
    ASSERT_TRUE(follower_->stored_below(3));
    EXPECT_TRUE(is_done("c"));
    fs::rename(dir_.path() / "before", dir_.path() / "state");
    add("d", "4");
    start(3);
    EXPECT_EQ(read(), Records{"4"});
    EXPECT_TRUE(notes_.empty());
}

TEST_F(FolderFollowerTest, LinesOfAFileAreRecords) {
    start(0, Framing::kLines);
    add("a", "1\n2\n3");
    add("b", "");
    add("c", "4\n");
    EXPECT_EQ(read(2), (Records{"1", "2"}));
    ASSERT_TRUE(follower_->stored_below(2));
    for (std::uint64_t stored = 0; stored <= 4; ++stored) {
        start(stored, Framing::kLines);
        EXPECT_EQ(read().size(), 4 - stored);
    }
    ASSERT_TRUE(follower_->stored_below(4));
    EXPECT_TRUE(is_done("a"));
    EXPECT_TRUE(is_done("b"));
    EXPECT_TRUE(is_done("c"));
}

TEST_F(FolderFollowerTest, AHalfStoredFileStaysAndGoesOnAfterItsPredecessorsAreDone) {
    start(0, Framing::kLines);
    for (int i = 0; i < 70; ++i) add(std::to_string(100 + i), "x\ny\n");
    EXPECT_EQ(read(139).size(), 139U);
    ASSERT_TRUE(follower_->stored_below(139));
    EXPECT_TRUE(is_done("100"));
    EXPECT_FALSE(is_done("169"));
    start(139, Framing::kLines);
    EXPECT_EQ(read(), Records{"y"});
    add("200", "z\n");
    EXPECT_EQ(read(), Records{"z"});
    ASSERT_TRUE(follower_->stored_below(141));
    EXPECT_TRUE(is_done("169"));
    EXPECT_TRUE(is_done("200"));
    EXPECT_TRUE(notes_.empty());
}

TEST_F(FolderFollowerTest, AFileThatSomebodyTookAwayIsTold) {
    add("a", "1");
    add("b", "2");
    EXPECT_EQ(read(1), Records{"1"});
    fs::remove(folder() + "/b");
    EXPECT_EQ(read(), Records{});
    EXPECT_EQ(notes_.size(), 1U);
}

}  // namespace
}  // namespace telpher
