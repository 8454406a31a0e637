#include "consumer/command_runner.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "consumer/run_command.h"
#include "tests/support/deadline.h"

namespace telpher {
namespace {

/// A runner of a shell script, with its options.
struct Shell {
    explicit Shell(const std::string& script) { options.command = {"sh", "-c", script}; }
    Outcome run(const CommandInput& input = {}) { return runner.run(input); }
    CommandOptions options;
    CommandRunner runner{options};
};

Action action(const std::string& script, const CommandInput& input = {}) { return Shell(script).run(input).action; }

TEST(CommandRunner, ExitStatusIsTheAnswer) {
    EXPECT_EQ(action("exit 0"), Action::kAck);
    EXPECT_EQ(action("exit 75"), Action::kRetry);
    EXPECT_EQ(action("exit 69"), Action::kPause);
    EXPECT_EQ(action("exit 65"), Action::kDead);
    EXPECT_EQ(action("exit 3"), Action::kFail);
    EXPECT_EQ(action("exit 126"), Action::kBroken);
}

TEST(CommandRunner, TheReasonIsHowItEndedAndTheLastOfStderr) {
    EXPECT_EQ(Shell("echo first >&2; echo 'no such account' >&2; exit 65").run().reason,
              "exit 65: first\nno such account");
    EXPECT_EQ(Shell("kill -SEGV $$").run().reason, "crashed: SIGSEGV");
    const Outcome chatty = Shell("head -c 1000000 /dev/zero | tr '\\0' x >&2; echo last >&2; exit 4").run();
    EXPECT_EQ(chatty.reason.size(), 4'096U);
    EXPECT_TRUE(chatty.reason.starts_with("exit 4: xx"));
    EXPECT_TRUE(chatty.reason.ends_with("xlast"));
}

TEST(CommandRunner, BodyIsOnStdin) {
    EXPECT_EQ(action("test \"$(cat)\" = 'a body'", {.queue = {}, .key = {}, .body = "a body"}), Action::kAck);
    EXPECT_EQ(action("test \"$(wc -c)\" = 0"), Action::kAck);
}

TEST(CommandRunner, ALargeBodyThatNobodyReadsBlocksNothing) {
    const std::string body(8 << 20, 'x');
    const CommandInput input{.queue = {}, .key = {}, .body = body};
    EXPECT_EQ(action("exit 3", input), Action::kFail);
    EXPECT_EQ(action("test \"$(head -c 5)\" = xxxxx", input), Action::kAck);
    EXPECT_EQ(action("test \"$(wc -c)\" = 8388608", input), Action::kAck);
}

TEST(CommandRunner, EnvironmentTellsOfTheMessage) {
    ::setenv("TELPHER_KEY", "outer", 1);
    ::setenv("TELPHER_HEADER_OLD", "outer", 1);
    ::setenv("TELPHER_SUPERVISOR", "1", 1);
    ::setenv("OTHER", "kept", 1);
    const CommandInput input{.queue = "jobs",
                             .key = "k=1",
                             .body = {},
                             .id = 77,
                             .attempt = 2,
                             .delivery = 3,
                             .headers = {{"content-type", "a b"}, {"traceparent", "00-1-2-03"}},
                             .put_ms = 5};
    EXPECT_EQ(action("test \"$TELPHER_QUEUE $TELPHER_ID $TELPHER_ATTEMPT $TELPHER_DELIVERY $TELPHER_KEY $OTHER "
                     "$TELPHER_SUPERVISOR$TELPHER_HEADER_OLD $TELPHER_HEADER_CONTENT_TYPE $TRACEPARENT "
                     "$TELPHER_ENQUEUED_AT\" = 'jobs 77 2 3 k=1 kept  a b 00-1-2-03 5'",
                     input),
              Action::kAck);
    for (const char* name : {"TELPHER_KEY", "TELPHER_HEADER_OLD", "TELPHER_SUPERVISOR"}) ::unsetenv(name);
}

TEST(CommandRunner, MetadataIsOnDescriptor3) {
    const CommandInput input{.queue = "jobs",
                             .key = "k",
                             .body = "b",
                             .id = 7,
                             .attempt = 1,
                             .delivery = 1,
                             .headers = {{"a", "1"}},
                             .put_ms = 5,
                             .max_attempts = 9,
                             .deadline_ms = 6,
                             .worker = "w"};
    EXPECT_EQ(action("test \"$(cat <&3)\" = '" + metadata_line(input).substr(0, metadata_line(input).size() - 1) + "'",
                     input),
              Action::kAck);
    EXPECT_EQ(metadata_line(input),
              R"({"queue":"jobs","id":7,"key":"k","headers":{"a":"1"},"attempt":1,"delivery":1,"enqueued_at":5,)"
              R"("max_attempts":9,"deadline":6,"worker":"w"})"
              "\n");
}

TEST(CommandRunner, WhatCannotBeExecutedIsBroken) {
    for (const char* command : {"/no/such/program", "/etc/passwd", "no-such-program-in-path"}) {
        CommandOptions options;
        options.command = {command};
        EXPECT_EQ(CommandRunner(options).run({}).action, Action::kBroken) << command;
    }
    EXPECT_EQ(action("no-such-program-in-path"), Action::kBroken);
}

TEST(CommandRunner, LimitsOfTimeEndTheWholeGroup) {
    Shell hard("sleep 60 & sleep 60");
    hard.options.limits.hard = Millis(100);
    const Outcome killed = hard.run();
    EXPECT_EQ(killed.action, Action::kFail);
    EXPECT_EQ(killed.reason, "time limit of 100ms");
    Shell soft("trap 'exit 75' TERM; sleep 60 & wait");
    soft.options.limits.soft = Millis(100);
    EXPECT_EQ(soft.run().action, Action::kRetry) << "it may still say what becomes of its message";
}

/// With a stderr that is full and that nobody reads: whether a command that writes there is still ended in time.
[[noreturn]] void run_with_full_stderr() {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0 || ::dup2(ends[1], STDERR_FILENO) < 0) ::_exit(2);
    Shell shell("while :; do echo and on and on >&2; done");
    shell.options.limits.hard = Millis(300);
    ::_exit(shell.run().reason.starts_with("time limit of 300ms") ? 0 : 1);
}

TEST(CommandRunner, LimitsHoldWhileNobodyReadsOurStderr) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");  // a process of its own, which has not looked at its stderr yet
    EXPECT_EXIT(run_with_full_stderr(), testing::ExitedWithCode(0), "");
}

TEST(CommandRunner, MemoryOfItsChildrenCounts) {
    Shell greedy("head -c 200000000 /dev/zero | tail -c 200000000 | sleep 60");
    greedy.options.limits.rss_max = 64 << 20;
    EXPECT_EQ(greedy.run().reason, "RSS limit of 64.0 MiB");
}

TEST(CommandRunner, ADescendantThatHoldsStderrDelaysNothing) {
    const test::Stopwatch watch;
    EXPECT_EQ(Shell("setsid sleep 20 & echo why >&2; exit 3").run().reason, "exit 3: why");
    EXPECT_LT(watch.seconds(), 10);
}

TEST(CommandRunner, KillAllEndsCommandsAndTheirChildrenAndReleases) {
    std::array<int, 2> started{};
    ASSERT_EQ(::pipe(started.data()), 0);
    // The shell's child holds the pipe open too: only when both are gone does read() see its end.
    Shell shell("sleep 60 >&" + std::to_string(started[1]) + " & echo up >&" + std::to_string(started[1]) + "; wait");
    std::thread thread([&] { EXPECT_EQ(shell.run().action, Action::kRelease); });
    std::array<char, 8> text{};
    ASSERT_EQ(::read(started[0], text.data(), text.size()), 3);
    shell.runner.kill_all();
    thread.join();
    ::close(started[1]);
    EXPECT_EQ(::read(started[0], text.data(), text.size()), 0);
    ::close(started[0]);
    EXPECT_EQ(shell.run().action, Action::kRelease) << "nothing is started any more";
}

TEST(ExitOn, ReadsAllThree) {
    EXPECT_EQ(parse_exit_on("eos")->what, ExitOn::What::kEnd);
    EXPECT_EQ(parse_exit_on("never")->what, ExitOn::What::kNever);
    EXPECT_EQ(parse_exit_on("idle:30s")->what, ExitOn::What::kIdle);
    EXPECT_EQ(parse_exit_on("idle:30s")->idle, Millis(30'000));
    for (const char* text : {"", "end", "idle", "idle:", "idle:5", "never:5s"}) {
        EXPECT_EQ(parse_exit_on(text).error().code(), Code::kUsage) << text;
    }
}

}  // namespace
}  // namespace telpher
