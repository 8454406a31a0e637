// The ZAP handler, asked as libzmq asks it, and sometimes worse.
#include "broker/zap.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "proto/security/key_file.h"

namespace telpher::broker {
namespace {

using Frames = std::vector<std::string>;

class ZapTest : public testing::Test {
protected:
    ZapTest() {
        EXPECT_TRUE(zap_.start());
        request_.set(zmq::sockopt::linger, 0);
        request_.set(zmq::sockopt::rcvtimeo, 10'000);
        request_.connect("inproc://zeromq.zap.01");
    }
    void let_in(const std::string& name, const std::string& key) {
        book_.set(std::make_shared<const Users>(std::vector<security::UserFile>{{name, {key}, {}}}));
    }
    Frames ask(const Frames& request) {
        for (std::size_t i = 0; i < request.size(); ++i) {
            const auto flags = i + 1 < request.size() ? zmq::send_flags::sndmore : zmq::send_flags::none;
            EXPECT_TRUE(request_.send(zmq::buffer(request[i]), flags));
        }
        Frames answer;
        zmq::message_t frame;
        do {
            if (!request_.recv(frame)) return {"nothing"};
            answer.push_back(frame.to_string());
        } while (frame.more());
        return answer;
    }
    Frames curve(const std::string& key) {
        return {"1.0", "7", "telpher", "10.0.0.3", "", "CURVE", security::decode_key(key).value()};
    }

    zmq::context_t context_;
    UserBook book_;
    Refusals refusals_;
    Zap zap_{context_.handle(), book_, refusals_};
    zmq::socket_t request_{context_, zmq::socket_type::req};
    const std::string key_ = security::make_key_pair()->public_key;
    const std::string other_ = security::make_key_pair()->public_key;
};

TEST_F(ZapTest, a_known_key_is_its_user) {
    let_in("alice", key_);
    EXPECT_EQ(ask(curve(key_)), (Frames{"1.0", "7", "200", "OK", "alice", ""}));
    EXPECT_EQ(refusals_.counted(Refusal::kUnknownKey), 0U);
}

TEST_F(ZapTest, an_unknown_key_is_refused_with_the_reason_and_counted) {
    let_in("alice", key_);
    EXPECT_EQ(ask(curve(other_)), (Frames{"1.0", "7", "400", "unknown key", "", ""}));
    EXPECT_EQ(refusals_.counted(Refusal::kUnknownKey), 1U);
}

TEST_F(ZapTest, another_book_counts_from_the_next_question_on) {
    let_in("alice", key_);
    EXPECT_EQ(ask(curve(key_))[2], "200");
    let_in("alice", other_);
    EXPECT_EQ(ask(curve(key_))[2], "400");
    EXPECT_EQ(ask(curve(other_))[2], "200");
}

TEST_F(ZapTest, without_keys_the_user_is_that_of_the_socket) {
    EXPECT_EQ(ask({"1.0", "1", "telpher", "localhost:1000:100:4711", "", "NULL"}),
              (Frames{"1.0", "1", "200", "OK", "uid:1000", ""}));
    EXPECT_EQ(ask({"1.0", "1", "telpher", "127.0.0.1", "", "NULL"}), (Frames{"1.0", "1", "200", "OK", "", ""}));
}

TEST_F(ZapTest, other_mechanisms_are_not_offered) {
    const Frames answer = ask({"1.0", "1", "telpher", "127.0.0.1", "", "PLAIN", "admin", "secret"});
    EXPECT_EQ(answer, (Frames{"1.0", "1", "400", "mechanism not offered", "", ""}));
    EXPECT_EQ(ask({"1.0", "1", "telpher", "127.0.0.1", "", "CURVE"})[2], "400") << "without a key";
    EXPECT_EQ(refusals_.counted(Refusal::kMechanism), 2U);
}

TEST_F(ZapTest, every_question_has_one_answer) {
    EXPECT_EQ(ask({"1.0", "9"}), (Frames{"1.0", "9", "500", "not a ZAP 1.0 request", "", ""}));
    EXPECT_EQ(ask({""})[2], "500");
    EXPECT_EQ(ask({"2.0", "1", "telpher", "127.0.0.1", "", "NULL"})[2], "500");
    EXPECT_EQ(ask({"1.0", "1", "telpher", "127.0.0.1", "", "CURVE", "short"})[2], "400");
    EXPECT_EQ(ask({"1.0", "2", "telpher", "127.0.0.1", "", "NULL"})[1], "2") << "and goes on";
}

}  // namespace
}  // namespace telpher::broker
