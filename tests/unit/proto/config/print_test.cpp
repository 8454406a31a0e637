#include "proto/config/print.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>

#include "proto/config/toml_reader.h"
#include "tests/unit/proto/config/rope_options.h"

namespace telpher::config {
namespace {

using testing::HasSubstr;

class Print : public testing::Test {
protected:
    Resolved configuration(std::vector<std::string> variables) const {
        Sources sources;
        sources.variables = std::move(variables);
        return resolve(settings_, sources);
    }
    void expect_reads_back(const std::string& text, const Resolved& expected) const {
        Layer layer;
        Problems problems;
        read_toml(settings_, text, "r.toml", layer, problems);
        for (const Problem& problem : problems) ADD_FAILURE() << problem.line();
        ASSERT_EQ(layer.size(), settings_.size()) << text;
        for (const auto& [index, given] : layer) {
            EXPECT_EQ(given.value, expected.values[index].value) << settings_[index].path;
        }
    }
    const Settings& settings_ = rope_table().settings();
};

TEST_F(Print, toml_reads_back_as_the_same) {
    const Resolved odd =
        configuration({"TELPHER_NAME=a \"quoted\" \\ back\nslash \x7f ü", "TELPHER_ROPE__ENDS=\"x\",y",
                       "TELPHER_ROPE__STRETCH=2", "TELPHER_ROPE__LENGTH=1025", "TELPHER_ROPE__KNOT__HOLD=90s"});
    ASSERT_TRUE(odd.ok());
    expect_reads_back(print_toml(settings_, odd, false), odd);
    expect_reads_back(print_toml(settings_, odd, true), odd);
}

TEST_F(Print, origins) {
    const Resolved resolved = configuration({"TELPHER_ROPE__STRANDS=5"});
    const std::string text = print_toml(settings_, resolved, true);
    EXPECT_THAT(text, HasSubstr("strands = 5  # env TELPHER_ROPE__STRANDS\n"));
    EXPECT_THAT(text, HasSubstr("wet = false  # default\n"));
    const auto json = nlohmann::json::parse(print_json(settings_, resolved, true));
    EXPECT_EQ(json["rope"]["strands"]["value"], 5);
    EXPECT_EQ(json["rope"]["strands"]["origin"], "env TELPHER_ROPE__STRANDS");
}

TEST_F(Print, json) {
    const auto json = nlohmann::json::parse(print_json(settings_, configuration({}), false));
    EXPECT_EQ(json["name"], "rope");
    EXPECT_EQ(json["rope"]["ends"], nlohmann::json({"left", "right"}));
    EXPECT_EQ(json["rope"]["wet"], false);
    EXPECT_EQ(json["rope"]["length"], "1MiB");
    EXPECT_EQ(json["rope"]["knot"], nlohmann::json({{"hold", "30s"}, {"kind", "reef"}}));
}

TEST_F(Print, the_example_holds_every_default) {
    const std::string text = print_commented(settings_, "# Head.\n");
    Layer layer;
    Problems problems;
    read_toml(settings_, text, "r.toml", layer, problems);
    EXPECT_TRUE(layer.empty() && problems.empty()) << "as it is, it says nothing";
    expect_reads_back(std::regex_replace(text, std::regex("#(\\w+ = )"), "$1"), configuration({}));
    EXPECT_THAT(text, HasSubstr("\n# Strands. 1..9. Needs a restart.\n#strands = 3\n"));
    EXPECT_THAT(text, HasSubstr("\n# Which knot. bowline or reef.\n#kind = \"reef\"\n"));
}

TEST_F(Print, the_reference_has_a_row_for_each) {
    const std::string text = print_markdown(settings_);
    EXPECT_THAT(text, HasSubstr("| `rope.strands` | `--strands N` | `3` | 1..9 | restart | Strands. |\n"));
    EXPECT_THAT(text, HasSubstr("| `rope.wet` | `--wet` | `false` |  | restart | Wet. |\n"));
    EXPECT_THAT(text, HasSubstr("| `rope.knot.hold` | `--hold-ms MS` | `\"30s\"` | 1ms or more | yes |"));
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), static_cast<std::ptrdiff_t>(settings_.size() + 2));
}

}  // namespace
}  // namespace telpher::config
