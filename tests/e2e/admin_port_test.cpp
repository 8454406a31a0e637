// The admin port of a real broker: under traffic, with a shard that is stopped, with a thousand queues, while it
// drains.
//
// Claim: what promtool says of the page; every metric of the dashboard and the alerts is there; scraping a thousand
// queues is quick and delays nobody's messages; a client that reads nothing holds up neither messages nor the stop; a
// process that hangs is found out.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <telpher/client.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <thread>

#include "proto/base/clock.h"
#include "tests/support/broker.h"
#include "tests/support/http_request.h"

namespace telpher::test {
namespace {

using testing::HasSubstr;

std::string read_file(const std::string& path) {
    std::ifstream file(TELPHER_SOURCE_DIR "/" + path);
    EXPECT_TRUE(file) << path;
    return {std::istreambuf_iterator<char>(file), {}};
}

class AdminPort : public testing::Test {
protected:
    HttpAnswer get(const std::string& target) const { return http_get(http_, target); }

    /// Messages through every state that a queue has.
    void traffic(Client& client) {
        QueueOptions small;
        small.maxsize = 10;
        small.on_full = OnFull::kReject;
        Queue queue = client.queue("jobs", small);
        for (int i = 0; i < 10; ++i) ASSERT_TRUE(queue.put("job").has_value());
        ASSERT_FALSE(queue.put("too much").has_value());
        for (int i = 0; i < 5; ++i) {
            auto message = queue.get(Millis(10'000));
            ASSERT_TRUE(message.has_value());
            if (i == 0) {
                message->nack(Millis(0));
            } else {
                ASSERT_TRUE(message->ack_confirmed(Millis(10'000)).has_value());
            }
        }
    }

    const std::uint16_t http_ = free_port();
    Broker broker_{{.args = {"--http", "127.0.0.1:" + std::to_string(http_)}, .descriptors = {}}};
};

TEST_F(AdminPort, page_is_what_prometheus_wants) {
    Client client(broker_.ipc());
    traffic(client);
    const HttpAnswer metrics = get("/metrics");
    ASSERT_EQ(metrics.status, 200);
    EXPECT_THAT(metrics.body, HasSubstr("telpher_messages_put_total{queue=\"jobs\"} 10\n"));
    EXPECT_THAT(metrics.body, HasSubstr("telpher_messages_acked_total{queue=\"jobs\"} 4\n"));
    EXPECT_THAT(metrics.body, HasSubstr("telpher_messages_nacked_total{queue=\"jobs\",reason=\"consumer\"} 1\n"));
    EXPECT_THAT(metrics.body, HasSubstr("telpher_messages_rejected_total{queue=\"jobs\",reason=\"full\"} 1\n"));
    EXPECT_THAT(metrics.body, HasSubstr("telpher_lease_seconds_count{queue=\"jobs\"} 4\n"));
    const std::filesystem::path page = broker_.dir() / "metrics.txt";
    std::ofstream(page) << metrics.body;
    const Finished checked = run(
        "/bin/sh", {"-c", "command -v promtool >/dev/null || exit 77; promtool check metrics <" + page.string()}, 30s);
    if (checked.ended.exited(77)) GTEST_SKIP() << "no promtool here (Debian package prometheus)";
    EXPECT_TRUE(checked.ended.ok()) << checked.output << checked.errors;
}

TEST_F(AdminPort, alerts_and_dashboard_name_what_there_is) {
    Client client(broker_.ipc());
    traffic(client);
    const std::string page = get("/metrics").body;
    std::set<std::string> there;
    const std::regex name("(^|\n)([a-z_]+)[{ ]");
    for (std::sregex_iterator at(page.begin(), page.end(), name), end; at != end; ++at) there.insert((*at)[2]);
    const std::regex metric("\\b(telpher|process)_[a-z_]+");
    for (const char* file : {"deploy/grafana/telpher.json", "deploy/prometheus/alerts.yml"}) {
        std::string text = read_file(file);
        text = std::regex_replace(text, std::regex("(summary|description)\"?:.*"), "");  // names families
        std::size_t named = 0;
        for (std::sregex_iterator at(text.begin(), text.end(), metric), end; at != end; ++at, ++named) {
            EXPECT_TRUE(there.contains(at->str())) << file << " names " << at->str();
        }
        EXPECT_GT(named, 8U) << file;
    }
}

TEST_F(AdminPort, alerts_fire_as_their_test_says) {
    const auto promtool = [](const std::string& args) {
        return run("/bin/sh",
                   {"-c", "command -v promtool >/dev/null || exit 77; cd " TELPHER_SOURCE_DIR
                          "/deploy/prometheus && promtool " +
                              args},
                   60s);
    };
    const Finished rules = promtool("check rules alerts.yml");
    if (rules.ended.exited(77)) GTEST_SKIP() << "no promtool here (Debian package prometheus)";
    EXPECT_TRUE(rules.ended.ok()) << rules.output << rules.errors;
    const Finished config = promtool("check config prometheus.yml");
    EXPECT_TRUE(config.ended.ok()) << config.output << config.errors;
    const Finished tests = promtool("test rules alerts_test.yml");
    EXPECT_TRUE(tests.ended.ok()) << tests.output << tests.errors;
}

TEST_F(AdminPort, json_is_what_the_command_line_shows) {
    {
        Client client(broker_.ipc());
        traffic(client);
    }
    Client watcher(broker_.ipc());
    ASSERT_TRUE(eventually(10s, [&] {
        const auto queue = watcher.show("jobs");
        return queue && queue->leased == 0 && queue->consumers == 0 && queue->producers == 0;
    }));
    const Finished shown = run(program("telpher"), {"-s", broker_.ipc(), "-o", "json", "queue", "show", "jobs"}, 20s);
    ASSERT_TRUE(shown.ended.ok()) << shown.errors;
    std::string same = shown.output.substr(0, shown.output.find_last_of('}'));
    const HttpAnswer queue = get("/api/v1/queues/jobs");
    EXPECT_EQ(queue.status, 200);
    EXPECT_THAT(queue.body, testing::StartsWith(same));
    EXPECT_THAT(queue.body, HasSubstr("\"scaling\":{\"backlog\":6}"));
    EXPECT_THAT(get("/api/v1/status").body, HasSubstr("\"queues\":1"));
    EXPECT_THAT(get("/api/v1/clients").body, HasSubstr("\"connected\":true"));
    EXPECT_EQ(get("/api/v1/queues/none").status, 404);
    EXPECT_EQ(get("/readyz?verbose").status, 200);
}

TEST_F(AdminPort, thousand_queues_are_scraped_and_stall_nobody) {
    Client client(broker_.ipc());
    for (int i = 0; i < 1000; ++i) ASSERT_TRUE(client.create("queue-" + std::to_string(i), {}).has_value());
    Queue queue = client.queue("queue-7");
    std::atomic<bool> done{false};
    std::vector<Duration> round_trips;
    std::thread user([&] {
        while (!done) {
            const Instant began = system_clock().now();
            if (!queue.put("x").has_value()) return;
            auto message = queue.get(Millis(10'000));
            if (!message || !message->ack_confirmed(Millis(10'000))) return;
            round_trips.push_back(system_clock().now() - began);
        }
    });
    std::vector<Duration> scrapes;
    for (int i = 0; i < 20; ++i) {
        const Instant began = system_clock().now();
        const HttpAnswer answer = get("/metrics");
        scrapes.push_back(system_clock().now() - began);
        EXPECT_EQ(answer.status, 200);
        EXPECT_THAT(answer.body, HasSubstr("telpher_lease_seconds_count{queue=\"queue-999\"} 0\n"));
    }
    done = true;
    user.join();
    const auto ms = [](Duration d) { return std::chrono::duration<double, std::milli>(d).count(); };
    std::sort(scrapes.begin(), scrapes.end());
    std::sort(round_trips.begin(), round_trips.end());
    ASSERT_FALSE(round_trips.empty());
    std::cout << "scrape of 1,000 queues: median " << ms(scrapes[scrapes.size() / 2]) << " ms, worst "
              << ms(scrapes.back()) << " ms; put-get-ack meanwhile: median " << ms(round_trips[round_trips.size() / 2])
              << " ms, worst " << ms(round_trips.back()) << " ms of " << round_trips.size() << "\n";
    EXPECT_LT(scrapes[scrapes.size() / 2], 500ms) << "a release build on an idle machine takes less than 50";
    EXPECT_LT(round_trips.back(), 1s);
}

TEST_F(AdminPort, who_reads_nothing_holds_up_nobody) {
    Client client(broker_.ipc());
    for (int i = 0; i < 1000; ++i) ASSERT_TRUE(client.create("queue-" + std::to_string(i), {}).has_value());
    std::vector<std::unique_ptr<HttpRequest>> stuck;
    for (int i = 0; i < 12; ++i) stuck.push_back(std::make_unique<HttpRequest>(http_, "/metrics"));
    Queue queue = client.queue("queue-1");
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(queue.put("x", {.timeout = Millis(10'000)}).has_value());
    const Instant began = system_clock().now();
    EXPECT_EQ(broker_.terminate(), Ended{});
    EXPECT_LT(system_clock().now() - began, 8s);
}

TEST_F(AdminPort, comes_and_goes_with_the_daemon) {
    EXPECT_EQ(get("/livez").status, 200);
    EXPECT_EQ(broker_.terminate(), Ended{});
    EXPECT_FALSE(HttpRequest(http_, "/livez").connected());
    broker_.start();
    EXPECT_EQ(get("/readyz").status, 200);
}

TEST_F(AdminPort, commands_say_how_it_is) {
    Client client(broker_.ipc());
    traffic(client);
    const auto telpher = [&](std::vector<std::string> args) {
        args.insert(args.begin(), {"-s", broker_.ipc()});
        return run(program("telpher"), args, 30s);
    };
    const Finished ready = telpher({"check", "ready", "--quiet"});
    EXPECT_TRUE(ready.ended.ok()) << ready.errors;
    EXPECT_EQ(ready.output, "");
    const Finished jobs =
        telpher({"check", "queue", "jobs", "--max-ready", "1000", "--min-consumers", "50", "--format", "nagios"});
    EXPECT_TRUE(jobs.ended.exited(2)) << jobs.ended.text();
    EXPECT_THAT(jobs.output, HasSubstr("TELPHER CRITICAL - jobs:"));
    const Finished top = telpher({"top", "-n", "2", "--interval", "100ms"});
    EXPECT_TRUE(top.ended.ok()) << top.errors;
    EXPECT_THAT(top.output, HasSubstr("QUEUE"));
    EXPECT_THAT(top.output, HasSubstr("jobs"));
    const Finished json = telpher({"-o", "json", "top", "-n", "1", "--interval", "100ms", "--sort", "in"});
    EXPECT_THAT(json.output, HasSubstr("\"in\":"));
    broker_.kill();
    const Finished gone = telpher({"--timeout", "500ms", "check", "ready", "-q"});
    EXPECT_TRUE(gone.ended.exited(1)) << gone.ended.text();
}

TEST(AdminPortAddress, one_that_was_asked_for_must_be_free) {
    const std::uint16_t port = free_port();
    const std::string address = "127.0.0.1:" + std::to_string(port);
    const Broker first({.args = {"--http", address}, .descriptors = {}});
    const TempDir dir;
    const Finished second = run(
        program("telpherd"),
        {"--data-dir", dir.path() / "data", "--listen", "ipc://" + (dir.path() / "b.sock").string(), "--http", address},
        20s);
    EXPECT_TRUE(second.ended.exited(69)) << second.ended.text() << second.errors;
    EXPECT_THAT(second.errors, HasSubstr("E_ADDRESS_IN_USE"));
    const Finished wide =
        run(program("telpherd"),
            {"--data-dir", dir.path() / "data", "--listen", "ipc://" + (dir.path() / "b.sock").string(), "--http",
             "0.0.0.0:" + std::to_string(port)},
            20s);
    EXPECT_THAT(wide.errors, HasSubstr("listen.http: "));
    EXPECT_TRUE(wide.ended.exited(78)) << wide.ended.text() << wide.errors;
}

}  // namespace
}  // namespace telpher::test
