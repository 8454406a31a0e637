#include "proto/command/manual.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

#include "cli/commands.h"

namespace telpher::command {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class Manual : public ::testing::Test {
protected:
    Manual() {
        cli::add_message_commands(program_);
        cli::add_queue_commands(program_);
    }

    std::string page(const std::vector<std::string>& path) { return man_page(program_.app(), path, 1).value(); }

    Program program_{"telpher", "Bounded queues"};
};

TEST_F(Manual, OfTheProgramNamesItsCommandsAndTheOptionsOfAll) {
    const std::string text = page({});
    EXPECT_THAT(text, StartsWith(".TH \"TELPHER\" \"1\""));
    EXPECT_THAT(text, HasSubstr(".BR telpher\\-put (1)"));
    EXPECT_THAT(text, HasSubstr("\\fB\\-s\\fR, \\fB\\-\\-server\\fR \\fIURL\\fR"));
}

TEST_F(Manual, OfACommandHoldsEveryOptionOfItAndNoneOfAll) {
    const std::string text = page({"run"});
    for (const CLI::Option* option : program_.app().get_subcommand("run")->get_options()) {
        for (const std::string& name : option->get_lnames()) {
            if (name == "help") continue;
            EXPECT_THAT(text, HasSubstr(man_text("--" + name))) << name;
        }
    }
    EXPECT_THAT(text, Not(HasSubstr("\\-\\-server")));
    EXPECT_THAT(text, HasSubstr(".BR telpher (1)"));
}

TEST_F(Manual, OfACommandWithCommandsDescribesThem) {
    const std::string text = page({"queue"});
    EXPECT_THAT(text, HasSubstr(".SS create\n"));
    EXPECT_THAT(text, HasSubstr("\\fBtelpher queue create\\fR"));
    EXPECT_THAT(text, HasSubstr("\\-\\-maxsize"));
}

TEST_F(Manual, KnowsWhatIsNotThere) { EXPECT_EQ(man_page(program_.app(), {"fly"}, 1).error().code(), Code::kUsage); }

TEST(ManText, IsNeitherARequestNorAnEscape) {
    EXPECT_EQ(man_text("a\\n-b"), "a\\en\\-b");
    EXPECT_EQ(man_text(".SH x"), "\\&.SH x");
    EXPECT_EQ(man_text("'x"), "\\(aqx");
}

}  // namespace
}  // namespace telpher::command
