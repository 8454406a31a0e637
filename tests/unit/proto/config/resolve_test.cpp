#include "proto/config/resolve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/temp_dir.h"
#include "tests/unit/proto/config/rope_options.h"

namespace telpher::config {
namespace {

using testing::ElementsAre;

class Resolve : public testing::Test {
protected:
    void write(const std::string& name, const std::string& text) const {
        const auto file = dir_.path() / name;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file) << text;
    }
    Resolved resolve_all() {
        sources_.file = dir_.path() / "r.toml";
        return resolve(settings_, sources_);
    }
    void flag(std::string_view path, Value value) {
        sources_.flags[*find(settings_, path)] = {std::move(value), {Origin::Kind::kFlag, "--flag"}};
    }
    std::string at(const Resolved& resolved, std::string_view path) const {
        const std::size_t index = *find(settings_, path);
        std::string origin = resolved.values[index].origin.text();
        if (const auto folder = origin.find(dir_.path().string()); folder != std::string::npos) {
            origin.erase(folder, dir_.path().string().size() + 1);
        }
        return format_text(settings_[index], resolved.values[index].value) + " | " + origin;
    }
    std::vector<std::string> lines(const Resolved& resolved) const {
        std::vector<std::string> found;
        for (const Problem& problem : resolved.problems) {
            std::string line = problem.line();
            for (std::size_t at = 0; (at = line.find(dir_.path().string())) != std::string::npos;) {
                line.erase(at, dir_.path().string().size() + 1);
            }
            found.push_back(line);
        }
        return found;
    }

    const Settings& settings_ = rope_table().settings();
    test::TempDir dir_;
    Sources sources_;
};

TEST_F(Resolve, each_key_is_from_its_highest_source) {
    write("r.toml", "name = 'file'\n[rope]\nstrands = 2\nlength = '2KiB'\nwet = true\n");
    write("conf.d/50.toml", "[rope]\nlength = '4KiB'\nstretch = 0.25\n");
    sources_.variables = {"TELPHER_ROPE__STRANDS=4", "TELPHER_ROPE__LENGTH=8KiB", "TELPHER_NAME="};
    flag("rope.length", std::uint64_t{16'384});
    const Resolved resolved = resolve_all();
    EXPECT_THAT(lines(resolved), ElementsAre());
    EXPECT_EQ(at(resolved, "rope.length"), "16KiB | flag --flag");
    EXPECT_EQ(at(resolved, "rope.strands"), "4 | env TELPHER_ROPE__STRANDS");
    EXPECT_EQ(at(resolved, "rope.stretch"), "0.25 | conf.d/50.toml:3");
    EXPECT_EQ(at(resolved, "rope.wet"), "true | r.toml:5");
    EXPECT_EQ(at(resolved, "name"), "file | r.toml:1") << "an empty variable says nothing";
    EXPECT_EQ(at(resolved, "rope.knot.kind"), "reef | default");
}

TEST_F(Resolve, drop_ins_win_over_the_file_and_must_not_contradict_each_other) {
    write("r.toml", "[rope]\nstrands = 2\n");
    write("conf.d/a.toml", "[rope]\nstrands = 3\n");
    write("conf.d/b.toml", "name = 'x'\nrope.strands = 4\n");
    write("conf.d/.hidden.toml", "nonsense");
    write("conf.d/readme.txt", "nonsense");
    EXPECT_THAT(lines(resolve_all()), ElementsAre("conf.d/b.toml:2:6: error: 'rope.strands' is already set in "
                                                  "conf.d/a.toml:2:1: one of them must go"));
    std::filesystem::remove(dir_.path() / "conf.d/b.toml");
    EXPECT_EQ(at(resolve_all(), "rope.strands"), "3 | conf.d/a.toml:2");
}

TEST_F(Resolve, a_file_that_must_be_there) {
    EXPECT_TRUE(resolve_all().ok());
    sources_.file_required = true;
    EXPECT_THAT(lines(resolve_all()), ElementsAre("r.toml: error: cannot be read: No such file or directory"));
    write("r.toml", "");
    EXPECT_TRUE(resolve_all().ok());
}

TEST_F(Resolve, variables_of_others_are_theirs) {
    sources_.variables = {"TELPHER_SERVER=ipc:///x", "TELPHER_QUEUE=jobs",    "TELPHER_HEADER_A__B=c",
                          "TELPHER_ROPE=x",          "TELPHER_SEED=1",        "ROPE__STRANDS=77",
                          "TELPHER_KNOT__HOLD=1",    "TELPHER_ROPE__WET=true"};
    const Resolved resolved = resolve_all();
    EXPECT_THAT(lines(resolved), ElementsAre());
    EXPECT_EQ(at(resolved, "rope.wet"), "true | env TELPHER_ROPE__WET");
}

TEST_F(Resolve, variables_below_a_section_must_be_settings) {
    write("r.toml", "[rope]\nx = 1\n");
    sources_.variables = {"TELPHER_ROPE__STRAND=3", "TELPHER_ROPE__STRANDS=30", "TELPHER_ROPE__KNOT__QWERTY=1"};
    EXPECT_THAT(lines(resolve_all()),
                ElementsAre("r.toml:2:1: error: unknown key 'x' in [rope]",
                            "TELPHER_ROPE__STRAND: error: unknown setting; did you mean TELPHER_ROPE__STRANDS?",
                            "TELPHER_ROPE__STRANDS: error: rope.strands must be 1..9, got 30",
                            testing::StartsWith("TELPHER_ROPE__KNOT__QWERTY: error: unknown setting")));
}

TEST_F(Resolve, a_problem_of_several_settings_is_told_where_somebody_set_one) {
    write("r.toml", "[rope]\nlength = '2KiB'\n");
    Resolved resolved = resolve_all();
    resolved.complain(settings_, {"rope.strands", "rope.length"}, "too few");
    resolved.complain(settings_, {"rope.strands"}, "odd");
    EXPECT_THAT(lines(resolved), ElementsAre("r.toml:2:1: error: too few", "rope.strands: error: odd"));
    write("r.toml", "[rope]\nlength = '2'\n");
    resolved = resolve_all();
    resolved.complain(settings_, {"rope.strands", "rope.length"}, "too few");
    EXPECT_THAT(lines(resolved), ElementsAre("r.toml:2:10: error: rope.length must be 1KiB or more, got 2"));
}

TEST_F(Resolve, differences) {
    const Resolved before = resolve_all();
    write("r.toml", "name = 'rope'\n[rope]\nstrands = 4\n");
    const Resolved after = resolve_all();
    const auto found = changes(before, after);
    ASSERT_EQ(found.size(), 1U) << "the default, said again, is no difference";
    EXPECT_EQ(settings_[found[0].index].path, "rope.strands");
    EXPECT_EQ(found[0].before.value, Value(std::uint64_t{3}));
    EXPECT_EQ(found[0].after.value, Value(std::uint64_t{4}));
}

}  // namespace
}  // namespace telpher::config
