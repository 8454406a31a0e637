// The shard's thread as the admin port sees it: it answers, and one that hangs is found out and holds up nobody.
#include "broker/shard_thread.h"
#include "broker/user_book.h"

#include <gtest/gtest.h>
#include <zmq.h>

#include <atomic>
#include <thread>

#include "tests/support/deadline.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/temp_dir.h"

namespace telpher::broker {
namespace {

using namespace std::chrono_literals;

/// Whoever asks for the time hangs while it is stopped, but for the thread that made it.
class HangingClock final : public Clock {
public:
    [[nodiscard]] Instant now() const override {
        if (std::this_thread::get_id() != owner_) stopped_.wait(true);
        return system_clock().now();
    }
    [[nodiscard]] WallTime wall() const override { return system_clock().wall(); }
    void stop(bool stopped) {
        stopped_ = stopped;
        stopped_.notify_all();
    }

private:
    const std::thread::id owner_ = std::this_thread::get_id();
    std::atomic<bool> stopped_{false};
};

TEST(ShardThread, OneThatHangsIsFoundOutAndHoldsUpNobody) {
    const test::TempDir dir;
    void* context = zmq_ctx_new();
    HangingClock clock;
    {
        const UserBook users;
        ShardThread shard(context, log::posix_file_system(), clock, users, [] {});
        EXPECT_FALSE(shard.health().replayed);
        EXPECT_EQ(shard.sample({}, 1s).error().code(), Code::kBusy) << "it does not run yet";
        ShardThread::Settings settings;
        settings.log.dir = dir.path() / "shard-0";
        settings.shard.data_dir = dir.path();
        settings.listen = {"ipc://" + (dir.path() / "s.sock").string()};
        ASSERT_TRUE(shard.start(settings));
        EXPECT_TRUE(shard.health().replayed && shard.health().bound);
        ASSERT_TRUE(shard.sample({}, 10s));

        clock.stop(true);
        EXPECT_EQ(shard.sample({}, 100ms).error().code(), Code::kTimeout);
        EXPECT_TRUE(test::eventually(10s, [&] { return shard.health().silent > 300ms; }));
        clock.stop(false);
        EXPECT_TRUE(shard.sample({}, 10s));
        EXPECT_LT(shard.health().silent, 10s);
        ASSERT_TRUE(shard.stop());
        EXPECT_TRUE(shard.health().draining);
        EXPECT_FALSE(shard.health().bound);
        EXPECT_EQ(shard.sample({}, 1s).error().code(), Code::kBusy);
    }
    zmq_ctx_term(context);
}

/// A log on a file system in memory, which another run of the shard has left.
ShardThread::Settings left_log(test::FaultyFileSystem& files, const test::TempDir& dir) {
    ShardThread::Settings settings;
    settings.log.dir = "data/shard-0";
    settings.shard.data_dir = "data";
    settings.listen = {"ipc://" + (dir.path() / "s.sock").string()};
    void* context = zmq_ctx_new();
    {
        const UserBook users;
        ShardThread shard(context, files, system_clock(), users, [] {});
        EXPECT_TRUE(shard.start(settings));
        EXPECT_TRUE(shard.health().failure.empty());
        EXPECT_FALSE(shard.sample({}, 10s)->failed);
        EXPECT_TRUE(shard.stop());
    }
    zmq_ctx_term(context);
    return settings;
}

TEST(ShardThread, AFailedLogIsReported) {
    const test::TempDir dir;
    test::FaultyFileSystem files;
    const ShardThread::Settings settings = left_log(files, dir);
    void* context = zmq_ctx_new();
    {
        const UserBook users;
        std::atomic<int> told{0};
        ShardThread shard(context, files, system_clock(), users, [&] { ++told; });
        files.fail_nth(test::FaultyFileSystem::Op::kWrite, 1, Code::kIo);  // of the record of the start
        ASSERT_TRUE(shard.start(settings));
        ASSERT_TRUE(test::eventually(10s, [&] { return told > 0; }));
        EXPECT_NE(shard.health().failure.find("E_IO"), std::string::npos) << shard.health().failure;
        const auto sample = shard.sample({}, 10s);
        ASSERT_TRUE(sample) << "it does not serve, but it answers";
        EXPECT_TRUE(sample->failed);
        const auto stopped = shard.stop();
        ASSERT_FALSE(stopped);
        EXPECT_EQ(stopped.error().code(), Code::kIo);
        EXPECT_EQ(told, 1);
    }
    zmq_ctx_term(context);
}

}  // namespace
}  // namespace telpher::broker
