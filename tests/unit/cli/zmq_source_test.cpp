// Messages of ZeroMQ sockets as records: kept until they are stored, given out again after a seek.
#include "producer/zmq_source.h"

#include <gtest/gtest.h>

#include <vector>
#include <zmq.hpp>

#include "tests/support/temp_dir.h"

namespace telpher {
namespace {

using namespace std::chrono_literals;

class ZmqSourceTest : public testing::Test {
protected:
    std::unique_ptr<ZmqSource> open(ZmqSource::Kind kind, const std::string& endpoint, const std::string& topic = {}) {
        auto source =
            ZmqSource::open(kind, endpoint, topic, [this](const std::string& text) { notes.push_back(text); });
        EXPECT_TRUE(source) << source.error().message();
        return std::move(*source);
    }
    /// The next record, which is on its way.
    std::string next(ZmqSource& source) {
        for (int i = 0; i < 100; ++i) {
            const auto record = source.next(put);
            if (record) return std::string(*record);
            source.wait(-1, 100ms);
        }
        return "nothing came";
    }
    [[nodiscard]] std::string endpoint() const { return "ipc://" + (dir.path() / "s").string(); }

    test::TempDir dir;
    zmq::context_t context;
    PutOptions put;
    std::vector<std::string> notes;
};

TEST_F(ZmqSourceTest, KeepsWhatIsNotStoredAndGivesItAgain) {
    const auto source = open(ZmqSource::Kind::kPull, endpoint());
    ASSERT_TRUE(source->seek(7));
    zmq::socket_t push(context, zmq::socket_type::push);
    push.connect(endpoint());
    for (const char* text : {"a", "b", "c"}) {
        push.send(zmq::str_buffer(""));
        push.send(zmq::buffer(std::string(text)));
    }
    std::vector<std::string> got;
    for (int i = 0; i < 6; ++i) got.push_back(next(*source));
    EXPECT_EQ(got, (std::vector<std::string>{"", "a", "", "b", "", "c"}));
    ASSERT_TRUE(source->stored_below(9));
    ASSERT_TRUE(source->seek(10));
    EXPECT_EQ(next(*source), "b");
    ASSERT_TRUE(source->seek(9));
    EXPECT_EQ(next(*source), "");
    EXPECT_TRUE(notes.empty());
    ASSERT_TRUE(source->seek(8)) << "the broker has lost one";
    EXPECT_EQ(notes.size(), 1U);
    EXPECT_EQ(next(*source), "");
}

TEST_F(ZmqSourceTest, WhatCannotBePutLeavesItsNumberToTheNext) {
    const auto source = open(ZmqSource::Kind::kPull, endpoint());
    ASSERT_TRUE(source->seek(7));
    zmq::socket_t push(context, zmq::socket_type::push);
    push.connect(endpoint());
    for (const char* text : {"a", "bad", "c"}) push.send(zmq::buffer(std::string(text)));
    EXPECT_EQ(next(*source), "a");
    EXPECT_EQ(next(*source), "bad");
    EXPECT_TRUE(source->leave_out(Error(Code::kTooLarge)));
    EXPECT_EQ(notes.size(), 1U);
    EXPECT_EQ(next(*source), "c");
    ASSERT_TRUE(source->stored_below(8));
    ASSERT_TRUE(source->seek(8));
    EXPECT_EQ(next(*source), "c") << "number 8";
}

TEST_F(ZmqSourceTest, ATopicIsAHeaderAndMoreIsLeftOut) {
    zmq::socket_t pub(context, zmq::socket_type::pub);
    pub.bind(endpoint());
    const auto source = open(ZmqSource::Kind::kSub, endpoint(), "t");
    // What is published before the subscription has arrived is dropped: say it until it is heard.
    PutOptions unused;
    for (int i = 0; i < 500; ++i) {
        pub.send(zmq::str_buffer("t"));
        if (source->next(unused)) break;
        source->wait(-1, 20ms);
    }
    pub.send(zmq::str_buffer("other"));
    pub.send(zmq::str_buffer("t"), zmq::send_flags::sndmore);
    pub.send(zmq::str_buffer("x"), zmq::send_flags::sndmore);
    pub.send(zmq::str_buffer("y"));
    pub.send(zmq::str_buffer("topic"), zmq::send_flags::sndmore);
    pub.send(zmq::str_buffer("body"));
    std::string record = next(*source);
    while (record == "t") record = next(*source);
    EXPECT_EQ(record, "body");
    ASSERT_EQ(put.headers.size(), 1U);
    EXPECT_EQ(put.headers.front().second, "topic");
    EXPECT_EQ(notes.size(), 1U);
}

TEST_F(ZmqSourceTest, AnEndpointThatMakesNoSenseIsUsage) {
    const auto source = ZmqSource::open(ZmqSource::Kind::kPull, "nonsense", {}, [](const std::string&) {});
    EXPECT_EQ(source.error().code(), Code::kUsage);
}

}  // namespace
}  // namespace telpher
