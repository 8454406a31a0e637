// What the end to end tests rely on when they start, watch and kill a program.

#include "tests/support/process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include "tests/support/broker.h"
#include "tests/support/temp_dir.h"

namespace telpher::test {
namespace {

using testing::HasSubstr;

TEST(Process, keeps_output_and_exit_status) {
    const Finished done = run("/bin/sh", {"-c", "echo out; echo err >&2; exit 3"}, 10s);
    EXPECT_TRUE(done.ended.exited(3)) << done.ended.text();
    EXPECT_EQ(done.output, "out\n");
    EXPECT_EQ(done.errors, "err\n");
}

TEST(Process, passes_input_environment_and_folder) {
    const TempDir dir;
    ProcessOptions options;
    options.input = "hello";
    options.env["TELPHER_TEST_WORD"] = "word";
    options.cwd = dir.path();
    const Finished done = run("/bin/sh", {"-c", "cat; echo \" $TELPHER_TEST_WORD\"; pwd"}, 10s, options);
    EXPECT_EQ(done.output, "hello word\n" + dir.path().string() + "\n");
}

TEST(Process, bounds_what_it_keeps) {
    ProcessOptions options;
    options.output_bytes_max = 10'000;
    const Finished done =
        run("/bin/sh", {"-c", "i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done"}, 30s, options);
    EXPECT_LE(done.output.size(), 10'000U);
    EXPECT_THAT(done.output, HasSubstr("line 4999\n")) << "the end is what a failing test needs";
}

TEST(Process, says_that_a_program_cannot_be_started) {
    EXPECT_THROW(Process("/nowhere/at/all", {}), std::runtime_error);
}

TEST(Process, waits_with_a_deadline_and_for_output) {
    Process process("/bin/sh", {"-c", "echo ready; exec tail -f /dev/null"});
    EXPECT_TRUE(process.wait_for_output("ready", 10s));
    EXPECT_FALSE(process.wait_for_output("never", 10ms));
    EXPECT_FALSE(process.wait(10ms).has_value());
    EXPECT_TRUE(process.running());
}

TEST(Process, signals_and_reports_the_signal) {
    Process process("/bin/sh", {"-c", "echo ready; exec tail -f /dev/null"});
    ASSERT_TRUE(process.wait_for_output("ready", 10s));
    process.signal(SIGTERM);
    const auto ended = process.wait(10s);
    ASSERT_TRUE(ended.has_value());
    EXPECT_TRUE(ended->killed_by(SIGTERM)) << ended->text();
    EXPECT_FALSE(process.running());
}

TEST(Process, kills_its_children_too) {
    pid_t child = 0;
    {
        Process process("/bin/sh", {"-c", "tail -f /dev/null & echo child $!; wait"});
        ASSERT_TRUE(process.wait_for_output("\n", 10s));
        child = std::stoi(process.output().substr(6));
        ASSERT_EQ(::kill(child, 0), 0);
    }
    // Dead, though init may not have reaped it yet: a zombie has no command line.
    const auto gone = [child] {
        std::ifstream command_line("/proc/" + std::to_string(child) + "/cmdline");
        return command_line.peek() == std::ifstream::traits_type::eof();
    };
    EXPECT_TRUE(eventually(10s, gone)) << "an orphan of the test lives on";
}

TEST(Process, limits_and_counts_descriptors) {
    ProcessOptions options;
    options.descriptors = {64, 128};
    Process process("/bin/sh", {"-c", "ulimit -Sn; ulimit -Hn; exec 7</dev/null 8</dev/null; exec tail -f /dev/null"},
                    options);
    ASSERT_TRUE(process.wait_for_output("128\n", 10s));
    EXPECT_EQ(process.output(), "64\n128\n");
    EXPECT_TRUE(eventually(10s, [&] { return process.usage().descriptors >= 5; }));
    // Between the shell and tail, in the middle of its exec, a process holds next to nothing.
    EXPECT_TRUE(eventually(10s, [&] { return process.usage().resident_bytes > 100'000U; }));
    EXPECT_GE(process.usage().resident_peak_bytes, process.usage().resident_bytes / 2);
    EXPECT_EQ(process.usage().threads, 1U);
}

TEST(Process, counts_cpu_time) {
    Process process("/bin/sh", {"-c", "while :; do :; done"});
    EXPECT_TRUE(eventually(30s, [&] { return process.usage().cpu_seconds > 0.05; }));
    process.kill();
    EXPECT_EQ(process.usage().resident_bytes, 0U);
}

TEST(FreePort, is_below_the_range_of_outgoing_connections) {
    const auto port = free_port();
    EXPECT_GE(port, 20'000);
    EXPECT_LT(port, 32'768);
}

}  // namespace
}  // namespace telpher::test
