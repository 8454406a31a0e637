// Mostly dead segments are written again: the disk follows what lives, and nothing is lost, altered or forgotten by it.
#include <gtest/gtest.h>

#include "broker/log/record.h"
#include "broker/log/segment.h"
#include "tests/sim/sim_peer.h"

namespace telpher::sim {
namespace {

using namespace std::chrono_literals;
using V = v1::Settle;

constexpr std::uint64_t kMessages = 600;
constexpr std::uint64_t kStride = 50;  // one of so many stays

class RewriterTest : public testing::Test {
protected:
    RewriterTest() {
        EXPECT_TRUE(broker.start());
        come();
        producer = peer.open_producer(handle);
        for (std::uint64_t first = 0; first < kMessages; first += 4) {
            peer.put(handle, producer, first, 4, 1000);
            broker.settle();
        }
        peer.clear();
        sub = peer.attach(handle, kMessages);
        broker.settle();
        peer.clear();
    }
    void come() {
        peer.reconnect();
        peer.hello();
        handle = peer.open("q");
    }
    /// All is done but one message in kStride, of which nothing is said.
    void settle_most() {
        for (std::uint64_t first = 0; first < kMessages; first += kStride) {
            peer.settle(sub, ++settles, V::VERDICT_ACK, {first + 1, kStride - 1, 1});
        }
        peer.await(v1::OP_SETTLED);
    }
    void settle_rest(V::Verdict verdict, std::uint64_t delay_ms = 0) {
        for (std::uint64_t first = 0; first < kMessages; first += kStride) {
            peer.settle(sub, ++settles, verdict, {first, 1, 1}, delay_ms);
        }
        peer.await(v1::OP_SETTLED);
    }
    void pass(Duration time) {
        for (Duration passed{0}; passed < time; passed += 100ms) {
            broker.advance(100ms);
            broker.settle();
        }
    }
    [[nodiscard]] std::size_t segments() { return broker.shard().log().space().segments; }
    /// Gets all there is: id and payload of each.
    std::map<std::uint64_t, std::string> get_all() {
        std::map<std::uint64_t, std::string> got;
        peer.attach(handle, kMessages);
        while (const auto frame = peer.look(v1::OP_DELIVER)) {
            const auto deliver = frame->as<v1::Deliver>();
            std::size_t at = 0;
            for (std::uint32_t i = 0; i < deliver.count(); ++i) {
                const auto bytes = load_le<std::uint32_t>(frame->bodies.at(0).data() + i * sizeof(std::uint32_t));
                const auto record = batch::decode_record(frame->bodies.at(1).bytes().subspan(at, bytes));
                got.emplace(deliver.first_offset() + i, std::string(as_text(record->payload)));
                at += bytes;
            }
        }
        return got;
    }
    void expect_stragglers() {
        const auto got = get_all();
        ASSERT_EQ(got.size(), kMessages / kStride);
        for (const auto& [id, payload] : got) {
            EXPECT_EQ(id % kStride, 0U);
            const auto batch = batch::View::reopen(make_batch(producer, id, 1, 1000), true);
            EXPECT_EQ(payload, as_text(batch::decode_record(batch->records(0, 1).bytes())->payload)) << id;
        }
    }
    void start_again() {
        broker.kill();
        ASSERT_TRUE(broker.start());
        come();
        pass(broker::ShardSettings{}.restart_hold + 100ms);
    }

    SimBroker broker{1};
    SimPeer peer{broker};
    std::uint32_t handle = 0;
    std::uint64_t producer = 0;
    std::uint32_t sub = 0;
    std::uint64_t settles = 0;
};

TEST_F(RewriterTest, TheDiskFollowsWhatLives) {
    settle_most();
    const std::size_t before = segments();
    ASSERT_GT(before, 8U);
    pass(5s);
    const log::LogSpace space = broker.shard().log().space();
    EXPECT_LE(space.bytes, 2 * space.live.bytes + small_log().segment_bytes);
    EXPECT_EQ(space.live.messages, kMessages / kStride);
    EXPECT_LE(broker.shard().rewriter().bytes_moved(), kMessages * 1000) << "no more than was put";
    start_again();
    expect_stragglers();
}

TEST_F(RewriterTest, LeasedMessagesStayWithTheirConsumer) {
    settle_most();
    pass(5s);
    for (std::uint64_t first = 0; first < kMessages; first += kStride) {
        peer.settle(sub, ++settles, V::VERDICT_ACK, {first, 1, 1});
    }
    EXPECT_EQ(peer.await<v1::Settled>(v1::OP_SETTLED).lost_size(), 0);
    const v1::QueueState state = peer.show("q");
    EXPECT_EQ(state.acked(), kMessages);
    EXPECT_EQ(state.leased() + state.ready(), 0U);
    EXPECT_EQ(state.bytes(), 0U);
}

TEST_F(RewriterTest, DelayedMessagesKeepTheirTime) {
    settle_most();
    settle_rest(V::VERDICT_NACK, 60'000);
    pass(5s);
    start_again();
    EXPECT_EQ(peer.show("q").delayed(), kMessages / kStride);
    EXPECT_EQ(get_all().size(), 0U);
    pass(60s);
    come();  // the session was silent for too long
    EXPECT_EQ(peer.show("q").delayed(), 0U);
}

TEST_F(RewriterTest, DeadLettersStayDeadAndDoNotPinTheLog) {
    settle_most();
    settle_rest(V::VERDICT_DEAD);
    pass(5s);
    EXPECT_LE(segments(), 2U);
    start_again();
    const v1::QueueState state = peer.show("q");
    EXPECT_EQ(state.dead(), kMessages / kStride);
    EXPECT_EQ(state.died(), kMessages / kStride) << "counted once";
    EXPECT_EQ(state.ready(), 0U);
}

TEST_F(RewriterTest, AKillAtAnyTimeLosesNothing) {
    settle_most();
    for (int kills = 0; kills < 30; ++kills) {
        broker.advance(150ms);
        for (int i = 0; i < kills % 7; ++i) {
            broker.cycle();
            broker.commit();
        }
        kills % 2 == 0 ? broker.kill() : broker.power_cut(static_cast<std::uint64_t>(kills));
        ASSERT_TRUE(broker.start());
    }
    come();
    pass(5s);
    expect_stragglers();
}

TEST_F(RewriterTest, DamageInTheWayStopsTheShard) {
    settle_most();
    const std::string path = log::join_path(small_log().dir, log::file_name(SegmentId(1), log::kSegmentSuffix));
    broker.files().overwrite(path, small_log().segment_bytes / 2, as_bytes("XXXXXXXX"));
    pass(5s);
    ASSERT_TRUE(broker.shard().failed());
    EXPECT_EQ(broker.shard().failed()->code(), Code::kCorrupt);
}

}  // namespace
}  // namespace telpher::sim
