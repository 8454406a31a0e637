#include "telpher/run.h"

#include <gtest/gtest.h>

#include <thread>

namespace telpher {
namespace {

Verdict nothing(Message& /*message*/) { return Verdict::ack(); }

TEST(Run, RefusesWhatIsOutOfRange) {
    EXPECT_EQ(run("jobs", {.threads = 0}, nothing).error().code(), Code::kUsage);
    EXPECT_EQ(run("jobs", {.threads = 1'025}, nothing).error().code(), Code::kUsage);
    EXPECT_EQ(run("jobs", {.processes = 1'025}, nothing).error().code(), Code::kUsage);
    EXPECT_EQ(run("jobs", {}, {}).error().code(), Code::kUsage);
}

TEST(Run, RefusesToForkWhereThereAreThreads) {
    std::jthread other([](const std::stop_token& stop) {
        while (!stop.stop_requested()) std::this_thread::yield();
    });
    const auto result = run("jobs", {}, nothing);
    EXPECT_EQ(result.error().code(), Code::kUsage);
    EXPECT_NE(result.error().detail().find("second thread"), std::string::npos);
}

TEST(Run, ABrokerThatIsAwayIsAnError) {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "ThreadSanitizer has a thread of its own, and run() forks only where there is none";
#endif
    WorkerOptions options;
    options.client.server = "ipc:///nowhere/socket";
    options.client.connect_timeout = Millis(50);
    options.processes = 2;
    EXPECT_EQ(run("jobs", options, nothing).error().code(), Code::kUnreachable);
}

}  // namespace
}  // namespace telpher
