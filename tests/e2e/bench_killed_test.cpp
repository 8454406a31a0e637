// telpher bench is killed in a run: the processes that do its work have nobody to work for.
//
// Claim: they end with it, also while their broker is away and they would wait for it.
#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <vector>

#include "tests/support/broker.h"
#include "tests/support/deadline.h"
#include "tests/support/process.h"

namespace telpher::test {
namespace {

TEST(BenchKilled, takes_its_processes_along) {
    Broker broker;
    Process bench(program("telpher"), {"-s", broker.ipc(), "bench", "--runs", "1000", "--messages", "500000"});
    ASSERT_TRUE(bench.wait_for_output("msg_per_s", 30s));
    std::vector<std::string> children;
    ASSERT_TRUE(eventually(10s, [&] {
        children = children_of(bench.pid());
        return children.size() == 2;
    }));
    broker.kill();
    bench.signal(SIGKILL);
    EXPECT_TRUE(bench.wait(10s));
    for (const std::string& child : children) {
        EXPECT_TRUE(eventually(5s, [&] { return !alive(child); })) << child << " is still there";
    }
}

}  // namespace
}  // namespace telpher::test
