#include "proto/base/eager_poll.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <thread>

namespace telpher {
namespace {

using namespace std::chrono_literals;

class EagerPollTest : public testing::Test {
protected:
    EagerPollTest() : fd_(::eventfd(0, EFD_CLOEXEC)) {}
    ~EagerPollTest() override { ::close(fd_); }

    void ring() { EXPECT_EQ(::eventfd_write(fd_, 1), 0); }
    int wait(Duration timeout) {
        std::array<pollfd, 1> fds{pollfd{fd_, POLLIN, 0}};
        const int ready = poll_.wait(fds, timeout);
        EXPECT_EQ(ready, fds[0].revents == POLLIN ? 1 : 0);
        return ready;
    }
    void make_eager() {
        ring();
        for (int i = 0; i < 1000 && !poll_.eager(); ++i) EXPECT_EQ(wait(10s), 1);  // the machine may be busy
        EXPECT_TRUE(poll_.eager());
        eventfd_t count = 0;
        EXPECT_EQ(::eventfd_read(fd_, &count), 0);
    }

    EagerPoll poll_;
    int fd_;
};

TEST_F(EagerPollTest, SleepsUntilItHasSeenAShortWait) {
    EXPECT_FALSE(poll_.eager());
    EXPECT_EQ(wait(1ms), 0);
    EXPECT_FALSE(poll_.eager()) << "nothing came";
    make_eager();
}

TEST_F(EagerPollTest, ForgetsShortWaitsAfterSeveralLongOnes) {
    make_eager();
    for (int i = 0; i < EagerPoll::kEagerWaits; ++i) {
        EXPECT_TRUE(poll_.eager());
        EXPECT_EQ(wait(1us), 0);
    }
    EXPECT_FALSE(poll_.eager());
}

TEST_F(EagerPollTest, WaitsNoShorterThanItsTimeout) {
    for (const Duration timeout : {Duration{0}, Duration{10us}, Duration{3ms}}) {
        make_eager();
        const Instant start = system_clock().now();
        EXPECT_EQ(wait(timeout), 0);
        EXPECT_GE(system_clock().now() - start, timeout);
    }
}

TEST_F(EagerPollTest, SeesWhatComesWhileItLooksAndWhileItSleeps) {
    for (const Duration after : {Duration{0}, Duration{EagerPoll::kEager / 2}, Duration{2 * EagerPoll::kEager}}) {
        make_eager();
        std::jthread other([&] {
            const Instant end = system_clock().now() + after;
            while (system_clock().now() < end) std::this_thread::yield();
            ring();
        });
        EXPECT_EQ(wait(10s), 1);
        other.join();
        eventfd_t count = 0;
        EXPECT_EQ(::eventfd_read(fd_, &count), 0);
    }
}

}  // namespace
}  // namespace telpher
