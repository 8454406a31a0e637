// A file that grows, is rotated and is cut, as one row of records, step by step; and every restart of the follower,
// with an old, a new or no state file.
#include "producer/file_follower.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <tuple>
#include <vector>

#include "proto/base/random.h"
#include "tests/support/seed.h"
#include "tests/support/temp_dir.h"

namespace telpher {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using Records = std::vector<std::string>;

class StepClock final : public Clock {
public:
    [[nodiscard]] Instant now() const override { return now_; }
    [[nodiscard]] WallTime wall() const override { return {}; }
    void advance(Duration time) { now_ = now_ + time; }

private:
    Instant now_{1'000'000'000'000};
};

class FileFollowerTest : public testing::Test {
protected:
    FileFollowerTest() { start(0); }

    /// A follower as a program that is started again has it; `stored`: what the broker says.
    void start(std::uint64_t stored) {
        FollowState state(state_path(), "owner");
        follower_ = std::make_unique<FileFollower>(log(), '\n', std::move(state), clock_,
                                                   [this](const std::string& text) { notes_.push_back(text); });
        const auto loaded = follower_->load();
        ASSERT_TRUE(loaded) << loaded.error().message();
        const auto there = follower_->seek(stored);
        ASSERT_TRUE(there) << there.error().message();
    }
    /// All that is there now.
    Records read() {
        Records records;
        PutOptions put;
        for (;;) {
            const auto record = follower_->next(put);
            if (!record) {
                EXPECT_EQ(record.error().code(), Code::kEmpty) << record.error().message();
                return records;
            }
            records.emplace_back(*record);
        }
    }
    Records read(std::size_t count) {
        Records records;
        PutOptions put;
        while (records.size() < count) {
            const auto record = follower_->next(put);
            if (!record) break;
            records.emplace_back(*record);
        }
        return records;
    }
    void write(const std::string& text) const { write(log(), text); }
    static void write(const std::string& path, const std::string& text) {
        std::ofstream(path, std::ios::app | std::ios::binary) << text;
    }
    /// As logrotate does: the older ones move up, and a new one is there.
    void rotate(bool make = true) const {
        for (int i = 60; i > 0; --i) {
            if (fs::exists(log() + "." + std::to_string(i)))
                fs::rename(log() + "." + std::to_string(i), log() + "." + std::to_string(i + 1));
        }
        fs::rename(log(), log() + ".1");
        if (make) write("");
    }
    void cut() const { fs::resize_file(log(), 0); }
    [[nodiscard]] std::string log() const { return (dir_.path() / "app.log").string(); }
    [[nodiscard]] std::string state_path() const { return (dir_.path() / "state").string(); }

    test::TempDir dir_;
    StepClock clock_;
    Records notes_;
    std::unique_ptr<FileFollower> follower_;
};

TEST_F(FileFollowerTest, LinesComeAsTheyAreWritten) {
    EXPECT_EQ(read(), Records{}) << "it is not there yet";
    write("a\nb\n");
    EXPECT_EQ(read(), (Records{"a", "b"}));
    EXPECT_EQ(read(), Records{});
    write("\nc\n");
    EXPECT_EQ(read(), (Records{"", "c"}));
    EXPECT_TRUE(notes_.empty());
}

TEST_F(FileFollowerTest, ALastLineWaitsForItsEnd) {
    write("a\nhal");
    EXPECT_EQ(read(), Records{"a"});
    write("f");
    EXPECT_EQ(read(), Records{});
    write("\n");
    EXPECT_EQ(read(), Records{"half"});
}

TEST_F(FileFollowerTest, ARotatedFileIsReadToItsEndFirst) {
    write("a\n");
    EXPECT_EQ(read(), Records{"a"});
    write("b\n");
    rotate();
    EXPECT_EQ(read(), Records{"b"}) << "the new one is empty: its writer may still write to the old one";
    write(log() + ".1", "c\n");
    EXPECT_EQ(read(), Records{"c"});
    write(log() + ".1", "d\nlast");
    write("e\n");
    EXPECT_EQ(read(), (Records{"d", "last", "e"}));
}

TEST_F(FileFollowerTest, ARotatedFileWithoutANewOneIsReadOn) {
    write("a\n");
    rotate(false);
    EXPECT_EQ(read(), Records{}) << "under a name that is not followed yet";
    write("b\n");
    EXPECT_EQ(read(), Records{"b"});
}

TEST_F(FileFollowerTest, NoRotationBetweenTwoLooksIsMissed) {
    write("a\n");
    EXPECT_EQ(read(), Records{"a"});
    for (const char* text : {"b\n", "c\n", "d\n"}) {
        rotate();
        write(text);
    }
    EXPECT_EQ(read(), (Records{"b", "c", "d"}));
    rotate();
    rotate();
    write("e\n");
    EXPECT_EQ(read(), Records{"e"}) << "over one that stayed empty";
}

TEST_F(FileFollowerTest, OlderRotatedFilesAreNotRecords) {
    write(log() + ".1", "old\n");
    write(log() + ".2.gz", "older\n");
    write("a\n");
    EXPECT_EQ(read(), Records{"a"});
    rotate();
    write("b\n");
    EXPECT_EQ(read(), Records{"b"});
}

TEST_F(FileFollowerTest, ACutFileIsReadFromItsBeginning) {
    write("a\nb\nc\n");
    EXPECT_EQ(read(), (Records{"a", "b", "c"}));
    cut();
    EXPECT_EQ(read(), Records{});
    write("d\n");
    EXPECT_EQ(read(), Records{"d"});
}

TEST_F(FileFollowerTest, ACutFileThatGrewBeyondWhatItWasIsRecognised) {
    write("a\nb\n");
    EXPECT_EQ(read(), (Records{"a", "b"}));
    cut();
    write("something else and longer\nd\n");
    EXPECT_EQ(read(), (Records{"something else and longer", "d"}));
}

/// A beginning that every file of a kind has, longer than what tells files apart.
const std::string kBanner(300, '#');

TEST_F(FileFollowerTest, ACutFileWithTheSameBeginningIsRecognisedByItsEnd) {
    write(kBanner + "\na\nb\n");
    EXPECT_EQ(read(), (Records{kBanner, "a", "b"}));
    cut();
    write(kBanner + "\nc\nd\ne\n");
    EXPECT_EQ(read(), (Records{kBanner, "c", "d", "e"}));
}

TEST_F(FileFollowerTest, ACutWhileNobodyLookedIsRecognisedToo) {
    write(kBanner + "\na\nb\n");
    EXPECT_EQ(read().size(), 3U);
    EXPECT_EQ(read().size(), 0U);
    clock_.advance(2s);
    std::string many;
    for (int i = 0; i < 300; ++i) many += std::to_string(i) + "\n";  // a place to begin is noted among them
    write(many);
    EXPECT_EQ(read().size(), 300U);
    ASSERT_TRUE(follower_->stored_below(303));
    ASSERT_TRUE(follower_->save());
    cut();
    write(kBanner + "\n");
    for (int i = 0; i < 400; ++i) write("x" + std::to_string(i) + "\n");
    start(303);
    const Records again = read();
    ASSERT_EQ(again.size(), 401U) << "all of it is new";
    EXPECT_EQ(again[1], "x0");
}

TEST_F(FileFollowerTest, WhatOnlyLooksLikeARotatedFileIsNone) {
    write("a\n");
    EXPECT_EQ(read(), Records{"a"});
    for (const char* name : {".swp", ".state", ".1.gz", "-notes", ".new"}) write(log() + name, "no record\n");
    EXPECT_EQ(read(), Records{});
    fs::rename(log(), log() + "-20260131");
    write("b\n");
    EXPECT_EQ(read(), Records{"b"});
}

TEST_F(FileFollowerTest, WhatIsNoFileIsWaitedForWithAWord) {
    fs::create_directory(log());
    EXPECT_EQ(read(), Records{});
    EXPECT_EQ(read(), Records{});
    EXPECT_EQ(notes_.size(), 1U);
    fs::remove(log());
    write("a\n");
    EXPECT_EQ(read(), Records{"a"});
}

TEST_F(FileFollowerTest, AReplacedFileIsANewOne) {
    write("a\n");
    EXPECT_EQ(read(), Records{"a"});
    write(log() + "x", "b\n");
    fs::rename(log() + "x", log());
    EXPECT_EQ(read(), Records{"b"});
}

TEST_F(FileFollowerTest, ARestartGoesOnWithTheRecordTheBrokerWants) {
    write("a\nb\nc\nd\n");
    EXPECT_EQ(read().size(), 4U);
    for (std::uint64_t stored = 0; stored <= 4; ++stored) {
        start(stored);
        EXPECT_EQ(read().size(), 4 - stored);
    }
    EXPECT_TRUE(notes_.empty());
}

TEST_F(FileFollowerTest, ARestartFindsTheFilesByWhatTheyAre) {
    write("a\nb\n");
    EXPECT_EQ(read().size(), 2U);
    rotate();
    write("c\n");
    EXPECT_EQ(read().size(), 1U);
    rotate();
    rotate();
    write("d\n");  // never seen before
    for (std::uint64_t stored = 0; stored <= 4; ++stored) {
        start(stored);
        Records all{"a", "b", "c", "d"};
        all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(stored));
        EXPECT_EQ(read(), all);
    }
    EXPECT_TRUE(notes_.empty());
}

TEST_F(FileFollowerTest, ALineWithoutEndAtARotationStaysARecord) {
    write("a\nlast");
    EXPECT_EQ(read(), Records{"a"});
    rotate();
    write("b\n");
    EXPECT_EQ(read(1), Records{"last"});
    start(2);
    EXPECT_EQ(read(), Records{"b"});
    start(1);
    EXPECT_EQ(read(), (Records{"last", "b"}));
}

TEST_F(FileFollowerTest, AnOldStateFileIsAsGood) {
    write("a\n");
    EXPECT_EQ(read().size(), 1U);
    fs::copy_file(state_path(), state_path() + ".old");
    rotate();
    write("b\nc\n");
    EXPECT_EQ(read().size(), 2U);
    rotate();
    write("d\n");
    EXPECT_EQ(read().size(), 1U);
    fs::rename(state_path() + ".old", state_path());
    start(3);
    EXPECT_EQ(read(), Records{"d"});
}

TEST_F(FileFollowerTest, WithoutAStateFileTheFileIsCounted) {
    write("a\nb\nc\n");
    EXPECT_EQ(read().size(), 3U);
    fs::remove(state_path());
    start(2);
    EXPECT_EQ(read(), Records{"c"});
    EXPECT_EQ(notes_.size(), 1U);
}

TEST_F(FileFollowerTest, WithoutAStateFileAShorterFileIsRefused) {
    write("a\n");
    FileFollower other(log(), '\n', FollowState(state_path() + "2", "owner"), clock_, [](const std::string&) {});
    EXPECT_EQ(other.seek(2).error().code(), Code::kIo);
}

TEST_F(FileFollowerTest, AnotherProducersStateFileIsRefused) {
    write("a\n");
    read();
    FollowState other(state_path(), "another");
    EXPECT_EQ(other.load().error().code(), Code::kConfig);
    std::ofstream(state_path()) << "{}";
    EXPECT_EQ(FollowState(state_path(), "owner").load().error().code(), Code::kConfig);
}

TEST_F(FileFollowerTest, AStateFileWithNumbersThatAreNoneIsRefused) {
    write("a\n");
    read();
    std::ifstream in(state_path());
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const std::size_t at = text.find("\"offset\": ") + 10;
    ASSERT_GT(at, 10U);
    for (const char* number : {"1e300", "-1", "0.5", "18446744073709551616", "\"0\"", "null"}) {
        std::string wrong = text;
        std::ofstream(state_path()) << wrong.replace(at, wrong.find_first_of(",\n}", at) - at, number);
        EXPECT_EQ(FollowState(state_path(), "owner").load().error().code(), Code::kConfig) << number;
    }
}

TEST_F(FileFollowerTest, CheckpointsSpareReadingFromTheBeginning) {
    std::string text;
    for (int i = 0; i < 2'000; ++i) text += std::to_string(i) + "\n";
    write(text);
    EXPECT_EQ(read().size(), 2'000U);
    clock_.advance(2s);
    ASSERT_TRUE(follower_->stored_below(1'500));
    FollowState state(state_path(), "owner");
    ASSERT_TRUE(state.load());
    EXPECT_EQ(state.files.back().record, 1'280U);
    EXPECT_EQ(text.substr(state.files.back().offset, 5), "1280\n");
    for (const std::uint64_t stored : {0U, 100U, 1'280U, 1'500U, 2'000U}) {
        start(stored);
        const Records rest = read();
        ASSERT_EQ(rest.size(), 2'000 - stored);
        if (stored < 2'000) {
            EXPECT_EQ(rest.front(), std::to_string(stored));
        }
    }
}

TEST_F(FileFollowerTest, WhatWasRotatedAwayUnreadIsToldAndTheRestGoesOn) {
    write("a\nb\n");
    EXPECT_EQ(read().size(), 2U);
    fs::remove(log());
    write("c\n");
    start(1);
    EXPECT_EQ(read(), Records{"c"});
    EXPECT_EQ(notes_.size(), 1U);
    start(2);
    EXPECT_EQ(read(), Records{}) << "c is record 1 now";
}

TEST_F(FileFollowerTest, ACopyMadeBeforeACutWhileNobodyLookedIsReadOn) {
    write("a\nb\n");
    EXPECT_EQ(read().size(), 2U);
    ASSERT_TRUE(follower_->stored_below(2));
    ASSERT_TRUE(follower_->save());
    write("c\n");
    fs::copy_file(log(), log() + ".1");
    cut();
    write("d\n");
    start(2);
    EXPECT_EQ(read(), (Records{"c", "d"}));
    EXPECT_TRUE(notes_.empty()) << "nothing is gone";
}

TEST_F(FileFollowerTest, ACutWhileNobodyLookedIsRecognisedWithAnyNumberOfRecords) {
    const auto lines = [](const std::string& text, int count) {
        std::string all = kBanner + "\n";
        for (int i = 0; i < count; ++i) all += text + std::to_string(i) + "\n";
        return all;
    };
    // Before and after; and whether what was stored since the state was saved last is more.
    for (const auto& [before, after, late] : std::vector<std::tuple<int, int, bool>>{{50, 100, false},
                                                                                     {50, 20, false},
                                                                                     {300, 100, false},
                                                                                     {50, 100, true},
                                                                                     {30, 600, true},
                                                                                     {300, 290, true}}) {
        SCOPED_TRACE(std::to_string(before) + " -> " + std::to_string(after) + (late ? ", killed" : ""));
        fs::remove(log());
        fs::remove(state_path());
        start(0);
        write(lines("old", before));
        const auto stored = static_cast<std::uint64_t>(before) + 1;
        EXPECT_EQ(read().size(), stored);
        if (!late) {
            ASSERT_TRUE(follower_->stored_below(stored));
            ASSERT_TRUE(follower_->save());
        }
        cut();
        write(lines("new", after));
        start(stored);
        EXPECT_EQ(read().size(), static_cast<std::size_t>(after) + 1);
    }
}

TEST_F(FileFollowerTest, ACopyOfWhatWasOnlyJustWrittenDownIsReadOnToo) {
    write("");
    EXPECT_EQ(read(), Records{});
    std::string lines;
    for (int i = 0; i < 50; ++i) lines += std::to_string(i) + "\n";
    write(lines);
    EXPECT_EQ(read().size(), 50U);
    fs::copy_file(log(), log() + ".1");  // killed before it had saved more
    cut();
    write("new\n");
    start(50);
    EXPECT_EQ(read(), Records{"new"});
}

TEST_F(FileFollowerTest, RotatedFilesThatNobodySawComeAfterOneThatIsGone) {
    write("");
    const fs::file_time_type now = fs::last_write_time(log());
    const auto age = [&](const std::string& name, int minutes) {
        fs::last_write_time(log() + name, now - std::chrono::minutes(minutes));
    };
    write(log() + ".9", "older than all\n");
    age(".9", 60);
    write("a\n");
    age("", 50);
    EXPECT_EQ(read(), Records{"a"});
    ASSERT_TRUE(follower_->stored_below(1));
    ASSERT_TRUE(follower_->save());
    fs::remove(log());
    write(log() + ".3", "b\n");
    age(".3", 40);
    write(log() + ".2", "c\n");
    age(".2", 30);
    write(log() + ".1", "d\n");
    age(".1", 20);
    write("e\n");
    start(1);
    EXPECT_EQ(read(), (Records{"b", "c", "d", "e"}));
    EXPECT_FALSE(notes_.empty()) << "that one is gone is said";
}

TEST_F(FileFollowerTest, AFileThatLostItsEndGoesOnBehindWhatIsStored) {
    const std::string line(99, 'x');
    for (int i = 0; i < 10; ++i) write(line + "\n");
    EXPECT_EQ(read().size(), 10U);
    fs::resize_file(log(), 800);  // as after a power cut
    start(10);
    EXPECT_EQ(notes_.size(), 1U);
    write("d\n");
    EXPECT_EQ(read(), Records{"d"});
    start(10);
    EXPECT_EQ(read(), Records{"d"});
}

TEST_F(FileFollowerTest, AFileThatLostItsEndIsNotPutAgain) {
    std::string lines;
    for (int i = 0; i < 400; ++i) lines += "line number " + std::to_string(i) + "\n";
    write(lines);
    EXPECT_EQ(read().size(), 400U);
    EXPECT_EQ(read().size(), 0U);
    ASSERT_TRUE(follower_->stored_below(400));
    ASSERT_TRUE(follower_->save());
    fs::resize_file(log(), lines.size() - 60);
    start(400);
    EXPECT_EQ(read(), Records{});
    EXPECT_EQ(notes_.size(), 1U);
    write("\nnew\n");
    const Records more = read();
    ASSERT_EQ(more.size(), 2U);
    EXPECT_EQ(more[1], "new");
    start(402);
    EXPECT_EQ(read(), Records{});
}

TEST_F(FileFollowerTest, ACopyIsFoundThoughTheNewFileBeginsLikeIt) {
    std::string banner = kBanner + "\n";
    for (const auto& [head, line, after] : std::vector<std::tuple<std::string, std::string, int>>{
             {"", "ping", 200}, {banner, "row", 5}, {banner, "ping", 30}}) {
        SCOPED_TRACE(line + std::to_string(after));
        for (const char* name : {"", ".1"}) fs::remove(log() + name);
        fs::remove(state_path());
        start(0);
        const auto lines = [&, line = line](int count, int from) {
            std::string all;
            for (int i = 0; i < count; ++i) all += line + (line == "row" ? std::to_string(from + i) : "") + "\n";
            return all;
        };
        write(head + lines(1'000, 0));
        const std::size_t before = read().size();
        EXPECT_EQ(read().size(), 0U);
        ASSERT_TRUE(follower_->stored_below(before));
        ASSERT_TRUE(follower_->save());
        write(lines(500, 1'000));
        fs::copy_file(log(), log() + ".1");
        cut();
        write(head + lines(after, 5'000));
        start(before);
        EXPECT_EQ(read().size(), 500U + static_cast<std::size_t>(after) + (head.empty() ? 0 : 1));
    }
}

TEST_F(FileFollowerTest, ACopyOfWhatWasEmptyWhenItWasSeenLastIsRead) {
    write("");
    EXPECT_EQ(read(), Records{});
    ASSERT_TRUE(follower_->save());
    const fs::file_time_type empty = fs::last_write_time(log());
    write("a\nb\n");
    fs::copy_file(log(), log() + ".1");
    fs::last_write_time(log() + ".1", empty + 1s);
    cut();
    write("c\n");
    start(0);
    EXPECT_EQ(read(), (Records{"a", "b", "c"}));
}

TEST_F(FileFollowerTest, ABrokerThatLostItsEndGetsItAgain) {
    write("a\nb\nc\n");
    EXPECT_EQ(read().size(), 3U);
    ASSERT_TRUE(follower_->stored_below(3));
    ASSERT_TRUE(follower_->seek(1));
    EXPECT_EQ(read(), (Records{"b", "c"}));
}

TEST_F(FileFollowerTest, ATooLargeLineIsAnError) {
    write("a\n" + std::string((16U << 20U) + 1, 'x') + "\n");
    PutOptions put;
    EXPECT_TRUE(follower_->next(put));
    EXPECT_EQ(follower_->next(put).error().code(), Code::kTooLarge);
}

/// A writer, rotations and restarts at random: the records are what was written, each once and in order.
TEST_F(FileFollowerTest, AnyMixOfWritesRotationsAndRestartsIsOneRow) {
    const std::uint64_t seed = test::test_seed();
    Random random(seed);
    std::uint64_t written = 0;
    std::uint64_t told = 0;
    Records got;
    std::string half;
    write("");
    EXPECT_EQ(read(), Records{}) << "it begins with the file that has the name now, not with older ones";
    for (int step = 0; step < 3'000; ++step) {
        const std::uint64_t what = random.below(100);
        if (what < 45) {
            std::string text;
            for (std::uint64_t i = 0; i < 1 + random.below(400); ++i) text += std::to_string(written++) + "\n";
            const std::size_t kept = random.below(3) == 0 ? std::min(1 + random.below(3), text.size()) : 0;
            write(half + text.substr(0, text.size() - kept));
            half = text.substr(text.size() - kept);
        } else if (what < 52) {
            write(half);  // a writer ends its line before it goes to the next file
            half.clear();
            rotate();
        } else if (what < 60) {
            const std::uint64_t stored = std::max(told, got.size() - std::min(random.below(300), got.size()));
            got.resize(stored);
            if (random.below(2) == 0) clock_.advance(2s);
            start(stored);
        } else if (what < 70) {
            clock_.advance(1s);
            told = std::max(told, got.size() - std::min(random.below(300), got.size()));
            ASSERT_TRUE(follower_->stored_below(told));
        } else {
            for (std::string& record : read(random.below(600))) got.push_back(std::move(record));
        }
        if (step % 7 == 0) {  // so that no file is rotated away unread
            for (std::string& record : read()) got.push_back(std::move(record));
        }
    }
    write(half);
    for (std::string& record : read()) got.push_back(std::move(record));
    ASSERT_EQ(got.size(), written) << "seed " << seed;
    for (std::uint64_t i = 0; i < written; ++i) ASSERT_EQ(got[i], std::to_string(i)) << "seed " << seed;
    EXPECT_TRUE(notes_.empty()) << notes_.front();
}

}  // namespace
}  // namespace telpher
