// The pages of the admin port, without HTTP.
#include "broker/admin_pages.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace telpher::broker {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

AdminPages::Sources sources(Health health, std::function<Result<Sample>(SampleQuery)> sample) {
    return {.health = [health] { return health; }, .sample = std::move(sample), .log_dropped = [] { return 0; }};
}

Health well() {
    Health health;
    health.replayed = health.bound = true;
    return health;
}

Sample one_queue() {
    Sample sample;
    QueueSample& queue = sample.queues.emplace_back();
    queue.state.set_name("jobs");
    queue.state.set_ready(5);
    queue.state.set_leased(2);
    queue.state.set_delayed(9);
    queue.oldest_ready = 1500ms;
    sample.client_list.push_back({.name = "worker", .connected = true, .producers = 0, .consumers = 1, .silent = 20ms});
    return sample;
}

AdminPages pages(const Sample& sample = one_queue(), Health health = well()) {
    return AdminPages(sources(health, [sample](const SampleQuery&) { return sample; }));
}

json body(const http::Answer& answer) { return json::parse(answer.body); }

TEST(AdminPages, ReadyTellsWhyNot) {
    EXPECT_EQ(pages().answer("/readyz", {}).status, 200);
    EXPECT_EQ(body(pages().answer("/healthz", {})), json({{"ready", true}}));
    Health health = well();
    health.disk_full = true;
    health.draining = true;
    const auto answer = pages({}, health).answer("/readyz", {.queue = {}, .family = {}, .verbose = true});
    EXPECT_EQ(answer.status, 503);
    const json told = body(answer);
    EXPECT_EQ(told["ready"], false);
    EXPECT_EQ(told["checks"]["replayed"], true);
    EXPECT_EQ(told["checks"]["disk"], false);
    ASSERT_EQ(told["reasons"].size(), 2U);
    EXPECT_EQ(told["reasons"][1]["check"], "serving");
    EXPECT_EQ(pages({}, Health{}).answer("/readyz", {}).status, 503) << "the log is being read";
    EXPECT_EQ(pages({}, Health{}).answer("/livez", {}).status, 200) << "which is no reason to restart";
    health = well();
    health.failure = "E_IO: fdatasync: Input/output error";
    const json failed = body(pages({}, health).answer("/readyz", {}));
    EXPECT_EQ(failed["reasons"][0]["check"], "log");
    EXPECT_EQ(failed["reasons"][0]["reason"], "the log failed: E_IO: fdatasync: Input/output error");
    health = well();
    health.silent = 11s;
    EXPECT_EQ(pages({}, health).answer("/livez", {}).status, 503);
}

TEST(AdminPages, QueuesAreWhatTheCommandLineShows) {
    const json all = body(pages().answer("/api/v1/queues", {}));
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0]["name"], "jobs");
    EXPECT_EQ(all[0]["unfinished"], 16);
    EXPECT_EQ(all[0]["oldest_ready_age_ms"], 1500);
    EXPECT_EQ(body(pages().answer("/api/v1/queues/jobs", {}))["scaling"]["backlog"], 7);
    Sample paused = one_queue();
    paused.queues[0].state.set_paused(true);
    EXPECT_EQ(body(pages(paused).answer("/api/v1/queues/jobs", {}))["scaling"]["backlog"], 0);
    EXPECT_EQ(body(pages().answer("/api/v1/clients", {}))[0]["name"], "worker");
}

TEST(AdminPages, ErrorsAreJsonWithTheirCode) {
    EXPECT_EQ(pages().answer("/nowhere", {}).status, 404);
    const auto none = pages(Sample{}).answer("/api/v1/queues/jobs", {});
    EXPECT_EQ(none.status, 404);
    EXPECT_EQ(body(none)["error"]["code"], "E_NOT_FOUND");
    EXPECT_EQ(body(none)["error"]["detail"], "jobs");
    EXPECT_EQ(pages().answer("/api/v1/queues/.bad", {}).status, 400);
    const AdminPages stuck(sources(well(), [](const SampleQuery&) -> Result<Sample> { return fail(Code::kTimeout); }));
    for (const char* path : {"/metrics", "/api/v1/status", "/api/v1/queues", "/api/v1/queues/q", "/api/v1/clients"}) {
        const auto answer = stuck.answer(path, {});
        EXPECT_EQ(answer.status, 503) << path;
        EXPECT_EQ(body(answer)["error"]["code"], "E_TIMEOUT") << path;
    }
    EXPECT_EQ(stuck.answer("/livez", {}).status, 200);
}

}  // namespace
}  // namespace telpher::broker
