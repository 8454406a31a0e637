// Frames that break the protocol: too large, malformed at random, with the epoch of a session that was resumed
// elsewhere, puts sent twice, more bytes than the broker allowed.
//
// Claim: each is answered with its error, or the peer is thrown out; nothing of what was refused is executed, a put
// sent twice is in the queue once; the broker runs on and serves the healthy pair.

#include <gtest/gtest.h>

#include "proto/base/random.h"
#include "proto/limits.h"
#include "tests/e2e/hostile.h"
#include "tests/support/seed.h"
#include "tests/support/wire_peer.h"

namespace telpher::test {
namespace {

constexpr Duration kKickedWithin = 10s;

class HostileFrames : public Hostile {
protected:
    std::uint64_t put_count(const std::string& queue) {
        Client client(endpoint());
        const auto stats = client.show(queue);
        EXPECT_TRUE(stats.has_value()) << stats.error().message();
        return stats ? stats->put : 0;
    }

    /// The code of the ERROR or GOODBYE that comes before the peer is closed; kOk if it is only closed or goes on.
    static Code refusal(WirePeer& peer, Duration limit = kKickedWithin) {
        const Deadline deadline(limit);
        while (const auto message = peer.receive(deadline.left())) {
            if (message->op == v1::OP_ERROR) return static_cast<Code>(message->as<v1::Error>().code());
            if (message->op == v1::OP_GOODBYE) return static_cast<Code>(message->as<v1::Goodbye>().code());
        }
        return Code::kOk;
    }

    /// Sends `count` bodies as fast as it can and heeds no limit. True: some of them came in beyond it, and the peer
    /// was closed. A broker whose disk keeps up takes no more than it can write; then there is nothing to refuse.
    bool flood(const std::string& queue, std::uint64_t& count) {
        WirePeer peer(endpoint());
        const auto hello = peer.hello();
        v1::QueueOptions options;
        options.set_maxsize(1'000'000);
        const auto handle = peer.open(queue, options);
        const auto producer = peer.open_producer(handle);
        const std::size_t bytes = 1'000'000;
        count = 4 * hello.limits().session_put_bytes() / bytes;
        std::string all;
        v1::Put put;
        put.set_epoch(peer.epoch());
        put.set_handle(handle);
        const std::string header = frame::encode(v1::OP_PUT, put);
        for (std::uint64_t i = 0; i < count; ++i) {
            all += ZmtpPeer::frame(header, true) + ZmtpPeer::frame(WirePeer::batch(producer, i, 1, bytes));
        }
        peer.zmtp().send_raw(all);
        const Code code = refusal(peer);
        EXPECT_TRUE(code == Code::kFlowViolation || code == Code::kOk) << info(code).name;
        return peer.zmtp().wait_closed(5s);
    }
};

TEST_P(HostileFrames, a_frame_over_every_limit) {
    WirePeer peer(endpoint());
    peer.hello();
    const std::string head("\2\0\0\0\0\1\1\0\0", 9);  // a long frame of 16 MiB + 64 KiB
    peer.zmtp().send_raw(head + std::string(100'000, 'x'));
    EXPECT_TRUE(peer.zmtp().wait_closed(kKickedWithin));
    expect_unharmed();
}

TEST_P(HostileFrames, a_length_of_2_to_the_63) {
    WirePeer peer(endpoint());
    peer.hello();
    peer.zmtp().send_raw(std::string("\2\x7f\xff\xff\xff\xff\xff\xff\xff", 9) + "x");
    EXPECT_TRUE(peer.zmtp().wait_closed(kKickedWithin));
    expect_unharmed();
}

TEST_P(HostileFrames, more_frames_than_a_message_may_have) {
    WirePeer peer(endpoint());
    peer.hello();
    const std::vector<std::string_view> frames(limits::kFramesMax + 1, "x");
    peer.zmtp().send(frames);
    EXPECT_TRUE(peer.zmtp().wait_closed(kKickedWithin));
    expect_unharmed();
}

TEST_P(HostileFrames, anything_before_hello) {
    WirePeer peer(endpoint());
    peer.send(v1::OP_STATUS, v1::Status());
    EXPECT_EQ(refusal(peer), Code::kHelloRequired);
    EXPECT_TRUE(peer.zmtp().wait_closed(kKickedWithin));
    expect_unharmed();
}

TEST_P(HostileFrames, no_version_in_common) {
    WirePeer peer(endpoint());
    v1::Hello hello;
    hello.set_proto_min(99);
    hello.set_proto_max(99);
    peer.send(v1::OP_HELLO, hello);
    EXPECT_EQ(refusal(peer), Code::kVersion);
    EXPECT_TRUE(peer.zmtp().wait_closed(kKickedWithin));
    expect_unharmed();
}

TEST_P(HostileFrames, an_unknown_op_leaves_the_session_alone) {
    WirePeer peer(endpoint());
    peer.hello();
    peer.zmtp().send({std::string_view("\x7f", 1)});
    EXPECT_EQ(refusal(peer), Code::kUnsupported);
    v1::Ping ping;
    ping.set_epoch(peer.epoch());
    peer.send(v1::OP_PING, ping);
    EXPECT_NO_THROW(peer.await(v1::OP_PONG));
    expect_unharmed();
}

TEST_P(HostileFrames, malformed_at_random) {
    Random random(test_seed());
    const std::string batch = WirePeer::batch(1, 0, 3);
    for (int round = 0; round < 300; ++round) {
        WirePeer peer(endpoint());
        if (round % 8 != 0) {
            ASSERT_NO_THROW(peer.hello()) << "who comes after a peer that was thrown out is welcome; round " << round;
        }
        for (int i = 0; i < 3; ++i) {
            std::string header(1 + random.below(60), '\0');
            for (char& byte : header) byte = static_cast<char>(random.next());
            if (random.below(4) != 0) {  // a known op, so that its own parser sees the rest
                constexpr std::string_view kOps(
                    "\1\2\3\4\5\6\7\x10\x11\x20\x21\x22\x23\x24\x30\x31\x32\x33\x40\x41\x42\x43\x44");
                header[0] = kOps[random.below(kOps.size())];
            }
            std::string body = batch;
            for (std::uint64_t flips = random.below(4); flips > 0; --flips) {
                body[random.below(body.size())] = static_cast<char>(random.next());
            }
            if (random.below(2) == 0) {
                peer.zmtp().send({header});
            } else {
                peer.zmtp().send({header, body});
            }
        }
        round % 2 == 0 ? peer.zmtp().reset() : peer.zmtp().close();
    }
    expect_unharmed();
}

TEST_P(HostileFrames, a_batch_that_does_not_match_its_checksum) {
    WirePeer peer(endpoint());
    peer.hello();
    const auto handle = peer.open("sums");
    const auto producer = peer.open_producer(handle);
    std::string batch = WirePeer::batch(producer, 0, 3);
    batch.back() = static_cast<char>(batch.back() ^ 1);
    v1::Put put;
    put.set_epoch(peer.epoch());
    put.set_handle(handle);
    peer.send(v1::OP_PUT, put, batch);
    EXPECT_EQ(refusal(peer), Code::kChecksum);
    EXPECT_EQ(put_count("sums"), 0U);
    expect_unharmed();
}

TEST_P(HostileFrames, the_epoch_of_a_session_resumed_elsewhere) {
    WirePeer first(endpoint());
    const auto session = first.hello();
    const auto handle = first.open("epochs");
    const auto producer = first.open_producer(handle);
    WirePeer second(endpoint());
    const auto resumed = second.resume(session);
    ASSERT_TRUE(resumed.resumed());
    ASSERT_GT(resumed.epoch(), session.epoch());

    first.put(handle, producer, 0, 5);  // its connection is fenced, or its frame is stale: in any case it does nothing
    const Code code = refusal(first);
    EXPECT_TRUE(code == Code::kStaleSession || code == Code::kOk) << info(code).name;
    v1::Put stale;
    stale.set_epoch(session.epoch());
    stale.set_handle(handle);
    second.send(v1::OP_PUT, stale, WirePeer::batch(producer, 0, 5));
    EXPECT_EQ(refusal(second), Code::kStaleSession);
    EXPECT_EQ(put_count("epochs"), 0U) << "nothing was executed";
    expect_unharmed();
}

TEST_P(HostileFrames, somebody_elses_token) {
    WirePeer first(endpoint());
    auto session = first.hello();
    session.set_token(std::string(16, 'x'));
    WirePeer thief(endpoint());
    const auto answer = thief.resume(session);
    EXPECT_FALSE(answer.resumed());
    EXPECT_NE(answer.session(), session.session());
    v1::Ping ping;
    ping.set_epoch(first.epoch());
    first.send(v1::OP_PING, ping);
    EXPECT_NO_THROW(first.await(v1::OP_PONG)) << "the owner keeps it";
    expect_unharmed();
}

TEST_P(HostileFrames, a_put_sent_again_and_again) {
    WirePeer peer(endpoint());
    peer.hello();
    const auto handle = peer.open("replay");
    const auto producer = peer.open_producer(handle);
    std::vector<std::uint64_t> offsets;
    for (int i = 0; i < 5; ++i) {
        ASSERT_TRUE(peer.put(handle, producer, 0, 10));
        const auto confirm = peer.await<v1::Confirm>(v1::OP_CONFIRM);
        const auto runs = frame::read_runs(confirm.stored(), 10);
        ASSERT_TRUE(runs.has_value() && runs->size() == 1) << confirm.stored_size();
        EXPECT_EQ(runs->front().count, 10U);
        offsets.push_back(runs->front().value);
    }
    EXPECT_EQ(std::set<std::uint64_t>(offsets.begin(), offsets.end()).size(), 1U)
        << "one offset, however often it is sent";
    EXPECT_EQ(put_count("replay"), 10U);
    expect_unharmed();
}

TEST_P(HostileFrames, more_bytes_than_the_broker_allowed) {
    const std::size_t before = broker_.process().usage().resident_bytes;
    std::uint64_t count = 0;
    const bool closed = flood("flood", count);
    const bool as_it_should =
        closed ? put_count("flood") < count : eventually(20s, [&] { return put_count("flood") == count; });
    EXPECT_TRUE(as_it_should) << (closed ? "closed, " : "not closed, ") << put_count("flood") << " of " << count;
    // Bodies of what was put last stay in memory for who gets it: the cache of the shard.
    EXPECT_LT(broker_.process().usage().resident_peak_bytes, before + 192 * limits::kMiB);
    expect_unharmed();
}

TEST_P(HostileFrames, more_puts_than_may_wait) {
    WirePeer peer(endpoint());
    peer.hello();
    v1::QueueOptions options;
    options.set_maxsize(1);  // one is in, the others wait
    const auto handle = peer.open("crowd", options);
    const auto producer = peer.open_producer(handle);
    const std::size_t before = broker_.process().usage().resident_bytes;
    bool sent = true;
    for (std::uint64_t i = 0; sent && i < 100 * limits::kPutsInFlightMax; ++i) sent = peer.put(handle, producer, i, 1);
    const Code code = refusal(peer);
    EXPECT_TRUE(code == Code::kFlowViolation || code == Code::kOk) << info(code).name;
    EXPECT_TRUE(peer.zmtp().wait_closed(kKickedWithin));
    EXPECT_LT(broker_.process().usage().resident_bytes, before + 64 * limits::kMiB);
    EXPECT_EQ(put_count("crowd"), 1U);
    expect_unharmed();
}

INSTANTIATE_TEST_SUITE_P(Transports, HostileFrames, testing::Values("tcp", "ipc"), transport_name);

}  // namespace
}  // namespace telpher::test
