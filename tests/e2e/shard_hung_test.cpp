// A shard that hangs, under a service manager: the test speaks sd_notify(3)'s protocol, and stops that one thread.
//
// Claim: the manager is told when the daemon serves, reads its configuration again and ends; and that it is alive only
// as long as the shard goes round, although the rest of the daemon still answers.

#include <dirent.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>
#include <regex>

#include "tests/support/broker.h"
#include "tests/support/notify_socket.h"

namespace telpher::test {
namespace {

using testing::HasSubstr;

constexpr Duration kWithin = 20s;

/// A thread of a child, stopped while the object lives; the others run on. Made and destroyed by one thread.
class StoppedThread {
public:
    StoppedThread(pid_t process, const std::string& name) : thread_(find(process, name)) {
        if (::ptrace(PTRACE_SEIZE, thread_, 0, 0) != 0) return;
        int status = 0;
        stopped_ = ::ptrace(PTRACE_INTERRUPT, thread_, 0, 0) == 0 && ::waitpid(thread_, &status, __WALL) == thread_ &&
                   WIFSTOPPED(status);
    }
    StoppedThread(const StoppedThread&) = delete;
    StoppedThread& operator=(const StoppedThread&) = delete;
    ~StoppedThread() { go_on(); }
    void go_on() {
        if (std::exchange(stopped_, false)) ::ptrace(PTRACE_DETACH, thread_, 0, 0);
    }
    [[nodiscard]] bool stopped() const { return stopped_; }

private:
    static pid_t find(pid_t process, const std::string& name) {
        const std::filesystem::path tasks = "/proc/" + std::to_string(process) + "/task";
        for (const auto& task : std::filesystem::directory_iterator(tasks)) {
            std::string called;
            std::getline(std::ifstream(task.path() / "comm"), called);
            if (called == name) return std::stoi(task.path().filename().string());
        }
        ADD_FAILURE() << "no thread " << name;
        return -1;
    }

    pid_t thread_;
    bool stopped_ = false;
};

class ShardHung : public testing::Test {
protected:
    BrokerOptions watched(Duration interval) const {
        const auto usec = std::chrono::duration_cast<std::chrono::microseconds>(interval).count();
        return {.args = {},
                .descriptors = {},
                .env = {{"NOTIFY_SOCKET", manager_.path()}, {"WATCHDOG_USEC", std::to_string(usec)}}};
    }
    NotifySocket manager_;
};

TEST_F(ShardHung, the_watchdog_is_fed_only_while_the_shard_goes_round) {
    constexpr Duration kInterval = 2s;
    Broker broker(watched(kInterval));
    ASSERT_TRUE(manager_.await("READY=1", kWithin));
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(manager_.await("WATCHDOG=1", kInterval)) << "within its interval";
    StoppedThread shard(broker.process().pid(), "shard-0");
    if (!shard.stopped()) GTEST_SKIP() << "ptrace is not allowed here: no thread can be made to hang";
    manager_.await("WATCHDOG=1", kInterval);  // for the rounds it had done since it was told last
    broker.process().signal(SIGHUP);
    EXPECT_TRUE(manager_.await("RELOADING=1", kWithin)) << "the rest of the daemon is alive";
    EXPECT_FALSE(manager_.await("WATCHDOG=1", 2 * kInterval)) << "nobody claims that the shard is";
    shard.go_on();
    EXPECT_TRUE(manager_.await("WATCHDOG=1", kWithin));
    EXPECT_TRUE(broker.terminate()->ok());
}

TEST_F(ShardHung, before_that_the_manager_is_told_each_step_of_a_life) {
    Broker broker(watched(60s));
    EXPECT_EQ(manager_.next(kWithin), "STATUS=replaying");
    const auto ready = manager_.next(kWithin);
    ASSERT_TRUE(ready);
    EXPECT_EQ(*ready, "READY=1\nSTATUS=ready: 0 queues, 0 clients");
    EXPECT_THAT(broker.process().output(), HasSubstr("ready"));
    broker.process().signal(SIGHUP);
    const auto reloading = manager_.next(kWithin);
    ASSERT_TRUE(reloading);
    EXPECT_TRUE(std::regex_match(*reloading, std::regex("RELOADING=1\nMONOTONIC_USEC=[0-9]+"))) << *reloading;
    EXPECT_THAT(manager_.next(kWithin).value_or(""), HasSubstr("READY=1"));
    broker.process().signal(SIGTERM);
    EXPECT_EQ(manager_.next(kWithin), "STOPPING=1\nSTATUS=draining");
    EXPECT_TRUE(broker.process().wait(kWithin)->ok());
    EXPECT_FALSE(manager_.next(0s));
}

}  // namespace
}  // namespace telpher::test
