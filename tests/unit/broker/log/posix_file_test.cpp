// The real file system behind the seam, and a whole log on it.
#include "broker/log/posix_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "broker/log/dir_lock.h"
#include "broker/log/log.h"
#include "tests/support/temp_dir.h"

namespace telpher::log {
namespace {

class PosixFileTest : public ::testing::Test {
protected:
    std::string path(const std::string& name) const { return dir_.path().string() + "/" + name; }

    test::TempDir dir_;
    FileSystem& files_ = posix_file_system();
};

TEST_F(PosixFileTest, PartsAreWrittenOneAfterTheOther) {
    auto file = files_.create(path("file"));
    ASSERT_TRUE(file) << file.error().message();
    // More parts than one system call takes, empty ones among them.
    std::vector<std::string> texts;
    std::string whole;
    for (int i = 0; i < 3000; ++i) {
        texts.push_back(i % 5 == 0 ? "" : std::to_string(i) + ",");
        whole += texts.back();
    }
    std::vector<Bytes> parts;
    for (const std::string& text : texts) parts.push_back(as_bytes(text));
    ASSERT_TRUE((*file)->write_at(10, parts));
    ASSERT_TRUE((*file)->sync());
    std::vector<std::byte> back(whole.size() + 100);
    const auto got = (*file)->read_at(10, back);
    ASSERT_TRUE(got);
    EXPECT_EQ(*got, whole.size()) << "fewer only at the end of the file";
    EXPECT_EQ(as_text(Bytes(back).first(*got)), whole);
    EXPECT_EQ(*(*file)->size(), whole.size() + 10);
    ASSERT_TRUE((*file)->write_at(0, {}));
}

TEST_F(PosixFileTest, WhatIsNoFileIsNotWaitedFor) {
    ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
    const auto fifo = files_.open(path("fifo"), false);
    ASSERT_FALSE(fifo);
    EXPECT_EQ(fifo.error().detail(), "open " + path("fifo") + ": not a regular file");
}

TEST_F(PosixFileTest, ErrorsNameCallPathAndReason) {
    const auto missing = files_.open(path("missing"), false);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code(), Code::kIo);
    EXPECT_EQ(missing.error().detail(), "open " + path("missing") + ": No such file or directory");
    ASSERT_TRUE(files_.create(path("there")));
    const auto exists = files_.create(path("there"));
    ASSERT_FALSE(exists);
    EXPECT_EQ(exists.error().detail(), "create " + path("there") + ": File exists");
    EXPECT_FALSE(files_.rename(path("missing"), path("x")));
    EXPECT_FALSE(files_.remove(path("missing")));
    EXPECT_FALSE(files_.list(path("missing")));
    EXPECT_FALSE(files_.sync_dir(path("missing")));
    EXPECT_FALSE(files_.make_dir(path("there")));
}

TEST_F(PosixFileTest, AFullDeviceIsDiskFull) {
    auto file = files_.open("/dev/full", true);
    ASSERT_TRUE(file) << file.error().message();
    const Bytes part = as_bytes("x");
    const auto wrote = (*file)->write_at(0, {&part, 1});
    ASSERT_FALSE(wrote);
    EXPECT_EQ(wrote.error().code(), Code::kDiskFull);
}

TEST_F(PosixFileTest, NamesAndFolders) {
    ASSERT_TRUE(files_.make_dir(path("a/b/c")));
    ASSERT_TRUE(files_.make_dir(path("a/b/c"))) << "there is fine";
    ASSERT_TRUE(files_.create(path("a/b/c/two")));
    auto one = files_.create(path("a/b/c/one"));
    ASSERT_TRUE((*one)->allocate(8192));
    EXPECT_EQ(*(*one)->size(), 8192U);
    EXPECT_EQ(*files_.list(path("a/b/c")), (std::vector<std::string>{"one", "two"}));
    ASSERT_TRUE(files_.rename(path("a/b/c/one"), path("a/b/c/three")));
    ASSERT_TRUE(files_.remove(path("a/b/c/two")));
    ASSERT_TRUE(files_.sync_dir(path("a/b/c")));
    EXPECT_EQ(*files_.list(path("a/b/c")), (std::vector<std::string>{"three"}));
    EXPECT_GT(*files_.free_bytes(path("a")), 0U);
}

TEST_F(PosixFileTest, AFileOpenedForReadingIsNotWritten) {
    ASSERT_TRUE(files_.create(path("file")));
    auto file = files_.open(path("file"), false);
    ASSERT_TRUE(file);
    const Bytes part = as_bytes("x");
    EXPECT_FALSE((*file)->write_at(0, {&part, 1}));
}

TEST_F(PosixFileTest, ALogRollsRecyclesAndReopens) {
    LogOptions options;
    options.dir = path("shard-0/log");
    options.segment_bytes = 64 * 1024;
    std::uint64_t seen = 0;
    const RecordSink count = [&seen](const RecordView&) -> Result<void> {
        ++seen;
        return {};
    };
    auto log = Log::open(files_, options, count);
    ASSERT_TRUE(log) << log.error().message();
    for (int i = 0; i < 250; ++i) {
        if ((*log)->needs_roll(4, 1000)) (*log)->roll({{Kind::kSnapshot, QueueId(0), "state", Slice()}});
        (*log)->append({Kind::kBatch, QueueId(1), "meta", Slice::own(std::string(1000, 'b'))});
        (*log)->reclaim();
        ASSERT_TRUE((*log)->flush());
        (*log)->committer().do_work();
        ASSERT_FALSE((*log)->failed()) << (*log)->failed()->message();
    }
    while ((*log)->committed_lsn() != (*log)->last_lsn()) (*log)->committer().do_work();
    const Lsn last = (*log)->last_lsn();
    EXPECT_LE((*log)->segment_count(), 4U);
    log->reset();
    log = Log::open(files_, options, count);
    ASSERT_TRUE(log) << log.error().message();
    EXPECT_EQ((*log)->recovery().last, last);
    EXPECT_GT(seen, 0U);
}

TEST_F(PosixFileTest, ADirectoryHasOneHolderAndTheOtherLearnsItsName) {
    {
        const auto first = DirLock::take(dir_.path().string());
        ASSERT_TRUE(first) << first.error().message();
        const auto second = DirLock::take(dir_.path().string());
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().code(), Code::kLocked);
        EXPECT_NE(second.error().detail().find("process " + std::to_string(::getpid())), std::string::npos);
    }
    EXPECT_TRUE(DirLock::take(dir_.path().string())) << "let go with the object";
    EXPECT_EQ(DirLock::take(path("missing")).error().code(), Code::kIo);
}

TEST_F(PosixFileTest, ADeadHolderHoldsNothing) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        const auto lock = DirLock::take(dir_.path().string());
        ::_exit(lock ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_TRUE(DirLock::take(dir_.path().string()));
}

}  // namespace
}  // namespace telpher::log
