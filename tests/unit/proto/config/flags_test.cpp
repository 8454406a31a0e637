#include "proto/config/flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

#include "tests/unit/proto/config/rope_options.h"

namespace telpher::config {
namespace {

class Flags : public testing::Test {
protected:
    /// Parses; the error's text, or nothing.
    std::string parse(std::vector<std::string> args) {
        CLI::App app;
        layer_.clear();
        add_flags(app, settings_, layer_);
        std::reverse(args.begin(), args.end());  // CLI11 takes a vector from its back
        try {
            app.parse(args);
        } catch (const CLI::ParseError& error) {
            return error.what();
        }
        return {};
    }
    std::string text(std::string_view path) {
        return format_text(settings_[*find(settings_, path)], layer_.at(*find(settings_, path)).value);
    }

    const Settings& settings_ = rope_table().settings();
    Layer layer_;
};

TEST_F(Flags, what_is_given_is_kept_and_nothing_else) {
    EXPECT_EQ(parse({"--end", "a,b", "--end", "c", "--wet", "--strands", "5", "--length", "2KiB", "--hold-ms", "250",
                     "--knot", "bowline"}),
              "");
    EXPECT_EQ(std::get<std::vector<std::string>>(layer_.at(*find(settings_, "rope.ends")).value),
              (std::vector<std::string>{"a,b", "c"}));
    EXPECT_EQ(text("rope.wet"), "true");
    EXPECT_EQ(text("rope.strands"), "5");
    EXPECT_EQ(text("rope.length"), "2KiB");
    EXPECT_EQ(text("rope.knot.hold"), "250ms");
    EXPECT_EQ(text("rope.knot.kind"), "bowline");
    EXPECT_EQ(layer_.at(*find(settings_, "rope.wet")).origin.text(), "flag --wet");
    EXPECT_FALSE(layer_.contains(*find(settings_, "name")));
}

TEST_F(Flags, a_switch_can_be_turned_off) {
    EXPECT_EQ(parse({"--wet=false"}), "");
    EXPECT_EQ(text("rope.wet"), "false");
}

TEST_F(Flags, what_makes_no_sense) {
    EXPECT_EQ(parse({"--strands", "10"}), "--strands must be 1..9, got 10");
    EXPECT_EQ(parse({"--hold-ms", "5s"}), "--hold-ms: not a whole number: '5s'");
    EXPECT_EQ(parse({"--knot", "granny"}), "--knot must be bowline or reef, got granny");
    EXPECT_NE(parse({"--name", "a", "--name", "b"}), "");
    EXPECT_NE(parse({"--secret-file", "x"}), "") << "a setting without a flag";
}

}  // namespace
}  // namespace telpher::config
