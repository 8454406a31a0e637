#include "proto/session/zmq_transport.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.hpp>

#include <string>

#include "proto/session/engine.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/proto/session/fake_network.h"

namespace telpher::session {
namespace {

constexpr int kPatienceMs = 10'000;

/// A ROUTER that the test holds, and a transport to it.
class ZmqTransportTest : public testing::Test {
protected:
    ZmqTransportTest() {
        router_.set(zmq::sockopt::linger, 0);
        router_.set(zmq::sockopt::rcvtimeo, kPatienceMs);
        router_.bind(endpoint_);
        transport_ = factory_->connect(endpoint_).value();
    }
    std::optional<TransportNews> wait_news() {
        for (;;) {
            if (auto news = transport_->news()) return news;
            pollfd waited{transport_->news_fd(), POLLIN, 0};
            if (poll(&waited, 1, kPatienceMs) <= 0) return std::nullopt;
        }
    }
    bool wait_message(Received& received) {
        for (;;) {
            if (transport_->receive(received).value()) return true;
            pollfd waited{transport_->message_fd(), POLLIN, 0};
            if (!transport_->readable() && poll(&waited, 1, kPatienceMs) <= 0) return false;
        }
    }
    std::string receive_part() {
        zmq::message_t message;
        return router_.recv(message) ? message.to_string() : "nothing";
    }
    void send_back(const std::string& id, const std::vector<std::string>& parts) {
        static_cast<void>(router_.send(zmq::buffer(id), zmq::send_flags::sndmore));
        for (std::size_t i = 0; i < parts.size(); ++i) {
            const auto flags = i + 1 < parts.size() ? zmq::send_flags::sndmore : zmq::send_flags::none;
            static_cast<void>(router_.send(zmq::buffer(parts[i]), flags));
        }
    }

    test::TempDir dir_;
    std::string endpoint_ = "ipc://" + (dir_.path() / "s").string();
    zmq::context_t context_;
    zmq::socket_t router_{context_, zmq::socket_type::router};
    std::unique_ptr<TransportFactory> factory_ = make_zmq_transports();
    std::unique_ptr<Transport> transport_;
};

TEST_F(ZmqTransportTest, CarriesHeadersAndBodiesOfAnySize) {
    const auto news = wait_news();
    ASSERT_TRUE(news);
    EXPECT_TRUE(news->up) << news->reason;
    const std::string large(300'000, 'b');
    const std::vector<Slice> bodies{Slice::own(std::string("small")), Slice::own(large)};
    ASSERT_TRUE(transport_->send("header", bodies));
    const std::string id = receive_part();
    EXPECT_EQ(receive_part(), "header");
    EXPECT_EQ(receive_part(), "small");
    EXPECT_EQ(receive_part(), large);

    send_back(id, {"answer", "little", large});
    Received received;
    ASSERT_TRUE(wait_message(received));
    EXPECT_EQ(received.header, "answer");
    ASSERT_EQ(received.body_count, 2U);
    EXPECT_EQ(as_text(received.bodies[0].bytes()), "little");
    const Slice kept = received.bodies[1];
    received = {};
    transport_.reset();
    factory_.reset();
    EXPECT_EQ(as_text(kept.bytes()), large) << "a body outlives the connection it came on";
}

TEST_F(ZmqTransportTest, RefusesTooManyFrames) {
    ASSERT_TRUE(wait_news());
    ASSERT_TRUE(transport_->send("header", {}));
    const std::string id = receive_part();
    receive_part();
    send_back(id, {"1", "2", "3", "4", "5"});
    Received received;
    Result<bool> result = transport_->receive(received);
    while (result && !*result) {
        pollfd waited{transport_->message_fd(), POLLIN, 0};
        if (!transport_->readable()) {
            ASSERT_GT(poll(&waited, 1, kPatienceMs), 0);
        }
        result = transport_->receive(received);
    }
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), Code::kProtocol);
}

TEST_F(ZmqTransportTest, TellsWhenTheOtherSideGoes) {
    ASSERT_TRUE(wait_news());
    router_.close();
    context_.close();
    const auto news = wait_news();
    ASSERT_TRUE(news);
    EXPECT_FALSE(news->up);
}

TEST(ZmqTransport, NobodyListensIsNewsToo) {
    const test::TempDir dir;
    const auto factory = make_zmq_transports();
    const auto transport = factory->connect("ipc://" + (dir.path() / "none").string()).value();
    std::optional<TransportNews> news;
    while (!(news = transport->news())) {
        pollfd waited{transport->news_fd(), POLLIN, 0};
        ASSERT_GT(poll(&waited, 1, kPatienceMs), 0);
    }
    EXPECT_FALSE(news->up);
    EXPECT_FALSE(news->reason.empty());
}

TEST(ZmqTransport, KnowsWhatAnEndpointIs) {
    for (const char* good : {"tcp://host:1", "tcp://[::1]:65535", "ipc:///a"})
        EXPECT_TRUE(legal_endpoint(good)) << good;
    for (const char* bad :
         {"", "host:1", "tcp://", "tcp://host", "tcp://:1", "tcp://host:", "tcp://host:0", "tcp://host:65536",
          "tcp://host:1x", "tcp://host:123456789012", "ipc://", "ipc:///", "ipc://relative", "inproc://x"}) {
        EXPECT_FALSE(legal_endpoint(bad)) << bad;
    }
}

TEST(Fork, EveryCallInTheChildFailsAndDestructorsEnd) {
    FakeNetwork net;
    auto engine = std::make_unique<Engine>(Engine::Config{}, net.factory(), system_clock());
    const pid_t child = fork();
    if (child == 0) {
        const bool refused =
            engine->call<v1::StatusIs>(v1::OP_STATUS, v1::Status{}, {}).error().code() == Code::kForked &&
            engine->open("jobs", {}, {}).error().code() == Code::kForked;
        engine.reset();
        _exit(refused ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace telpher::session
