#include "consumer/stream_runner.h"

#include <gtest/gtest.h>

#include "tests/support/deadline.h"

namespace telpher {
namespace {

TEST(ParseVerdict, ReadsWhatIsDocumented) {
    EXPECT_EQ(parse_verdict(R"({"id":7,"verdict":"ack"})", 7)->action, Action::kAck);
    const Outcome retry = *parse_verdict(R"({"id":7,"verdict":"retry","reason":"busy","delay_ms":250})", 7);
    EXPECT_EQ(retry.action, Action::kRetry);
    EXPECT_EQ(retry.reason, "busy");
    EXPECT_EQ(retry.delay, std::optional(Millis(250)));
    for (const char* text :
         {"", "ack", "[]", R"({"verdict":"ack"})", R"({"id":8,"verdict":"ack"})", R"({"id":"7","verdict":"ack"})",
          R"({"id":7})", R"({"id":7,"verdict":"broken"})", R"({"id":7,"verdict":1})"}) {
        EXPECT_EQ(parse_verdict(text, 7).error().code(), Code::kUsage) << text;
    }
}

class StreamRunnerTest : public testing::Test {
protected:
    Outcome run(std::uint64_t id, std::string_view body = "b") {
        return runner.run({.queue = "jobs", .key = {}, .body = body, .id = id});
    }
    void script(const std::string& text) { options.command = {"sh", "-c", text}; }

    CommandOptions options;
    RunningCommands running;
    StreamRunner runner{options, running};
};

TEST_F(StreamRunnerTest, OneCommandGetsMessageAfterMessage) {
    script(R"(n=0; while read -r line; do id=${line#*\"id\":}; id=${id%%,*}; n=$((n + 1))
              echo "{\"id\":$id,\"verdict\":\"retry\",\"reason\":\"$n\"}"; done)");
    EXPECT_EQ(run(5).reason, "1");
    EXPECT_EQ(run(9).reason, "2");
    const std::string large(3 << 20, 'x');  // more than a pipe holds
    EXPECT_EQ(run(11, large).reason, "3");
}

TEST_F(StreamRunnerTest, NonsenseFailsTheMessageAndStartsAnotherCommand) {
    script("echo what; cat >/dev/null");
    EXPECT_EQ(run(1).action, Action::kFail);
    EXPECT_NE(run(2).reason.find("bad verdict"), std::string::npos);
}

TEST_F(StreamRunnerTest, HowItEndsIsTheVerdictIfItGaveNone) {
    script("read -r line; echo lost my database >&2; exit 69");
    const Outcome outcome = run(1);
    EXPECT_EQ(outcome.action, Action::kPause);
    EXPECT_EQ(outcome.reason, "exit 69: lost my database");
    script("read -r line; exit 0");
    EXPECT_EQ(run(2).reason, "ended without a verdict");
    script("read -r line; kill -BUS $$");
    EXPECT_EQ(run(3).reason, "crashed: SIGBUS");
    script("exec /no/such/program");
    EXPECT_EQ(run(4).action, Action::kBroken);
}

TEST_F(StreamRunnerTest, AMessageIsHeldToItsTime) {
    script("while read -r line; do sleep 60; done");
    options.limits.hard = Millis(100);
    EXPECT_EQ(run(1).reason, "time limit of 100ms");
}

TEST_F(StreamRunnerTest, ItLeavesWhenItsStdinIsClosed) {
    script(R"(while read -r line; do echo '{"id":1,"verdict":"ack"}'; done)");
    EXPECT_EQ(run(1).action, Action::kAck);
    const test::Stopwatch watch;
    runner.leave();
    EXPECT_LT(watch.seconds(), 4);
    EXPECT_EQ(run(1).action, Action::kAck) << "another one is started";
}

}  // namespace
}  // namespace telpher
