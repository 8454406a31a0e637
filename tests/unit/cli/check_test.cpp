// `telpher check`: what is wrong, and the three ways to say so.
#include "cli/check.h"

#include <gtest/gtest.h>

namespace telpher::cli {
namespace {

QueueStats queue() {
    QueueStats stats;
    stats.name = "jobs";
    stats.ready = 12;
    stats.consumers = 1;
    return stats;
}

TEST(Check, OnlyWhatIsAskedForIsWrong) {
    EXPECT_TRUE(check_queue(queue(), {}).wrong.empty());
    QueueDemands demands;
    demands.ready_max = 12;
    demands.consumers_min = 1;
    EXPECT_TRUE(check_queue(queue(), demands).wrong.empty());
    demands.ready_max = 11;
    demands.consumers_min = 2;
    const Findings findings = check_queue(queue(), demands);
    ASSERT_EQ(findings.wrong.size(), 2U);
    EXPECT_EQ(render(findings, CheckFormat::kText), "jobs: 12 ready, at most 11; 1 consumers, at least 2\n");
    EXPECT_EQ(render(findings, CheckFormat::kNagios),
              "TELPHER CRITICAL - jobs: 12 ready, at most 11; 1 consumers, at least 2 | ready=12 leased=0 dead=0 "
              "blocked_producers=0 consumers=1\n");
    EXPECT_EQ(exit_status(findings, CheckFormat::kText), 1);
    EXPECT_EQ(exit_status(findings, CheckFormat::kNagios), 2);
}

TEST(Check, WhoCannotAskDoesNotKnow) {
    const Findings findings = unknown("ready", Error(Code::kUnreachable));
    EXPECT_EQ(exit_status(findings, CheckFormat::kJson), 1);
    EXPECT_EQ(exit_status(findings, CheckFormat::kNagios), 3);
    EXPECT_EQ(render(findings, CheckFormat::kJson),
              "{\"check\":\"ready\",\"ok\":false,\"known\":false,\"wrong\":[\"E_UNREACHABLE: no broker answered in "
              "time\"]}\n");
    EXPECT_EQ(render(check_queue(queue(), {}), CheckFormat::kText), "jobs: ok\n");
}

}  // namespace
}  // namespace telpher::cli
