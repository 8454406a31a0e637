#include "proto/config/setting.h"

#include <gtest/gtest.h>

#include "tests/unit/proto/config/rope_options.h"

namespace telpher::config {
namespace {

const Setting& setting(std::string_view path) {
    return rope_table().settings().at(*find(rope_table().settings(), path));
}

Result<Value> parse(std::string_view path, std::string_view text) { return parse_text(setting(path), text, path); }

std::string why(std::string_view path, std::string_view text) {
    const auto parsed = parse(path, text);
    return parsed ? "good" : parsed.error().detail();
}

TEST(Setting, names) {
    const Setting& hold = setting("rope.knot.hold");
    EXPECT_EQ(hold.key(), "hold");
    EXPECT_EQ(hold.section(), "rope.knot");
    EXPECT_EQ(hold.variable(), "TELPHER_ROPE__KNOT__HOLD");
    EXPECT_EQ(setting("name").section(), "");
    EXPECT_EQ(setting("name").variable(), "TELPHER_NAME");
    EXPECT_EQ(sections(rope_table().settings()), (std::vector<std::string_view>{"rope", "rope.knot"}));
}

TEST(Setting, every_kind_is_read_and_written) {
    const std::vector<std::pair<std::string, std::string>> rows{
        {"name", "x y"},          {"rope.ends", "a,b"},     {"rope.wet", "true"},         {"rope.strands", "9"},
        {"rope.stretch", "1.25"}, {"rope.length", "64KiB"}, {"rope.knot.hold", "1500ms"}, {"rope.knot.kind", "bowline"},
    };
    for (const auto& [path, text] : rows) {
        const auto value = parse(path, text);
        ASSERT_TRUE(value) << path << ": " << value.error().detail();
        EXPECT_EQ(format_text(setting(path), *value), text) << path;
    }
}

TEST(Setting, what_it_may_not_be_is_refused_with_the_reason) {
    EXPECT_EQ(why("rope.strands", "0"), "rope.strands must be 1..9, got 0");
    EXPECT_EQ(why("rope.strands", "ten"), "rope.strands: not a whole number: 'ten'");
    EXPECT_EQ(why("rope.length", "12"), "rope.length must be 1KiB or more, got 12");
    EXPECT_EQ(why("rope.length", "1lightyear"), "rope.length: unknown unit in '1lightyear' (say 512, 64KiB or 1MB)");
    EXPECT_EQ(why("rope.knot.hold", "0"), "rope.knot.hold must be 1ms or more, got 0");
    EXPECT_EQ(why("rope.knot.kind", "granny"), "rope.knot.kind must be bowline or reef, got granny");
    EXPECT_EQ(why("rope.wet", "damp"), "rope.wet: not true or false: 'damp'");
    EXPECT_EQ(why("rope.stretch", "2.5"), "rope.stretch must be 0..2, got 2.5");
    EXPECT_EQ(why("rope.stretch", "nan"), "rope.stretch must be 0..2, got nan");
    EXPECT_EQ(why("rope.stretch", "1x"), "rope.stretch: not a number: '1x'");
}

TEST(Setting, the_table_fills_the_options) {
    RopeOptions options;
    const Settings& settings = rope_table().settings();
    Resolved resolved = resolve(settings, {});
    ASSERT_TRUE(resolved.ok());
    rope_table().store(resolved, options);
    EXPECT_EQ(options.strands, 3U);
    EXPECT_EQ(options.knot, Knot::kReef);
    EXPECT_EQ(options.ends, (std::vector<std::string>{"left", "right"}));
    const std::size_t kind = *find(settings, "rope.knot.kind");
    rope_table().store(kind, std::string("bowline"), options);
    EXPECT_EQ(options.knot, Knot::kBowline);
    rope_table().store(*find(settings, "rope.knot.hold"), std::uint64_t{7}, options);
    EXPECT_EQ(options.hold.count(), 7);
}

}  // namespace
}  // namespace telpher::config
