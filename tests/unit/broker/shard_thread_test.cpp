// The shard's thread as the admin port sees it: it answers, and one that hangs is found out and holds up nobody.
#include "broker/shard_thread.h"
#include "broker/user_book.h"

#include <gtest/gtest.h>
#include <zmq.h>

#include <atomic>
#include <thread>

#include "tests/support/deadline.h"
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

}  // namespace
}  // namespace telpher::broker
