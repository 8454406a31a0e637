#include "consumer/command_runner.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "consumer/run_command.h"

namespace telpher {
namespace {

CommandRunner shell(const std::string& script) { return CommandRunner({"sh", "-c", script}); }

TEST(CommandRunner, ExitStatusIsTheAnswer) {
    EXPECT_EQ(*shell("exit 0").run({}), 0);
    EXPECT_EQ(*shell("exit 75").run({}), 75);
    EXPECT_EQ(*shell("kill -9 $$").run({}), 128 + SIGKILL);
}

TEST(CommandRunner, BodyIsOnStdin) {
    EXPECT_EQ(*shell("test \"$(cat)\" = 'a body'").run({.queue = {}, .key = {}, .body = "a body"}), 0);
    EXPECT_EQ(*shell("test \"$(wc -c)\" = 0").run({}), 0);
}

TEST(CommandRunner, ALargeBodyThatNobodyReadsBlocksNothing) {
    const std::string body(8 << 20, 'x');
    EXPECT_EQ(*shell("exit 3").run({.queue = {}, .key = {}, .body = body}), 3);
    EXPECT_EQ(*shell("test \"$(head -c 5)\" = xxxxx").run({.queue = {}, .key = {}, .body = body}), 0);
    EXPECT_EQ(*shell("test \"$(wc -c)\" = 8388608").run({.queue = {}, .key = {}, .body = body}), 0);
}

TEST(CommandRunner, EnvironmentTellsOfTheMessage) {
    ::setenv("TELPHER_KEY", "outer", 1);
    ::setenv("TELPHER_SUPERVISOR", "1", 1);
    ::setenv("OTHER", "kept", 1);
    const CommandInput input{.queue = "jobs", .key = "k=1", .body = {}, .id = 77, .attempt = 2, .delivery = 3};
    EXPECT_EQ(*shell("test \"$TELPHER_QUEUE $TELPHER_ID $TELPHER_ATTEMPT $TELPHER_DELIVERY $TELPHER_KEY $OTHER "
                     "$TELPHER_SUPERVISOR\" = "
                     "'jobs 77 2 3 k=1 kept '")
                   .run(input),
              0);
    ::unsetenv("TELPHER_KEY");
    ::unsetenv("TELPHER_SUPERVISOR");
}

TEST(CommandRunner, WhatCannotBeExecutedIsAConfigError) {
    EXPECT_EQ(CommandRunner({"/no/such/program"}).run({}).error().code(), Code::kConfig);
    EXPECT_EQ(CommandRunner({"/etc/passwd"}).run({}).error().code(), Code::kConfig);
    EXPECT_EQ(shell("no-such-program-in-path").run({}).error().code(), Code::kConfig);
    EXPECT_EQ(shell("exit 126").run({}).error().code(), Code::kConfig);
}

TEST(CommandRunner, KillAllEndsCommandsAndTheirChildren) {
    std::array<int, 2> started{};
    ASSERT_EQ(::pipe(started.data()), 0);
    // The shell's child holds the pipe open too: only when both are gone does read() see its end.
    CommandRunner runner =
        shell("sleep 60 >&" + std::to_string(started[1]) + " & echo up >&" + std::to_string(started[1]) + "; wait");
    std::thread thread([&] { EXPECT_EQ(*runner.run({}), 128 + SIGKILL); });
    std::array<char, 8> text{};
    ASSERT_EQ(::read(started[0], text.data(), text.size()), 3);
    runner.kill_all();
    thread.join();
    ::close(started[1]);
    EXPECT_EQ(::read(started[0], text.data(), text.size()), 0);
    ::close(started[0]);
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
