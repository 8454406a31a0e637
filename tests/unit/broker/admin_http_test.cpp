// The admin port: its pages without HTTP, and its server with clients that are slow, stuck or many.
#include "broker/admin_http.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <nlohmann/json.hpp>

#include "broker/admin_pages.h"
#include "tests/support/deadline.h"

namespace telpher::broker {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::HasSubstr;

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

json body(const AdminAnswer& answer) { return json::parse(answer.body); }

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

TEST(HttpAddress, OnlyLoopbackUnlessInsecure) {
    EXPECT_EQ(check_http_address("localhost:5680", false)->host, "127.0.0.1");
    EXPECT_EQ(check_http_address("[::1]:80", false)->host, "::1");
    EXPECT_EQ(check_http_address("127.0.0.1:*", false)->port, 0);
    EXPECT_FALSE(check_http_address("0.0.0.0:80", false));
    EXPECT_TRUE(check_http_address("0.0.0.0:80", true));
    EXPECT_FALSE(check_http_address("127.example.org:5680", false)) << "a name, not this host";
    for (const char* bad : {"", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:8x"}) {
        EXPECT_FALSE(check_http_address(bad, true)) << bad;
    }
}

/// A connection that sends `text` and no more.
int connected(int port, const std::string& text) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    if (!text.empty()) {
        EXPECT_GT(::send(fd, text.data(), text.size(), MSG_NOSIGNAL), 0);
    }
    return fd;
}

class AdminHttpTest : public testing::Test {
protected:
    AdminHttpTest()
        : http_(sources(well(), [](const SampleQuery&) { return one_queue(); }), system_clock(), {.request = 200ms}) {
        EXPECT_TRUE(http_.start({"127.0.0.1", 0}));
        port_ = std::stoi(http_.endpoint().substr(http_.endpoint().rfind(':') + 1));
    }
    ~AdminHttpTest() override {
        for (const int fd : open_) ::close(fd);
    }

    /// As connected(); closed at the end of the test.
    int connect(const std::string& text = {}) { return open_.emplace_back(connected(port_, text)); }
    httplib::Client client() {
        httplib::Client client("127.0.0.1", port_);
        client.set_read_timeout(20s);
        return client;
    }

    AdminHttp http_;
    int port_ = 0;
    std::vector<int> open_;
};

TEST_F(AdminHttpTest, Answers) {
    auto client = this->client();
    const auto metrics = client.Get("/metrics?queue=jobs&family=queue_ready");
    ASSERT_TRUE(metrics);
    EXPECT_EQ(metrics->status, 200);
    EXPECT_THAT(metrics->get_header_value("Content-Type"), HasSubstr("version=0.0.4"));
    EXPECT_THAT(metrics->body, HasSubstr("telpher_queue_ready_messages{queue=\"jobs\"} 5"));
    EXPECT_FALSE(metrics->has_header("Content-Encoding"));
    EXPECT_EQ(client.Get("/readyz?verbose")->status, 200);
    EXPECT_EQ(client.Get("/api/v1/queues/jobs")->status, 200);
    EXPECT_EQ(client.Head("/metrics")->status, 200);
    const auto post = client.Post("/api/v1/queues", "x", "text/plain");
    ASSERT_TRUE(post);
    EXPECT_EQ(post->status, 405);
    EXPECT_THAT(post->body, HasSubstr("E_UNSUPPORTED"));
    EXPECT_EQ(client.Get("/nowhere")->status, 404);
}

TEST_F(AdminHttpTest, TwoCannotHaveOneAddress) {
    AdminHttp second(sources(well(), [](const SampleQuery&) { return one_queue(); }), system_clock());
    const auto started = second.start({"127.0.0.1", port_});
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code(), Code::kAddressInUse);
}

TEST_F(AdminHttpTest, NobodyHoldsUpItsEnd) {
    connect();                              // says nothing
    connect("GET /metr");                   // stops in the middle
    connect("GET / HTTP/1.1\r\nA: b\r\n");  // ends no header
    for (int i = 0; i < 30; ++i) connect();
    const Instant began = system_clock().now();
    http_.stop();
    EXPECT_LT(system_clock().now() - began, 3s);
}

TEST_F(AdminHttpTest, TooManyAreToldToComeBack) {
    constexpr std::size_t kPlaces = 256;  // workers, and those who wait for one
    for (std::size_t i = 0; i < kPlaces + 10; ++i) connect("G");
    std::string last;
    const auto refused = [&] {
        std::size_t count = 0;
        for (const int fd : open_) {
            std::array<char, 1024> text{};
            const ssize_t got = ::recv(fd, text.data(), text.size(), MSG_PEEK | MSG_DONTWAIT);
            if (got <= 0) continue;
            last.assign(text.data(), static_cast<std::size_t>(got));
            ++count;
        }
        return count;
    };
    EXPECT_TRUE(test::eventually(4s, [&] { return refused() >= 10; }));
    EXPECT_THAT(last, testing::StartsWith("HTTP/1.1 503 "));
    EXPECT_THAT(last, HasSubstr("\"code\":\"E_BUSY\""));
}

TEST_F(AdminHttpTest, SlowClientsGoAndOthersGetTheirTurn) {
    for (int i = 0; i < 6; ++i) connect("GET /metr");
    const Instant began = system_clock().now();
    const auto answer = client().Get("/livez");  // waits until the slow ones are let go
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200);
    EXPECT_LT(system_clock().now() - began, 15s);
}

TEST_F(AdminHttpTest, ThoseWhoSayNothingKeepNobodyOut) {
    for (int i = 0; i < 200; ++i) connect();
    const Instant began = system_clock().now();
    const auto answer = client().Get("/livez");
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200);
    EXPECT_LT(system_clock().now() - began, 10s);
}

TEST(AdminHttpCrowded, HalfRequestsGoSooner) {
    AdminHttp http(sources(well(), [](const SampleQuery&) { return one_queue(); }), system_clock(),
                   {.request = 60s, .request_crowded = 50ms});
    ASSERT_TRUE(http.start({"127.0.0.1", 0}));
    const int port = std::stoi(http.endpoint().substr(http.endpoint().rfind(':') + 1));
    std::vector<int> open;
    for (int i = 0; i < 100; ++i) open.push_back(connected(port, "GET /metr"));
    httplib::Client client("127.0.0.1", port);
    client.set_read_timeout(20s);
    const auto answer = client.Get("/livez");
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200);
    for (const int fd : open) ::close(fd);
}

TEST_F(AdminHttpTest, EndlessHeadersEnd) {
    const int fd = connect("GET /livez HTTP/1.1\r\n");
    const std::string header = "A: " + std::string(1000, 'b') + "\r\n";
    int sent = 0;
    while (sent < 10'000 && ::send(fd, header.data(), header.size(), MSG_NOSIGNAL) > 0) ++sent;
    EXPECT_LT(sent, 10'000) << "the connection is closed";
}

}  // namespace
}  // namespace telpher::broker
