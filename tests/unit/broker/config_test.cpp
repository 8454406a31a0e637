// telpherd's table of settings, and what is written from it: the example file and the reference page are to say what
// the table says.
#include "broker/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>

#include "proto/config/print.h"
#include "tests/support/temp_dir.h"

namespace telpher::broker {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string read_file(const std::string& path) {
    std::ifstream file(TELPHER_SOURCE_DIR "/" + path);
    EXPECT_TRUE(file) << path;
    return {std::istreambuf_iterator<char>(file), {}};
}

class DaemonConfig : public testing::Test {
protected:
    DaemonConfig() { invocation_.file_given = true; }
    Configuration with(const std::string& text) {
        invocation_.file = dir_.path() / "telpherd.toml";
        std::ofstream(invocation_.file) << text;
        return configure(invocation_);
    }
    std::vector<std::string> problems(const std::string& text) {
        std::vector<std::string> lines;
        for (const auto& problem : with(text).resolved.problems) {
            lines.push_back(problem.line().substr(dir_.path().string().size() + 1));
        }
        return lines;
    }

    test::TempDir dir_;
    Invocation invocation_;
};

TEST_F(DaemonConfig, the_example_is_what_the_table_writes) {
    EXPECT_EQ(read_file("deploy/telpherd.toml"), example_config())
        << "telpherd --print-config --commented > deploy/telpherd.toml";
}

TEST_F(DaemonConfig, the_reference_is_what_the_table_writes) {
    EXPECT_THAT(read_file("docs/reference/telpherd.toml.md"),
                testing::EndsWith("\n\n" + config::print_markdown(daemon_table().settings())))
        << "telpherd --print-config -o markdown";
}

TEST_F(DaemonConfig, names_are_unique_and_explained) {
    std::set<std::string> names;
    for (const config::Setting& setting : daemon_table().settings()) {
        EXPECT_TRUE(names.insert(setting.path).second) << setting.path;
        EXPECT_TRUE(names.insert(setting.variable()).second) << setting.path;
        EXPECT_TRUE(setting.flag.empty() || names.insert(setting.flag).second) << setting.flag;
        EXPECT_THAT(setting.help, testing::EndsWith(".")) << setting.path;
        EXPECT_EQ(setting.path.find("__"), std::string::npos) << setting.path;
    }
}

TEST_F(DaemonConfig, the_file_fills_the_options) {
    const Configuration made = with(
        "data_dir = '/d'\n"
        "[listen]\nclient = ['tcp://localhost:5670', 'ipc:///s']\n"
        "[limits]\nmessage_size = '2MiB'\nconnections = 7\ndisk_free = '1GiB'\n"
        "[defaults.queue]\nmax_messages = 50\nmax_bytes = '1MB'\non_full = 'reject'\ndurability = 'async'\nlease = "
        "'30s'\n"
        "[timing]\nheartbeat = '1s'\nsession_lease = '3s'\n"
        "[storage]\ncache_bytes = 4096\n"
        "[log]\nlevel = 'debug'\nformat = 'json'\n");
    for (const auto& problem : made.resolved.problems) ADD_FAILURE() << problem.line();
    const DaemonOptions& options = made.options;
    EXPECT_EQ(options.data_dir, "/d");
    EXPECT_THAT(options.listen, ElementsAre("tcp://127.0.0.1:5670", "ipc:///s"));
    EXPECT_EQ(options.message_bytes, 2U << 20);
    EXPECT_EQ(options.connections_max, 7U);
    EXPECT_EQ(options.disk_reserve_bytes, 1U << 30);
    const queue::Options queue{.maxsize = 50,
                               .max_bytes = 1'000'000,
                               .on_full = queue::OnFull::kReject,
                               .durability = queue::Durability::kAsync,
                               .lease_ms = 30'000};
    EXPECT_EQ(options.queue_defaults, queue);
    EXPECT_EQ(options.heartbeat_ms, 1'000U);
    EXPECT_EQ(options.session_lease_ms, 3'000U);
    EXPECT_EQ(options.cache_bytes, 4096U);
    EXPECT_EQ(options.log_level, "debug");
    EXPECT_EQ(options.log_format, service::LogFormat::kJson);
    EXPECT_EQ(options.segment_bytes, DaemonOptions().segment_bytes) << "not said";
}

TEST_F(DaemonConfig, what_fits_not_together_is_told_where_it_was_said) {
    EXPECT_THAT(problems("[limits]\nmessage_size = '16MiB'\n[storage]\nsegment_bytes = '9MiB'\n"
                         "[timing]\nheartbeat = '20s'\n"
                         "[listen]\nclient = ['tcp://0.0.0.0:1', 'carrier-pigeon://roof']\n"),
                ElementsAre(HasSubstr("telpherd.toml:8:1: error: listen.client: tcp://0.0.0.0:1 can be reached"),
                            HasSubstr("telpherd.toml:8:1: error: listen.client: carrier-pigeon://roof"),
                            HasSubstr("telpherd.toml:4:1: error: storage.segment_bytes must be at least"),
                            HasSubstr("telpherd.toml:6:1: error: timing.session_lease must be at least twice")));
    EXPECT_THAT(problems("listen.client = []\n"), ElementsAre(HasSubstr("listen.client must name an address")));
    EXPECT_THAT(problems("[listen]\ninsecure = true\nclient = 'tcp://0.0.0.0:1'\n"), ElementsAre());
}

TEST_F(DaemonConfig, the_default_file_is_not_for_dev) {
    EXPECT_TRUE(configure({.file = {}, .file_given = false, .dev = true}).resolved.ok());
    EXPECT_FALSE(configure({.file = dir_.path() / "absent", .file_given = true}).resolved.ok());
    EXPECT_TRUE(configure({.file = {}, .file_given = true}).resolved.ok()) << "--config ''";
}

}  // namespace
}  // namespace telpher::broker
