#include "proto/config/toml_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/temp_dir.h"
#include "tests/unit/proto/config/rope_options.h"

namespace telpher::config {
namespace {

using testing::ElementsAre;

class TomlReader : public testing::Test {
protected:
    const Settings& settings_ = rope_table().settings();
    Layer layer_;
    Problems problems_;

    std::vector<std::string> read(std::string_view text) {
        layer_.clear();
        problems_.clear();
        read_toml(settings_, text, "r.toml", layer_, problems_);
        std::vector<std::string> lines;
        for (const Problem& problem : problems_) lines.push_back(problem.line());
        return lines;
    }
    const Given& given(std::string_view path) { return layer_.at(*find(settings_, path)); }
    std::string text(std::string_view path) {
        return format_text(settings_[*find(settings_, path)], given(path).value);
    }
};

TEST_F(TomlReader, reads_every_kind_and_knows_where_it_was) {
    EXPECT_THAT(read("name = 'it'\n"
                     "[rope]\n"
                     "ends = ['a', \"b\"]\n"
                     "wet = true\n"
                     "strands = 4\n"
                     "stretch = 1\n"
                     "length = '2KiB'\n"
                     "  knot = { hold = '5s', kind = 'bowline' }\n"),
                ElementsAre());
    EXPECT_EQ(text("name"), "it");
    EXPECT_EQ(text("rope.ends"), "a,b");
    EXPECT_EQ(text("rope.wet"), "true");
    EXPECT_EQ(text("rope.strands"), "4");
    EXPECT_EQ(text("rope.stretch"), "1.0");
    EXPECT_EQ(text("rope.length"), "2KiB");
    EXPECT_EQ(text("rope.knot.hold"), "5s");
    EXPECT_EQ(text("rope.knot.kind"), "bowline");
    EXPECT_EQ(given("rope.strands").origin.text(), "r.toml:5");
    EXPECT_EQ(given("rope.strands").origin.place(), "r.toml:5:1");
    EXPECT_EQ(given("rope.knot.kind").origin.place(), "r.toml:8:25");
}

TEST_F(TomlReader, other_ways_to_write_the_same) {
    EXPECT_THAT(read("rope.length = 4096\nrope.ends = 'one'\n[rope.knot]\nhold = '1ms'"), ElementsAre());
    EXPECT_EQ(text("rope.length"), "4KiB");
    EXPECT_EQ(text("rope.ends"), "one");
}

TEST_F(TomlReader, tells_all_that_is_wrong_from_top_to_bottom) {
    EXPECT_THAT(read("nane = 'x'\n"
                     "strands = 3\n"
                     "[rope]\n"
                     "wte = true\n"
                     "strands = 12\n"
                     "length = -1\n"
                     "ends = ['a', 7]\n"
                     "wet = 'yes'\n"
                     "knot = 'reef'\n"
                     "[rpoe]\n"
                     "[[rope.list]]\n"),
                ElementsAre("r.toml:1:1: error: unknown key 'nane'; did you mean 'name'?",
                            "r.toml:2:1: error: unknown key 'strands'; did you mean 'rope.strands'?",
                            "r.toml:4:1: error: unknown key 'wte' in [rope]; did you mean 'wet'?",
                            "r.toml:5:11: error: rope.strands must be 1..9, got 12",
                            "r.toml:6:10: error: rope.length must be 1KiB or more, got -1",
                            "r.toml:7:8: error: rope.ends must be an array of strings, not a whole number",
                            "r.toml:8:7: error: rope.wet must be true or false, not a string",
                            "r.toml:9:1: error: [rope.knot] is a table, not a string",
                            "r.toml:10:2: error: unknown table [rpoe]; did you mean 'rope'?",
                            "r.toml:11:8: error: unknown key 'list' in [rope]"));
    EXPECT_TRUE(layer_.empty());
    EXPECT_EQ(sum_up(problems_), "10 errors; nothing was changed");
}

TEST_F(TomlReader, a_wrong_value_keeps_no_other_from_being_read) {
    EXPECT_THAT(read("[rope]\nstrands = 'x'\nwet = true\n"),
                ElementsAre("r.toml:2:11: error: rope.strands must be a whole number, not a string"));
    EXPECT_EQ(text("rope.wet"), "true");
    EXPECT_EQ(sum_up(problems_), "1 error; nothing was changed");
}

TEST_F(TomlReader, a_time_needs_its_unit) {
    EXPECT_THAT(read("rope.knot.hold = 30"),
                ElementsAre("r.toml:1:18: error: rope.knot.hold must be a time like \"30s\", not a whole number"));
}

TEST_F(TomlReader, a_quoted_key_with_a_dot_is_one_key) {
    EXPECT_THAT(read("\"rope.wet\" = true"), ElementsAre("r.toml:1:1: error: unknown key 'rope.wet'"));
}

TEST_F(TomlReader, what_is_no_toml) {
    const auto lines = read("name = 'x'\n[rope\n");
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_THAT(lines[0], testing::StartsWith("r.toml:2:"));
    EXPECT_EQ(read("name = \"\xff\"").size(), 1U);
    EXPECT_EQ(read("name = 1\nname = 2").size(), 1U);
    EXPECT_EQ(read(std::string(100'000, '[')).size(), 1U);
}

TEST_F(TomlReader, files_that_cannot_be_read) {
    const test::TempDir dir;
    const auto lines = [&](const std::filesystem::path& file) {
        problems_.clear();
        read_toml_file(settings_, file, layer_, problems_);
        return problems_.empty() ? "" : problems_.front().line();
    };
    EXPECT_THAT(lines(dir.path() / "absent"), testing::HasSubstr("absent: error: cannot be read: No such file"));
    EXPECT_THAT(lines(dir.path()), testing::HasSubstr("not a regular file"));
    std::ofstream(dir.path() / "large") << std::string((1 << 20) + 1, '#');
    EXPECT_THAT(lines(dir.path() / "large"), testing::HasSubstr("over 1MiB"));
    std::ofstream(dir.path() / "good") << std::string(1 << 20, '#');
    EXPECT_EQ(lines(dir.path() / "good"), "");
}

}  // namespace
}  // namespace telpher::config
