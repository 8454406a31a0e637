// The configuration changes under a running daemon, and SIGHUP says so.
//
// Claim: what can be applied is, what needs a restart is named, and a mistake anywhere leaves everything as it was.
// Clients notice nothing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <telpher/client.h>

#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/broker.h"

namespace telpher::test {
namespace {

using testing::HasSubstr;

class ConfigChanged : public testing::Test {
protected:
    ConfigChanged() { write("defaults.queue.max_messages = 5\n"); }
    void write(const std::string& text) const { std::ofstream(dir_.path() / "telpherd.toml") << text; }
    BrokerOptions options() const { return {.args = {"--config", dir_.path() / "telpherd.toml"}, .descriptors = {}}; }
    /// How often the log says `event`.
    static std::size_t count(Broker& broker, const std::string& event) {
        std::istringstream lines(broker.process().errors());
        std::size_t found = 0;
        for (std::string line; std::getline(lines, line);) {
            const auto json = nlohmann::json::parse(line, nullptr, false);
            EXPECT_FALSE(json.is_discarded()) << "a line of the log is no JSON: " << line;
            if (!json.is_discarded() && json["event"] == event) ++found;
        }
        return found;
    }
    static void reload(Broker& broker, const std::string& event) {
        const std::size_t before = count(broker, event);
        broker.process().signal(SIGHUP);
        ASSERT_TRUE(eventually(20s, [&] { return count(broker, event) > before; })) << broker.process().errors();
    }
    static std::uint64_t maxsize_of_new(Client& client, const std::string& name) {
        client.queue(name);
        return client.show(name)->maxsize;
    }

    TempDir dir_;
};

TEST_F(ConfigChanged, what_can_be_applied_is_and_the_rest_is_named) {
    Broker broker(options());
    Client client(broker.ipc());
    EXPECT_EQ(maxsize_of_new(client, "first"), 5U);
    write("[defaults.queue]\nmax_messages = 7\n[storage]\ncache_bytes = '1MiB'\n[log]\nlevel = 'debug'\n");
    ASSERT_NO_FATAL_FAILURE(reload(broker, "config.reloaded"));
    EXPECT_TRUE(eventually(20s, [&, n = 0]() mutable {
        return maxsize_of_new(client, "second-" + std::to_string(n++)) == 7;  // from the shard's next round on
    }));
    EXPECT_EQ(client.show("first")->maxsize, 5U) << "a queue that is there keeps what it has";
    const std::string log = broker.process().errors();
    EXPECT_THAT(log, HasSubstr("defaults.queue.max_messages: '5' -> '7' (" + (dir_.path() / "telpherd.toml").string() +
                               ":2): applied now"));
    EXPECT_THAT(log, HasSubstr("storage.cache_bytes: '8MiB' -> '1MiB'"));
    EXPECT_THAT(log, HasSubstr("needs a restart"));
    EXPECT_THAT(log, HasSubstr("log.level: 'info' -> 'debug'"));
    EXPECT_TRUE(broker.terminate()->ok());
}

TEST_F(ConfigChanged, a_mistake_anywhere_leaves_everything_as_it_was) {
    Broker broker(options());
    Client client(broker.ipc());
    write("[defaults.queue]\nmax_messages = 7\nmax_byte = 1\n[log]\nlevel = 'loud'\n");
    ASSERT_NO_FATAL_FAILURE(reload(broker, "config.refused"));
    EXPECT_EQ(count(broker, "config.error"), 2U) << "all of them at once";
    EXPECT_THAT(broker.process().errors(), HasSubstr("did you mean 'max_bytes'?"));
    EXPECT_THAT(broker.process().errors(), HasSubstr("2 errors; nothing was changed"));
    EXPECT_EQ(maxsize_of_new(client, "after"), 5U);
    std::filesystem::remove(dir_.path() / "telpherd.toml");
    ASSERT_NO_FATAL_FAILURE(reload(broker, "config.refused"));
    write("defaults.queue.max_messages = 8\n");
    ASSERT_NO_FATAL_FAILURE(reload(broker, "config.reloaded"));
    EXPECT_TRUE(client.queue("after").put("still served").has_value());
}

}  // namespace
}  // namespace telpher::test
