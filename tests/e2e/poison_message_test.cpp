// Messages whose handling fails for good, through the commands as people use them.
//
// Claim: only they become dead letters, each with its reason; everything else is done once; they can be looked at,
// redriven and dropped, and the queue's end does not wait for them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <telpher/client.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "proto/base/clock.h"
#include "tests/support/broker.h"
#include "tests/support/process.h"

namespace telpher::test {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

class PoisonMessage : public testing::Test {
protected:
    Finished telpher(std::vector<std::string> args) {
        args.insert(args.begin(), {"-s", broker_.ipc()});
        return run(program("telpher"), std::move(args), 30s);
    }
    Json json(std::vector<std::string> args) {
        args.insert(args.end(), {"-o", "json"});
        const Finished done = telpher(std::move(args));
        EXPECT_TRUE(done.ended.ok()) << done.errors;
        return Json::parse(done.output, nullptr, false);
    }

    Broker broker_;
    Client client_{broker_.ipc()};
};

TEST_F(PoisonMessage, alone_becomes_a_dead_letter_with_its_reason) {
    Queue jobs = client_.queue("jobs", {.max_attempts = 3, .backoff = Millis(1), .backoff_max = Millis(2)});
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(jobs.put(i == 42 ? "poison" : "good"));
    ASSERT_TRUE(jobs.seal());
    std::atomic<int> good = 0;
    std::atomic<int> poison = 0;
    const RunResult result = jobs.run({.threads = 4}, [&](Message& message) -> Verdict {
        if (message.text() == "good") return ++good, Verdict::ack();
        ++poison;
        throw std::runtime_error("cannot digest this");
    });
    EXPECT_EQ(result.ended, Code::kEnd);
    EXPECT_EQ(good, 99);
    EXPECT_EQ(poison, 3);
    const auto joined = jobs.join(Millis(10'000));
    ASSERT_TRUE(joined);
    EXPECT_EQ(joined->dead, 1U);
    EXPECT_EQ(joined->acked, 99U);
    const auto dead = jobs.peek(10, 0, Millis(10'000), Peeked::State::kDead);
    ASSERT_TRUE(dead);
    ASSERT_EQ(dead->size(), 1U);
    EXPECT_EQ(dead->front().body, "poison");
    EXPECT_EQ(dead->front().reason, "cannot digest this");
    EXPECT_EQ(dead->front().cause, DeathCause::kAttempts);
    EXPECT_EQ(dead->front().attempts, 3U);
}

TEST_F(PoisonMessage, waits_longer_before_each_attempt) {
    Queue jobs = client_.queue("jobs", {.max_attempts = 4, .backoff = Millis(200)});
    ASSERT_TRUE(jobs.put("poison"));
    ASSERT_TRUE(jobs.seal());
    std::vector<Instant> at;
    jobs.run({}, [&](Message&) {
        at.push_back(system_clock().now());
        return Verdict::nack("no");
    });
    ASSERT_EQ(at.size(), 4U);
    EXPECT_GE(at[1] - at[0], 160ms);
    EXPECT_GE(at[2] - at[1], 320ms);
    EXPECT_GE(at[3] - at[2], 640ms);
}

TEST_F(PoisonMessage, is_shown_redriven_and_dropped_by_the_commands) {
    Queue jobs = client_.queue("jobs", {.maxsize = 10});
    for (int i = 0; i < 5; ++i) {
        ASSERT_TRUE(jobs.put("m" + std::to_string(i)));
        auto message = jobs.get(Millis(10'000));
        ASSERT_TRUE(message);
        message->dead("line one\nreason " + std::to_string(i));
    }
    ASSERT_TRUE(jobs.flush());
    EXPECT_THAT(telpher({"dead", "ls"}).output, HasSubstr("jobs"));
    EXPECT_THAT(telpher({"dead", "ls", "jobs"}).output, HasSubstr("reason 3"));
    const Json dead = json({"dead", "peek", "jobs"});
    ASSERT_EQ(dead.size(), 5U);
    EXPECT_EQ(dead[1]["body"], "m1");
    EXPECT_EQ(dead[1]["state"], "dead");
    EXPECT_EQ(dead[1]["cause"], "verdict");
    EXPECT_EQ(dead[1]["reason"], "line one\nreason 1");
    EXPECT_EQ(json({"peek", "jobs", "--state", "dead"}).size(), 5U);
    EXPECT_EQ(json({"peek", "jobs"}).size(), 0U);

    EXPECT_THAT(telpher({"dead", "redrive", "jobs", "--dry-run"}).output, HasSubstr("5 messages"));
    EXPECT_EQ(json({"dead", "redrive", "jobs", "--dry-run", "--id", "1", "--id", "77"})["messages"], 1);
    EXPECT_EQ(json({"dead", "redrive", "jobs", "--id", "1", "--id", "3"})["messages"], 2);
    EXPECT_EQ(json({"dead", "drop", "jobs", "--limit", "1", "--yes"})["messages"], 1);
    EXPECT_TRUE(telpher({"dead", "drop", "jobs"}).ended.exited(64)) << "nobody to ask";
    const Json show = json({"queue", "show", "jobs"});
    EXPECT_EQ(show["dead"], 2);
    EXPECT_EQ(show["died"], 5);
    EXPECT_EQ(show["ready"], 2);
    EXPECT_EQ(show["dropped"], 1);
    EXPECT_EQ(json({"dead", "redrive", "jobs", "--rate", "1000/s"})["messages"], 2);
    EXPECT_EQ(jobs.get(Millis(10'000))->text(), "m1") << "at its old place";
    EXPECT_TRUE(telpher({"dead", "peek", "absent"}).ended.exited(1));
}

TEST_F(PoisonMessage, redriven_into_a_full_queue_waits_for_room) {
    Queue jobs = client_.queue("jobs", {.maxsize = 1});
    ASSERT_TRUE(jobs.put("a"));
    jobs.get(Millis(10'000))->dead();
    ASSERT_TRUE(jobs.put("b"));  // the queue is full
    Process redrive(program("telpher"), {"-s", broker_.ipc(), "dead", "redrive", "jobs"});
    ASSERT_TRUE(redrive.wait_for_errors("waiting for room", 10s));
    ASSERT_TRUE(jobs.get(Millis(10'000))->ack_confirmed());
    EXPECT_EQ(redrive.wait(10s), Ended{});
    EXPECT_EQ(jobs.get(Millis(10'000))->text(), "a");
}

TEST_F(PoisonMessage, outlives_a_kill_of_the_broker) {
    Queue jobs = client_.queue("jobs", {.maxsize = 10});
    ASSERT_TRUE(jobs.put("m"));
    jobs.get(Millis(10'000))->dead("before the kill");
    ASSERT_TRUE(jobs.flush());
    broker_.kill();
    broker_.start();
    const Json dead = json({"dead", "peek", "jobs"});
    ASSERT_EQ(dead.size(), 1U);
    EXPECT_EQ(dead[0]["reason"], "before the kill");
}

}  // namespace
}  // namespace telpher::test
