// The raw peer against libzmq's own ROUTER, over tcp and ipc: what it sends is what ZeroMQ understands.

#include "tests/support/zmtp_peer.h"

#include <gtest/gtest.h>
#include <zmq.h>

#include "tests/support/broker.h"
#include "tests/support/temp_dir.h"

namespace telpher::test {
namespace {

constexpr std::int64_t kMessageBytesMax = 1024 * 1024;

/// A plain ROUTER with libzmq's defaults, but for the largest frame.
class Router {
public:
    explicit Router(const std::string& transport)
        : endpoint_(transport == "tcp" ? "tcp://127.0.0.1:" + std::to_string(free_port())
                                       : "ipc://" + (dir_.path() / "r.sock").string()) {
        const int limit_ms = 10'000;
        zmq_setsockopt(socket_, ZMQ_RCVTIMEO, &limit_ms, sizeof limit_ms);
        zmq_setsockopt(socket_, ZMQ_MAXMSGSIZE, &kMessageBytesMax, sizeof kMessageBytesMax);
        const int linger_ms = 0;
        zmq_setsockopt(socket_, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
        if (zmq_bind(socket_, endpoint_.c_str()) != 0) throw std::runtime_error(zmq_strerror(zmq_errno()));
    }
    Router(const Router&) = delete;
    Router& operator=(const Router&) = delete;
    ~Router() {
        zmq_close(socket_);
        zmq_ctx_term(context_);
    }

    [[nodiscard]] const std::string& endpoint() const { return endpoint_; }

    /// A whole message, routing id first; empty after 10 s. Keeps the User-Id of the frame after the routing id.
    std::vector<std::string> receive() {
        std::vector<std::string> frames;
        for (bool more = true; more;) {
            zmq_msg_t part;
            zmq_msg_init(&part);
            if (zmq_msg_recv(&part, socket_, 0) < 0) return {};
            frames.emplace_back(static_cast<const char*>(zmq_msg_data(&part)), zmq_msg_size(&part));
            more = zmq_msg_more(&part) != 0;
            const char* user = zmq_msg_gets(&part, "User-Id");
            if (frames.size() == 2) user_ = user == nullptr ? "" : user;
            zmq_msg_close(&part);
        }
        return frames;
    }
    [[nodiscard]] const std::string& user() const { return user_; }

    void send(const std::vector<std::string>& frames) {
        for (std::size_t i = 0; i < frames.size(); ++i) {
            ASSERT_GE(zmq_send(socket_, frames[i].data(), frames[i].size(), i + 1 < frames.size() ? ZMQ_SNDMORE : 0),
                      0);
        }
    }

private:
    TempDir dir_;
    void* context_ = zmq_ctx_new();
    void* socket_ = zmq_socket(context_, ZMQ_ROUTER);
    std::string endpoint_;
    std::string user_;
};

class ZmtpPeerTest : public testing::TestWithParam<std::string> {
protected:
    Router router_{GetParam()};
    ZmtpPeer peer_{router_.endpoint()};
};

TEST_P(ZmtpPeerTest, exchanges_messages_of_short_and_long_frames) {
    ASSERT_TRUE(peer_.handshake());
    const std::string large(300'000, 'L');
    ASSERT_TRUE(peer_.send({"head", large, ""}));
    const auto got = router_.receive();
    ASSERT_EQ(got.size(), 4U);
    EXPECT_EQ(got[0].size(), 5U) << "a routing id that libzmq made";
    EXPECT_EQ(got[1], "head");
    EXPECT_EQ(got[2], large);
    EXPECT_EQ(got[3], "");

    router_.send({got[0], "answer", large});
    const auto answer = peer_.receive();
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(*answer, (std::vector<std::string>{"answer", large}));
}

TEST_P(ZmtpPeerTest, claims_an_identity_and_forges_a_user) {
    ASSERT_TRUE(peer_.handshake({{"Socket-Type", "DEALER"}, {"Identity", "me"}, {"User-Id", "admin"}}));
    ASSERT_TRUE(peer_.send({"x"}));
    const auto got = router_.receive();
    ASSERT_EQ(got.size(), 2U);
    EXPECT_EQ(got[0], "me");
    EXPECT_EQ(router_.user(), "admin") << "without ZAP nothing stops it";
}

TEST_P(ZmtpPeerTest, is_answered_a_ping) {
    ASSERT_TRUE(peer_.handshake());
    ASSERT_TRUE(peer_.ping("ctx"));
    const auto pong = peer_.receive_frame();
    ASSERT_TRUE(pong.has_value());
    EXPECT_TRUE(pong->command);
    EXPECT_EQ(pong->body, "\4PONGctx");
}

TEST_P(ZmtpPeerTest, speaks_zmtp_2) {
    ASSERT_TRUE(peer_.send_raw(ZmtpPeer::greeting_v2("old")));
    ASSERT_TRUE(peer_.send({"from", "2010"}));
    EXPECT_EQ(router_.receive(), (std::vector<std::string>{"old", "from", "2010"}));
}

TEST_P(ZmtpPeerTest, sends_a_frame_in_pieces) {
    ASSERT_TRUE(peer_.handshake());
    const std::string frame = ZmtpPeer::frame(std::string(1000, 'p'));
    for (std::size_t at = 0; at < frame.size(); at += 100) ASSERT_TRUE(peer_.send_raw(frame.substr(at, 100)));
    const auto got = router_.receive();
    ASSERT_EQ(got.size(), 2U);
    EXPECT_EQ(got[1].size(), 1000U);
}

TEST_P(ZmtpPeerTest, half_a_message_and_a_reset_is_no_message) {
    ASSERT_TRUE(peer_.handshake());
    ASSERT_TRUE(peer_.send_raw(ZmtpPeer::frame("half", true)));
    peer_.reset();
    ZmtpPeer second(router_.endpoint());
    ASSERT_TRUE(second.handshake());
    ASSERT_TRUE(second.send({"whole"}));
    const auto got = router_.receive();
    ASSERT_EQ(got.size(), 2U);
    EXPECT_EQ(got[1], "whole");
}

TEST_P(ZmtpPeerTest, sees_that_the_other_side_closes) {
    ASSERT_TRUE(peer_.handshake());
    EXPECT_FALSE(peer_.wait_closed(20ms));
    // A frame over ZMQ_MAXMSGSIZE is refused at its head.
    peer_.send_raw(ZmtpPeer::frame(std::string(kMessageBytesMax + 1, 'x')));
    EXPECT_TRUE(peer_.wait_closed(10s));
    EXPECT_FALSE(peer_.receive_frame(10s).has_value());
}

TEST_P(ZmtpPeerTest, floods_at_the_rate_it_is_told) {
    ASSERT_TRUE(peer_.handshake());
    const auto flood = peer_.endless_message(60'000, 20'000'000, 500ms);
    EXPECT_FALSE(flood.closed);
    EXPECT_GT(flood.bytes, 1'000'000U);
    EXPECT_LE(flood.bytes, 10'200'000U);
}

INSTANTIATE_TEST_SUITE_P(Transports, ZmtpPeerTest, testing::Values("tcp", "ipc"),
                         [](const auto& transport) { return transport.param; });

TEST(ZmtpPeer, cannot_connect_where_nobody_listens) {
    EXPECT_THROW(ZmtpPeer("tcp://127.0.0.1:" + std::to_string(free_port())), std::runtime_error);
    EXPECT_THROW(ZmtpPeer("ipc:///tmp/telpher-nobody.sock"), std::runtime_error);
}

}  // namespace
}  // namespace telpher::test
