// HTTP with clients that are slow, stuck or many.
#include "proto/http/http_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <optional>

#include "tests/support/deadline.h"

namespace telpher::http {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

Answer page(std::string_view path, const Parameters& parameters) {
    if (path == "/page") return {200, std::string(kMetricsType), parameters.queue + " " + parameters.family + "\n"};
    return error_answer(404, telpher::Error(Code::kUnsupported, "no such page"));
}

void nothing_goes_wrong(const std::string& text) { ADD_FAILURE() << text; }

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

class HttpServerTest : public testing::Test {
protected:
    HttpServerTest() : http_(page, nothing_goes_wrong, system_clock(), {.request = 200ms}) {
        EXPECT_TRUE(http_.start({"127.0.0.1", 0}));
        port_ = std::stoi(http_.endpoint().substr(http_.endpoint().rfind(':') + 1));
    }
    ~HttpServerTest() override {
        for (const int fd : open_) ::close(fd);
    }

    /// As connected(); closed at the end of the test.
    int connect(const std::string& text = {}) { return open_.emplace_back(connected(port_, text)); }
    httplib::Client client() {
        httplib::Client client("127.0.0.1", port_);
        client.set_read_timeout(20s);
        return client;
    }

    HttpServer http_;
    int port_ = 0;
    std::vector<int> open_;
};

TEST_F(HttpServerTest, Answers) {
    auto client = this->client();
    const auto got = client.Get("/page?queue=jobs&family=queue_ready");
    ASSERT_TRUE(got);
    EXPECT_EQ(got->status, 200);
    EXPECT_THAT(got->get_header_value("Content-Type"), HasSubstr("version=0.0.4"));
    EXPECT_EQ(got->body, "jobs queue_ready\n");
    EXPECT_FALSE(got->has_header("Content-Encoding"));
    EXPECT_EQ(client.Head("/page")->status, 200);
    const auto post = client.Post("/page", "x", "text/plain");
    ASSERT_TRUE(post);
    EXPECT_EQ(post->status, 405);
    EXPECT_THAT(post->body, HasSubstr("E_UNSUPPORTED"));
    EXPECT_EQ(client.Get("/nowhere")->status, 404);
}

TEST_F(HttpServerTest, TwoCannotHaveOneAddress) {
    HttpServer second(page, nothing_goes_wrong, system_clock());
    const auto started = second.start({"127.0.0.1", port_});
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code(), Code::kAddressInUse);
}

TEST_F(HttpServerTest, NobodyHoldsUpItsEnd) {
    connect();                              // says nothing
    connect("GET /pa");                     // stops in the middle
    connect("GET / HTTP/1.1\r\nA: b\r\n");  // ends no header
    for (int i = 0; i < 30; ++i) connect();
    const Instant began = system_clock().now();
    http_.stop();
    EXPECT_LT(system_clock().now() - began, 3s);
}

TEST_F(HttpServerTest, SlowClientsGoAndOthersGetTheirTurn) {
    for (int i = 0; i < 6; ++i) connect("GET /pa");
    const Instant began = system_clock().now();
    const auto answer = client().Get("/page");  // waits until the slow ones are let go
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200);
    EXPECT_LT(system_clock().now() - began, 15s);
}

TEST_F(HttpServerTest, ThoseWhoSayNothingKeepNobodyOut) {
    for (int i = 0; i < 200; ++i) connect();
    const Instant began = system_clock().now();
    const auto answer = client().Get("/page");
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200);
    EXPECT_LT(system_clock().now() - began, 10s);
}

TEST_F(HttpServerTest, EndlessHeadersEnd) {
    const int fd = connect("GET /page HTTP/1.1\r\n");
    const std::string header = "A: " + std::string(1000, 'b') + "\r\n";
    int sent = 0;
    while (sent < 10'000 && ::send(fd, header.data(), header.size(), MSG_NOSIGNAL) > 0) ++sent;
    EXPECT_LT(sent, 10'000) << "the connection is closed";
}

/// A server with that much patience, and connections that send the beginning of a request.
class HttpServerCrowded : public testing::Test {
protected:
    void crowd(Duration request_crowded, std::size_t connections) {
        http_.emplace(page, nothing_goes_wrong, system_clock(),
                      HttpLimits{.request = 60s, .request_crowded = request_crowded});
        ASSERT_TRUE(http_->start({"127.0.0.1", 0}));
        port_ = std::stoi(http_->endpoint().substr(http_->endpoint().rfind(':') + 1));
        for (std::size_t i = 0; i < connections; ++i) open_.push_back(connected(port_, "GET /pa"));
    }
    ~HttpServerCrowded() override {
        for (const int fd : open_) ::close(fd);
    }

    std::optional<HttpServer> http_;
    int port_ = 0;
    std::vector<int> open_;
};

TEST_F(HttpServerCrowded, HalfRequestsGoSooner) {
    crowd(50ms, 100);
    httplib::Client client("127.0.0.1", port_);
    client.set_read_timeout(20s);
    const auto answer = client.Get("/page");
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200);
}

TEST_F(HttpServerCrowded, TooManyAreToldToComeBack) {
    constexpr std::size_t kPlaces = 256;  // workers, and those who wait for one
    crowd(60s, kPlaces + 10);
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
    EXPECT_TRUE(test::eventually(20s, [&] { return refused() >= 10; }));
    EXPECT_THAT(last, testing::StartsWith("HTTP/1.1 503 "));
    EXPECT_THAT(last, HasSubstr("\"code\":\"E_BUSY\""));
}

}  // namespace
}  // namespace telpher::http
