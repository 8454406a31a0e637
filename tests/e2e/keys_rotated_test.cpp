// Users and keys that change under a running broker: SIGHUP reads them again.
//
// Claim: what was added counts, what was removed ends, who is not concerned does not notice, and a mistake in one file
// changes nothing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <telpher/client.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <thread>

#include "proto/security/key_file.h"
#include "proto/security/user_file.h"
#include "tests/support/broker.h"
#include "tests/support/key_ring.h"

namespace telpher::test {
namespace {

class KeysRotated : public testing::Test {
protected:
    KeysRotated() : alice_(keys_.add("alice", {"--admin"})), broker_({.args = keys_.args()}) {}

    void reload() { broker_.process().signal(SIGHUP); }
    Code open_as(const std::string& key_file) {
        ClientOptions options;
        options.server = broker_.tcp();
        options.key_file = key_file;
        Client client(options);
        const auto opened = client.open("jobs", {}, Millis(10'000));
        return opened ? Code::kOk : opened.error().code();
    }
    /// A reload takes effect when the shard has seen it.
    bool becomes(const std::string& key_file, Code code) {
        return eventually(
            10s, [&] { return open_as(key_file) == code; }, 20ms);
    }

    KeyRing keys_;
    const std::string alice_;
    Broker broker_;
};

TEST_F(KeysRotated, a_key_that_somebody_has_is_nobody_elses) {
    const std::string key = security::read_public_key(alice_).value();
    const Finished done =
        run(program("telpher"), {"user", "add", "bob", "--dir", keys_.users(), "--public-key", key}, 20s);
    EXPECT_TRUE(done.ended.exited(78)) << done.ended.text();
    EXPECT_THAT(done.errors, testing::HasSubstr("user alice"));
    EXPECT_FALSE(std::filesystem::exists(security::user_path(keys_.users(), "bob")));
}

TEST_F(KeysRotated, a_user_that_cannot_be_added_gets_no_key_file) {
    const std::filesystem::path in_the_way = security::user_path(keys_.users(), "bob");
    std::filesystem::create_symlink("nowhere/else", in_the_way);  // no file to be found, and none to be made
    const std::filesystem::path out = broker_.dir() / "bob.key";
    const Finished done = run(
        program("telpher"),
        {"user", "add", "bob", "--dir", keys_.users(), "--server-key", keys_.server_key(), "--out", out.string()}, 20s);
    EXPECT_FALSE(done.ended.ok());
    EXPECT_EQ(done.output, "");
    EXPECT_FALSE(std::filesystem::exists(out)) << done.errors;
}

TEST_F(KeysRotated, a_new_user_comes_in_after_the_reload_and_not_before) {
    ASSERT_EQ(open_as(alice_), Code::kOk);
    const std::string bob = keys_.add("bob", {"--put", "jobs"});
    EXPECT_EQ(open_as(bob), Code::kAuth);
    reload();
    EXPECT_TRUE(becomes(bob, Code::kOk));
}

TEST_F(KeysRotated, a_removed_user_is_thrown_out_while_it_waits) {
    const std::string bob = keys_.add("bob", {"--get", "jobs"});
    reload();
    ASSERT_EQ(open_as(alice_), Code::kOk);
    ASSERT_TRUE(becomes(bob, Code::kOk));
    ClientOptions options;
    options.server = broker_.tcp();
    options.key_file = bob;
    Client client(options);
    auto queue = client.open("jobs", {.create = false}, Millis(10'000));
    ASSERT_TRUE(queue);
    std::atomic<int> ended{-1};
    std::thread waiting([&] {
        const auto got = queue->get(Millis(60'000));
        ended = got ? 0 : static_cast<int>(got.error().code());
    });
    keys_.remove("bob");
    reload();
    EXPECT_TRUE(eventually(10s, [&] { return ended >= 0; }));
    waiting.join();
    EXPECT_EQ(static_cast<Code>(ended.load()), Code::kAuth);
    EXPECT_EQ(open_as(bob), Code::kAuth);
}

TEST_F(KeysRotated, while_a_key_is_replaced_both_count) {
    const std::string fresh = keys_.rekey("alice");
    reload();
    EXPECT_TRUE(becomes(fresh, Code::kOk));
    EXPECT_EQ(open_as(alice_), Code::kOk);
    const std::string last = keys_.rekey("alice", {"--only"});
    reload();
    EXPECT_TRUE(becomes(alice_, Code::kAuth));
    EXPECT_EQ(open_as(fresh), Code::kAuth);
    EXPECT_EQ(open_as(last), Code::kOk);
}

TEST_F(KeysRotated, who_is_not_concerned_does_not_notice) {
    ClientOptions options;
    options.server = broker_.tcp();
    options.key_file = alice_;
    std::atomic<int> events{0};
    options.log = [&](const std::string&) { ++events; };
    Client client(options);
    Queue queue = client.queue("steady");
    const int before = events;
    for (int i = 0; i < 20; ++i) {
        keys_.add("user" + std::to_string(i), {"--put", "jobs"});
        reload();
        ASSERT_TRUE(queue.put("x"));
    }
    EXPECT_EQ(events, before) << "no connection was lost";
}

TEST_F(KeysRotated, a_mistake_in_one_file_changes_nothing) {
    const std::string bob = keys_.add("bob", {"--put", "jobs"});
    std::ofstream(keys_.users() / "carol.toml") << "public_keys = [\n";
    reload();
    EXPECT_TRUE(broker_.process().wait_for_errors("nothing was changed", 10s)) << broker_.process().errors();
    EXPECT_EQ(open_as(alice_), Code::kOk);
    EXPECT_EQ(open_as(bob), Code::kAuth) << "not even what is right in it";
    std::filesystem::remove(keys_.users() / "carol.toml");
    reload();
    EXPECT_TRUE(becomes(bob, Code::kOk));
}

}  // namespace
}  // namespace telpher::test
