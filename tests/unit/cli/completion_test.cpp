#include "proto/command/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "tests/support/process.h"

namespace telpher::command {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

class Completion : public ::testing::Test {
protected:
    Completion() {
        cli::add_message_commands(program_);
        cli::add_queue_commands(program_);
        cli::add_completion_command(program_);
    }

    std::vector<std::string> words(const std::vector<std::string>& line) {
        std::vector<std::string> found;
        const QueueNames names = [this] {
            ++asked_;
            return std::vector<std::string>{"jobs", "mail"};
        };
        for (const Candidate& candidate : complete(program_.app(), line, names)) found.push_back(candidate.word);
        return found;
    }

    Program program_{"telpher", "Test"};
    int asked_ = 0;
};

TEST_F(Completion, OffersCommands) {
    EXPECT_THAT(words({"pe"}), ElementsAre("peek"));
    EXPECT_THAT(words({"queue", "re"}), ElementsAre("resume"));
    EXPECT_THAT(words({}), Contains("queue"));
}

TEST_F(Completion, OffersQueuesWhereOneMayStandAndAsksNobodyElsewhere) {
    EXPECT_THAT(words({"put", ""}), ElementsAre("jobs", "mail"));
    EXPECT_THAT(words({"put", "m"}), ElementsAre("mail"));
    EXPECT_THAT(words({"queue", "show", "j"}), ElementsAre("jobs"));
    EXPECT_EQ(asked_, 3);
    words({"put", "jobs", ""});  // the body
    words({"p"});
    EXPECT_EQ(asked_, 3);
}

TEST_F(Completion, OffersTheOptionsOfTheCommandAndThoseOfAll) {
    EXPECT_THAT(words({"get", "--wait"}), ElementsAre("--wait", "--wait-queue"));
    EXPECT_THAT(words({"get", "--"}), Contains("--server"));
    EXPECT_THAT(words({"get", "--"}), Not(Contains("--processes")));
    EXPECT_THAT(words({"--serv"}), ElementsAre("--server"));
}

TEST_F(Completion, LeavesValuesToTheShellAndGoesOnAfterThem) {
    EXPECT_THAT(words({"run", "--processes", ""}), IsEmpty());
    EXPECT_THAT(words({"-s", "ipc:///x", "pe"}), ElementsAre("peek"));
    EXPECT_THAT(words({"run", "--processes", "4", "jo"}), ElementsAre("jobs"));
    EXPECT_THAT(words({"run", "--wait-queue", "jo"}), ElementsAre("jobs"));
}

TEST_F(Completion, AfterTwoDashesEverythingIsTheShells) {
    EXPECT_THAT(words({"run", "jobs", "--", "--s"}), IsEmpty());
    EXPECT_THAT(words({"run", "jobs", "--", "l"}), IsEmpty());
}

TEST(CompletionScript, KnowsTwoShells) {
    EXPECT_TRUE(completion_script("bash"));
    EXPECT_TRUE(completion_script("zsh")->starts_with("#compdef "));
    EXPECT_EQ(completion_script("csh").error().code(), Code::kUsage);
}

/// What the script of bash asks for a line whose words bash has split so; the cursor is at its end.
std::string asked_by_bash(const std::string& line, const std::string& split) {
    const std::string script = std::string(*completion_script("bash")) +
                               "telpher() { printf '[%s]' \"$@\" >&3; }\nexec 3>&1\nCOMP_LINE='" + line +
                               "' COMP_WORDS=(" + split + ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_telpher\n";
    const test::Finished done = test::run("/bin/bash", {"-c", script}, std::chrono::seconds(20));
    return done.output + done.errors;
}

TEST(CompletionScript, BashPutsTogetherWhatItSplit) {
    EXPECT_EQ(asked_by_bash("telpher pe", "telpher pe"), "[__complete][pe]");
    EXPECT_EQ(asked_by_bash("telpher put ", "telpher put ''"), "[__complete][put][]");
    EXPECT_EQ(asked_by_bash("telpher -s ipc:///x pe", "telpher -s ipc : ///x pe"), "[__complete][-s][ipc:///x][pe]");
    EXPECT_EQ(asked_by_bash("telpher --server=tcp://h:1 get ", "telpher --server = tcp : //h : 1 get ''"),
              "[__complete][--server=tcp://h:1][get][]");
    EXPECT_EQ(asked_by_bash(R"(telpher -s "tcp://h:1" ge)", R"(telpher -s '"tcp://h:1"' ge)"),
              "[__complete][-s][tcp://h:1][ge]");
    EXPECT_EQ(asked_by_bash("telpher  get  --wait=", "telpher get --wait ="), "[__complete][get][--wait=]");
}

}  // namespace
}  // namespace telpher::command
