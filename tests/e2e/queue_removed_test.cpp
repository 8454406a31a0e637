// A queue that is removed under those who use it.
//
// Claim: nobody hangs: every wait ends with NOT_FOUND, every command exits with its code, and the connection serves
// other queues, and a new one of the same name, as before.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <telpher/client.h>

#include <future>

#include "tests/support/broker.h"

namespace telpher::test {
namespace {

using testing::HasSubstr;

constexpr Millis kLimit{20'000};

class QueueRemoved : public testing::Test {
protected:
    std::future<Code> in_background(std::function<Code()> wait) {
        return std::async(std::launch::async, std::move(wait));
    }

    static void expect_not_found(std::future<Code>& waiting, const char* what) {
        ASSERT_EQ(waiting.wait_for(10s), std::future_status::ready) << what << " hangs";
        EXPECT_EQ(waiting.get(), Code::kNotFound) << what;
    }

    template <class T>
    static Code code_of(const Result<T>& result) {
        return result ? Code::kOk : result.error().code();
    }

    Broker broker_;
    Client client_{broker_.ipc()};
    Client other_{broker_.ipc()};
};

TEST_F(QueueRemoved, every_wait_of_the_library_ends) {
    Queue empty = client_.queue("empty");
    Queue full = client_.queue("full", {.maxsize = 1});
    ASSERT_TRUE(full.put("fills it"));
    auto get = in_background([&] { return code_of(empty.get(kLimit)); });
    auto next = in_background([&] {
        Consumer consumer = empty.consume();
        return code_of(consumer.next(kLimit));
    });
    auto run = in_background([&] { return empty.run({}, [](Message&) { return Verdict::ack(); }).ended; });
    auto put = in_background([&] { return code_of(full.put("waits", {.timeout = kLimit})); });
    auto join = in_background([&] { return code_of(full.join(kLimit)); });
    ASSERT_TRUE(eventually(10s, [&] { return other_.show("full")->blocked_producers == 1; }));
    ASSERT_TRUE(eventually(10s, [&] { return other_.show("empty")->consumers == 3; }));
    Queue sealing = other_.queue("full", {.create = false});  // opened before it goes
    auto seal = in_background([&] { return code_of(sealing.seal(kLimit)); });
    ASSERT_TRUE(other_.remove("empty", true));
    ASSERT_TRUE(other_.remove("full", true));
    expect_not_found(get, "get()");
    expect_not_found(next, "next()");
    expect_not_found(run, "run()");
    expect_not_found(put, "put()");
    expect_not_found(join, "join()");
    expect_not_found(seal, "seal()");
    EXPECT_EQ(code_of(full.put("x", {.timeout = kLimit})), Code::kNotFound) << "the handle stays useless";
}

TEST_F(QueueRemoved, its_name_is_free_for_another_on_the_same_connection) {
    Queue neighbour = client_.queue("neighbour");
    Queue first = client_.queue("jobs");
    ASSERT_TRUE(first.put("old"));
    auto held = first.get(kLimit);
    ASSERT_TRUE(held);
    ASSERT_TRUE(other_.remove("jobs", true));
    ASSERT_TRUE(eventually(10s, [&] { return code_of(first.get(Millis{0})) == Code::kNotFound; }));
    EXPECT_EQ(code_of(held->ack_confirmed(kLimit)), Code::kNotFound);
    Queue second = client_.queue("jobs");
    ASSERT_TRUE(second.put("new"));
    auto message = second.get(kLimit);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->text(), "new");
    message->ack();
    EXPECT_TRUE(neighbour.put("x"));
    EXPECT_EQ(client_.status()->kicked, 0U);
}

TEST_F(QueueRemoved, commands_say_so_and_exit) {
    constexpr int kFailed = 1;
    client_.queue("jobs");
    const std::vector<std::vector<std::string>> commands{
        {"get", "jobs"}, {"get", "jobs", "--follow"}, {"run", "jobs", "--", "cat"}, {"join", "jobs"}};
    std::vector<Process> running;
    for (auto args : commands) {
        args.insert(args.begin() + 1, {"-s", broker_.ipc()});
        running.emplace_back(program("telpher"), args);
    }
    ASSERT_TRUE(eventually(10s, [&] { return client_.show("jobs")->consumers == 3; }));
    ASSERT_TRUE(eventually(10s, [&] { return client_.status()->sessions >= 6; })) << "the join is there too";
    ASSERT_TRUE(client_.remove("jobs", true));
    for (std::size_t i = 0; i < running.size(); ++i) {
        const auto ended = running[i].wait(10s);
        ASSERT_TRUE(ended) << commands[i][0] << " hangs";
        EXPECT_TRUE(ended->exited(kFailed)) << commands[i][0] << ": " << ended->text();
        EXPECT_THAT(running[i].errors(), HasSubstr("E_NOT_FOUND")) << commands[i][0];
    }
}

}  // namespace
}  // namespace telpher::test
