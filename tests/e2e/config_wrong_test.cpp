// A configuration with mistakes in it: in the file, in a drop-in, in the environment.
//
// Claim: all of them are told at once, each where it is and with what was meant; the status is 78; nothing is touched.
// What is right can be printed with where it comes from.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/broker.h"

namespace telpher::test {
namespace {

using testing::HasSubstr;

constexpr Duration kAnswerWithin = 20s;
constexpr int kConfig = 78;

class ConfigWrong : public testing::Test {
protected:
    void write(const std::string& name, const std::string& text) const {
        std::filesystem::create_directories((dir_.path() / name).parent_path());
        std::ofstream(dir_.path() / name) << text;
    }
    [[nodiscard]] std::string file() const { return (dir_.path() / "telpherd.toml").string(); }
    [[nodiscard]] Finished telpherd(std::vector<std::string> args) const {
        args.insert(args.begin(), {"--config", file()});
        ProcessOptions options;
        options.env = env_;
        return run(program("telpherd"), std::move(args), kAnswerWithin, options);
    }

    TempDir dir_;
    std::map<std::string, std::string> env_{{"TELPHER_SERVER", "ipc:///nobody"}, {"TELPHER_QUEUE", "jobs"}};
};

TEST_F(ConfigWrong, every_mistake_is_told_and_nothing_is_changed) {
    write("telpherd.toml", "data_dir = '" + (dir_.path() / "data").string() +
                               "'\n[defaults.queue]\non_ful = 'block'\nmax_messages = 0\n");
    write("conf.d/10.toml", "[log]\nlevel = 'loud'\n");
    env_["TELPHER_LIMITS__CONNECTION"] = "5";
    const std::string expected =
        file() + ":3:1: error: unknown key 'on_ful' in [defaults.queue]; did you mean 'on_full'?\n" + file() +
        ":4:16: error: defaults.queue.max_messages must be 1..1000000000, got 0\n" +
        (dir_.path() / "conf.d/10.toml").string() +
        ":2:9: error: log.level must be trace, debug, info, warn or error, got loud\n"
        "TELPHER_LIMITS__CONNECTION: error: unknown setting; did you mean TELPHER_LIMITS__CONNECTIONS?\n"
        "telpherd: E_CONFIG: 4 errors; nothing was changed\n";
    for (const std::vector<std::string>& args :
         {std::vector<std::string>{"--check-config"}, {"--print-config"}, {}, {"--dev"}}) {
        const Finished done = telpherd(args);
        EXPECT_TRUE(done.ended.exited(kConfig)) << done.ended.text();
        EXPECT_EQ(done.errors, expected);
        EXPECT_EQ(done.output, "");
    }
    EXPECT_FALSE(std::filesystem::exists(dir_.path() / "data"));
}

TEST_F(ConfigWrong, a_file_that_is_not_there) {
    const Finished done = telpherd({"--check-config"});
    EXPECT_TRUE(done.ended.exited(kConfig)) << done.ended.text();
    EXPECT_THAT(done.errors, HasSubstr("cannot be read: No such file or directory"));
}

TEST_F(ConfigWrong, what_is_right_is_printed_with_its_origin) {
    write("telpherd.toml", "[limits]\nmessage_size = '2MiB'\nconnections = 20\ndisk_free = '1MiB'\n");
    write("conf.d/10.toml", "[storage]\ncache_bytes = '1MiB'\n");
    env_["TELPHER_LIMITS__CONNECTIONS"] = "30";
    env_["TELPHER_LIMITS__DISK_FREE"] = "2MiB";
    EXPECT_TRUE(telpherd({"--check-config"}).ended.ok());
    const Finished done =
        telpherd({"--disk-reserve", "3MiB", "--heartbeat-ms", "1500", "--print-config", "--origin", "-o", "json"});
    ASSERT_TRUE(done.ended.ok()) << done.errors;
    const auto json = nlohmann::json::parse(done.output);
    const auto expect = [&](const char* section, const char* key, const nlohmann::json& value,
                            const std::string& origin) {
        EXPECT_EQ(json[section][key], (nlohmann::json{{"value", value}, {"origin", origin}}));
    };
    expect("limits", "message_size", "2MiB", file() + ":2");
    expect("limits", "connections", 30, "env TELPHER_LIMITS__CONNECTIONS");
    expect("limits", "disk_free", "3MiB", "flag --disk-reserve");
    expect("timing", "heartbeat", "1500ms", "flag --heartbeat-ms");
    expect("storage", "cache_bytes", "1MiB", (dir_.path() / "conf.d/10.toml").string() + ":2");
    expect("storage", "segment_bytes", "64MiB", "default");
    // What is printed is a configuration.
    const Finished printed = telpherd({"--print-config"});
    write("telpherd.toml", printed.output);
    std::filesystem::remove_all(dir_.path() / "conf.d");
    EXPECT_EQ(telpherd({"--print-config"}).output, printed.output);
}

}  // namespace
}  // namespace telpher::test
