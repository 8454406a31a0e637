// A user whose queues may hold so much and no more, with the tools that people use.
//
// Claim: what would be too much is refused with E_LIMIT and leaves nothing behind; what there is goes on; the quota
// holds over a restart and is another one after a SIGHUP.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <functional>

#include "proto/security/user_file.h"
#include "tests/support/broker.h"
#include "tests/support/key_ring.h"

namespace telpher::test {
namespace {

using testing::HasSubstr;

class QuotaReached : public testing::Test {
protected:
    QuotaReached()
        : shop_(keys_.add(
              "shop", {"--admin-on", "shop.*", "--max-queues", "2", "--max-messages", "1000", "--max-bytes", "1MiB"})),
          ops_(keys_.add("ops", {"--admin"})),
          broker_({.args = keys_.args()}) {}

    Finished as(const std::string& key_file, std::vector<std::string> command) {
        std::vector<std::string> args{"-s", broker_.tcp(), "--key-file", key_file};
        args.insert(args.end(), command.begin(), command.end());
        return run(program("telpher"), args, 30s);
    }
    Finished create(const std::string& name, const std::string& maxsize, const std::string& max_bytes) {
        return as(shop_, {"queue", "create", name, "--maxsize", maxsize, "--max-bytes", max_bytes});
    }
    /// Another quota in the user's file, and a SIGHUP.
    void allow(const security::Quota& quota) {
        const auto path = security::user_path(keys_.users(), "shop");
        security::UserFile user = security::read_user_file(path).value();
        user.quota = quota;
        std::ofstream(path) << format(user);
        broker_.process().signal(SIGHUP);
    }
    /// A reload takes effect when the shard has seen it.
    static bool becomes(bool ok, const std::function<Finished()>& done) {
        return eventually(
            10s, [&] { return done().ended.ok() == ok; }, 20ms);
    }
    static void expect_refused(const Finished& done, const std::string& why) {
        EXPECT_FALSE(done.ended.ok());
        EXPECT_THAT(done.errors, HasSubstr("E_LIMIT"));
        EXPECT_THAT(done.errors, HasSubstr(why));
    }

    KeyRing keys_;
    const std::string shop_, ops_;
    Broker broker_;
};

TEST_F(QuotaReached, nothing_is_made_beyond_it) {
    ASSERT_TRUE(create("shop.a", "600", "512KiB").ended.ok());
    expect_refused(create("shop.b", "401", "1KiB"), "messages: 600 in other queues, 401 asked, 1000 allowed");
    expect_refused(create("shop.b", "1", "513KiB"), "bytes: 524288 in other queues");
    expect_refused(create("shop.b", "1", "0"), "needs max_bytes");
    expect_refused(as(shop_, {"put", "shop.b", "x", "--create", "maxsize=401"}), "messages");
    EXPECT_FALSE(as(shop_, {"queue", "show", "shop.b"}).ended.ok()) << "a refused one is not there";
    ASSERT_TRUE(create("shop.b", "400", "512KiB").ended.ok());
    expect_refused(create("shop.c", "1", "1KiB"), "quota of user shop: ");
    expect_refused(as(ops_, {"queue", "set", "shop.a", "--maxsize", "601"}), "quota of user shop: messages");
    EXPECT_TRUE(as(ops_, {"queue", "create", "ops.a"}).ended.ok()) << "others have none";

    broker_.kill();
    broker_.start();
    EXPECT_THAT(as(shop_, {"queue", "show", "shop.a", "-o", "json"}).output, HasSubstr("\"owner\":\"shop\""));
    expect_refused(create("shop.c", "1", "1KiB"), "2 queues of 2");
    EXPECT_TRUE(as(shop_, {"put", "shop.a", "x"}).ended.ok());
    EXPECT_TRUE(as(shop_, {"queue", "rm", "shop.b", "--yes"}).ended.ok());
    EXPECT_TRUE(create("shop.c", "400", "512KiB").ended.ok()) << "what was removed is free again";
}

TEST_F(QuotaReached, a_changed_one_counts_after_the_reload) {
    ASSERT_TRUE(create("shop.a", "600", "512KiB").ended.ok());
    ASSERT_TRUE(create("shop.b", "400", "512KiB").ended.ok());
    expect_refused(create("shop.c", "1", "1KiB"), "2 queues of 2");
    allow({.queues = 3, .messages = 1001, .bytes = 2 << 20});
    EXPECT_TRUE(becomes(true, [&] { return create("shop.c", "1", "1KiB"); }));

    allow({.queues = 1, .messages = 10, .bytes = 10});
    // As long as the old one counts, the second makes the queue larger: the first takes that back.
    EXPECT_TRUE(becomes(false, [&] {
        as(shop_, {"queue", "set", "shop.c", "--max-bytes", "1KiB"});
        return as(shop_, {"queue", "set", "shop.c", "--max-bytes", "2KiB"});
    }));
    expect_refused(as(shop_, {"queue", "set", "shop.c", "--max-bytes", "2KiB"}), "1048576 in other queues");
    EXPECT_TRUE(as(shop_, {"put", "shop.a", "x"}).ended.ok()) << "what there is goes on";
    EXPECT_TRUE(as(shop_, {"queue", "set", "shop.a", "--maxsize", "599"}).ended.ok()) << "and may become smaller";

    allow({});
    EXPECT_TRUE(becomes(true, [&] { return create("shop.d", "1000000", "0"); }));
}

TEST_F(QuotaReached, it_is_shown_and_outlives_another_key) {
    keys_.rekey("shop");
    const auto user = [&](std::vector<std::string> args) {
        args.insert(args.begin(), "user");
        args.insert(args.end(), {"--dir", keys_.users()});
        return run(program("telpher"), std::move(args), 20s);
    };
    EXPECT_THAT(user({"show", "shop"}).output, HasSubstr("quota        2 queues, 1000 messages, 1MiB\n"));
    EXPECT_THAT(user({"ls"}).output, HasSubstr("2 queues, 1000 messages, 1MiB"));
    EXPECT_THAT(user({"show", "shop", "-o", "json"}).output,
                HasSubstr(R"("quota":{"queues":2,"messages":1000,"bytes":1048576})"));
    for (const char* flag : {"--max-queues", "--max-messages", "--max-bytes"}) {
        for (const char* bad : {"0", "-1", "18446744073709551616", "many"}) {
            const Finished done = user({"add", "bob", flag, bad});
            EXPECT_TRUE(done.ended.exited(64)) << flag << " " << bad << ": " << done.ended.text();
            EXPECT_THAT(done.errors, HasSubstr(flag));
        }
    }
    EXPECT_FALSE(std::filesystem::exists(security::user_path(keys_.users(), "bob")));
}

}  // namespace
}  // namespace telpher::test
