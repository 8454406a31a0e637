// Users who try what they have no right to, with the tools that people use.
//
// Claim: each op without its right ends with E_DENIED and exit status 77, is counted and logged, and changes nothing;
// with the right it works over the same connection.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <telpher/client.h>

#include "tests/support/broker.h"
#include "tests/support/key_ring.h"

namespace telpher::test {
namespace {

using testing::HasSubstr;

class RightsMissing : public testing::Test {
protected:
    RightsMissing()
        : producer_(keys_.add("producer", {"--put", "jobs*"})),
          consumer_(keys_.add("consumer", {"--get", "jobs", "--get", "other"})),
          owner_(keys_.add("owner", {"--admin-on", "mine.*"})),
          operator_(keys_.add("operator", {"--admin"})),
          broker_({.args = keys_.args()}) {
        EXPECT_TRUE(as(operator_, {"queue", "create", "jobs"}).ended.ok());
        EXPECT_TRUE(as(operator_, {"put", "jobs", "first"}).ended.ok());
    }
    Finished as(const std::string& key_file, std::vector<std::string> command) {
        std::vector<std::string> args{"-s", broker_.tcp(), "--key-file", key_file};
        args.insert(args.end(), command.begin(), command.end());
        return run(program("telpher"), args, 30s);
    }
    void expect_denied(const std::string& key_file, const std::vector<std::string>& command) {
        const Finished done = as(key_file, command);
        EXPECT_TRUE(done.ended.exited(77)) << command.front() << ": " << done.ended.text() << done.errors;
        EXPECT_THAT(done.errors, HasSubstr("E_DENIED")) << command.front();
    }
    void expect_allowed(const std::string& key_file, const std::vector<std::string>& command) {
        const Finished done = as(key_file, command);
        EXPECT_TRUE(done.ended.ok()) << command.front() << ": " << done.ended.text() << done.errors;
    }

    KeyRing keys_;
    const std::string producer_, consumer_, owner_, operator_;
    Broker broker_;
};

TEST_F(RightsMissing, a_producer_only_puts) {
    expect_allowed(producer_, {"put", "jobs", "x"});
    expect_allowed(producer_, {"queue", "show", "jobs"});
    expect_denied(producer_, {"get", "jobs"});
    expect_denied(producer_, {"run", "jobs", "--", "true"});
    expect_denied(producer_, {"peek", "jobs"});
    expect_denied(producer_, {"put", "other", "x"});
    expect_denied(producer_, {"put", "jobs.new", "x", "--create"});
    expect_denied(producer_, {"queue", "create", "jobs.new"});
    expect_denied(producer_, {"queue", "set", "jobs", "--maxsize", "5"});
    expect_denied(producer_, {"queue", "pause", "jobs"});
    expect_denied(producer_, {"queue", "rm", "jobs", "--yes"});
    expect_denied(producer_, {"status"});
    expect_allowed(producer_, {"seal", "jobs"});
    expect_denied(producer_, {"reopen", "jobs"});
}

TEST_F(RightsMissing, a_consumer_only_gets) {
    expect_denied(consumer_, {"put", "jobs", "x"});
    expect_denied(consumer_, {"seal", "jobs"});
    expect_allowed(consumer_, {"peek", "jobs"});
    const Finished got = as(consumer_, {"get", "jobs"});
    EXPECT_TRUE(got.ended.ok()) << got.errors;
    EXPECT_THAT(got.output, HasSubstr("first"));
    expect_allowed(operator_, {"seal", "jobs"});
    expect_allowed(consumer_, {"join", "jobs", "--timeout", "20s"});
}

TEST_F(RightsMissing, an_owner_does_everything_with_its_own) {
    expect_allowed(owner_, {"put", "mine.a", "x", "--create", "maxsize=5"});
    expect_allowed(owner_, {"queue", "set", "mine.a", "--maxsize", "7"});
    expect_allowed(owner_, {"get", "mine.a"});
    expect_denied(owner_, {"put", "jobs", "x"});
    expect_denied(owner_, {"queue", "show", "jobs"});
    const Finished list = as(owner_, {"queue", "ls"});
    EXPECT_THAT(list.output, HasSubstr("mine.a"));
    EXPECT_THAT(list.output, testing::Not(HasSubstr("jobs"))) << "what is not one's own is not listed";
}

TEST_F(RightsMissing, a_denial_is_counted_and_logged_and_ends_nothing) {
    ClientOptions options;
    options.server = broker_.tcp();
    options.key_file = consumer_;
    Client client(options);
    auto queue = client.open("jobs", {.create = false}, Millis(10'000));
    ASSERT_TRUE(queue) << queue.error().message();
    const auto put = queue->put("x");
    ASSERT_FALSE(put);
    EXPECT_EQ(put.error().code(), Code::kDenied);
    auto message = queue->get(Millis(10'000));
    ASSERT_TRUE(message) << "the same queue, for what is allowed: " << message.error().message();
    message->ack();
    EXPECT_TRUE(broker_.process().wait_for_errors("user consumer: OPEN_PRODUCER jobs", 5s))
        << broker_.process().errors();
    const Finished status = as(operator_, {"status", "-o", "json"});
    EXPECT_THAT(status.output, HasSubstr("\"denied\":1"));
}

}  // namespace
}  // namespace telpher::test
