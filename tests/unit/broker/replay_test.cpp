// What a start makes of the log: segments that rolled, snapshots, reclaimed space, counters, producers; clean and not.
#include <gtest/gtest.h>

#include "broker/log/record.h"
#include "broker/log/segment.h"
#include "tests/sim/sim_peer.h"

namespace telpher::sim {
namespace {

using namespace std::chrono_literals;
using V = v1::Settle;

class ReplayTest : public testing::Test {
protected:
    ReplayTest() {
        EXPECT_TRUE(broker.start());
        come();
        producer = peer.open_producer(handle);
    }
    void come() {
        peer.reconnect();
        peer.hello();
        handle = peer.open("q");
    }
    /// Puts messages of about a kilobyte one by one.
    void put(std::uint64_t first, std::uint64_t count) {
        for (std::uint64_t sequence = first; sequence < first + count; ++sequence) {
            peer.put(handle, producer, sequence, 1, 1000);
            broker.settle();
        }
        peer.clear();
    }
    /// Makes the log roll: messages of about a kilobyte in another queue, by another peer.
    void make_noise(std::uint64_t count) {
        other.hello();
        others = other.open("noise");
        const std::uint64_t noise = other.open_producer(others);
        for (std::uint64_t sequence = 0; sequence < count; ++sequence) {
            other.put(others, noise, sequence, 1, 1000);
            broker.settle();
        }
    }
    void start_again() {
        ASSERT_TRUE(broker.start());
        come();
    }

    SimBroker broker{1};
    SimPeer peer{broker};
    SimPeer other{broker};
    std::uint32_t handle = 0;
    std::uint32_t others = 0;
    std::uint64_t producer = 0;
};

TEST_F(ReplayTest, NothingIsThereTheFirstTime) {
    EXPECT_EQ(broker.shard().boot(), 1U);
    EXPECT_EQ(broker.shard().recovered_messages(), 0U);
}

TEST_F(ReplayTest, MessagesOfManySegmentsComeBack) {
    put(0, 200);
    EXPECT_GT(broker.shard().log().segment_count(), 3U);
    broker.kill();
    start_again();
    EXPECT_EQ(broker.shard().boot(), 2U);
    EXPECT_EQ(broker.shard().recovered_messages(), 200U);
    const v1::QueueState state = peer.show("q");
    EXPECT_EQ(state.ready(), 200U);
    EXPECT_EQ(state.put(), 200U);
    EXPECT_EQ(state.bytes(), 200U * 1001U);
}

TEST_F(ReplayTest, SettledSegmentsAreReclaimedAndTheRestComesBack) {
    put(0, 200);
    const std::uint32_t sub = peer.attach(handle, 1000);
    peer.settle(sub, 1, V::VERDICT_ACK, {0, 150, 1, 40, 5, 1});
    peer.await(v1::OP_SETTLED);
    const std::size_t before = broker.shard().log().segment_count();
    for (int i = 0; i < 5; ++i) {
        broker.advance(1s);
        broker.settle();
    }
    EXPECT_LT(broker.shard().log().segment_count(), before);
    broker.power_cut(7);
    start_again();
    const v1::QueueState state = peer.show("q");
    EXPECT_EQ(state.ready() + state.leased(), 45U);
    EXPECT_EQ(state.put(), 200U);
    EXPECT_EQ(state.acked(), 155U);
    EXPECT_LE(state.high_water(), 200U);
}

TEST_F(ReplayTest, AnIdleShardGivesItsSpaceBack) {
    put(0, 200);
    const std::uint32_t sub = peer.attach(handle, 1000);
    peer.settle(sub, 1, V::VERDICT_ACK, {0, 200, 1});
    peer.await(v1::OP_SETTLED);
    broker.advance(1s);
    broker.settle();  // nothing is logged any more
    broker.advance(1s);
    broker.settle();
    EXPECT_LE(broker.shard().log().segment_count(), 4U);  // the last one and the spares
}

TEST_F(ReplayTest, ACleanStopIsSeenAsOne) {
    put(0, 3);
    EXPECT_TRUE(broker.stop());
    start_again();
    EXPECT_TRUE(broker.shard().log().recovery().clean);
    EXPECT_EQ(peer.show("q").ready(), 3U);
    broker.kill();
    start_again();
    EXPECT_FALSE(broker.shard().log().recovery().clean);
}

TEST_F(ReplayTest, ProducersAreRememberedThroughSnapshots) {
    put(0, 10);
    make_noise(200);
    const std::uint32_t sub = peer.attach(handle, 100);
    peer.settle(sub, 1, V::VERDICT_ACK, {0, 10, 1});
    peer.await(v1::OP_SETTLED);
    const std::uint32_t sub2 = other.attach(others, 1000);
    other.settle(sub2, 1, V::VERDICT_ACK, {0, 200, 1});
    other.await(v1::OP_SETTLED);
    for (int i = 0; i < 3; ++i) {
        broker.advance(1s);
        broker.settle();
    }
    broker.kill();
    start_again();
    ASSERT_EQ(peer.open_producer(handle, producer), producer);
    peer.put(handle, producer, 0, 10, 1000);
    EXPECT_EQ(runs_of(peer.await<v1::Confirm>(v1::OP_CONFIRM).stored()), (std::vector<frame::Run>{{0, 10, 0}}));
    EXPECT_EQ(peer.show("q").put(), 10U);
}

TEST_F(ReplayTest, RefusalsInALaterSnapshotAreRememberedToo) {
    put(0, 10);
    peer.seal(handle);
    broker.settle();
    put(10, 5);  // refused
    make_noise(100);
    ASSERT_GE(broker.shard().log().segment_count(), 2U);
    for (int restarts = 0; restarts < 2; ++restarts) {
        broker.kill();
        start_again();
        ASSERT_EQ(peer.open_producer(handle, producer), producer);
        v1::Reopen reopen;
        reopen.set_req(peer.request());
        reopen.set_handle(handle);
        peer.send(v1::OP_REOPEN, reopen);
        peer.put(handle, producer, 12, 1, 1000);
        EXPECT_GT(peer.await<v1::Confirm>(v1::OP_CONFIRM).refused_size(), 0);
        EXPECT_EQ(peer.show("q").put(), 10U);
    }
    // The next start begins with the later snapshot: a message stored below what that one knows would stop it.
    peer.put(handle, producer, 15, 1, 1000);
    const std::uint32_t sub = peer.attach(handle, 100);
    broker.advance(limits::kRestartHold + 1ms);
    peer.settle(sub, 1, V::VERDICT_ACK, {0, 11, 1});
    for (int i = 0; i < 3; ++i) {
        broker.advance(1s);
        broker.settle();
    }
    broker.kill();
    start_again();
    EXPECT_EQ(peer.show("q").put(), 11U);
}

TEST_F(ReplayTest, ProducerIdsAreNeverGivenTwice) {
    broker.kill();
    start_again();
    const std::uint64_t second = peer.open_producer(handle);
    EXPECT_NE(second, producer);
    EXPECT_GT(second >> 32, producer >> 32);
}

TEST_F(ReplayTest, AnOpenProducerIsClosedWhenNobodyComesBackForIt) {
    broker.kill();
    start_again();
    EXPECT_EQ(peer.show("q").producers(), 1U);
    for (int i = 0; i < 32; ++i) {
        broker.advance(1s);
        peer.send(v1::OP_PING, v1::Ping());
        broker.settle();
    }
    EXPECT_EQ(peer.show("q").producers(), 0U);
}

TEST_F(ReplayTest, AnIdleProducerIsForgottenAfterAnHour) {
    put(0, 2);
    peer.close_producer(handle, producer);
    peer.await(v1::OP_OK);
    for (int i = 0; i < 3700 / 25; ++i) {
        broker.advance(25s);
        peer.send(v1::OP_PING, v1::Ping());
        broker.settle();
    }
    ASSERT_EQ(peer.open_producer(handle, producer), producer);
    peer.clear();
    peer.put(handle, producer, 1, 1, 1000);
    EXPECT_EQ(runs_of(peer.await<v1::Confirm>(v1::OP_CONFIRM).refused()).front().value,
              static_cast<std::uint64_t>(Code::kUnknownProducer));
    EXPECT_EQ(peer.show("q").put(), 2U);
}

TEST_F(ReplayTest, AForgottenProducerStaysUnknownThroughARestart) {
    put(0, 2);
    peer.close_producer(handle, producer);
    peer.await(v1::OP_OK);
    const std::uint32_t sub = peer.attach(handle, 1000);
    peer.settle(sub, 1, V::VERDICT_ACK, {0, 2, 1});
    for (int i = 0; i < 3700 / 25; ++i) {
        broker.advance(25s);
        peer.send(v1::OP_PING, v1::Ping());
        broker.settle();
    }
    const std::uint64_t forgotten = std::exchange(producer, peer.open_producer(handle));
    put(0, 200);  // its records leave the disk
    peer.settle(sub, 2, V::VERDICT_ACK, {2, 200, 1});
    for (int i = 0; i < 3; ++i) {
        broker.advance(1s);
        broker.settle();
    }
    ASSERT_EQ(peer.open_producer(handle, forgotten), forgotten);
    broker.kill();
    start_again();
    ASSERT_EQ(peer.open_producer(handle, forgotten), forgotten);
    peer.put(handle, forgotten, 1, 1, 1000);
    EXPECT_EQ(runs_of(peer.await<v1::Confirm>(v1::OP_CONFIRM).refused()).front().value,
              static_cast<std::uint64_t>(Code::kUnknownProducer));
}

TEST_F(ReplayTest, AWholeRecordInThePlaceOfAnotherIsNotServed) {
    put(0, 300);
    broker.kill();
    // The second message's record, checksums and all, over the first one's: both are as large.
    const std::string path = log::join_path(small_log().dir, log::file_name(SegmentId(1), log::kSegmentSuffix));
    const auto bytes = broker.files().contents(path);
    std::vector<std::size_t> records;
    for (std::size_t at = log::kSegmentHeaderBytes; records.size() < 2; at += log::kRecordAlign) {
        const auto header = log::decode_record_header(Bytes(bytes).subspan(at));
        if (header && header->kind == log::Kind::kBatch) records.push_back(at);
    }
    start_again();  // all of it is read and found in order
    const std::size_t record_bytes = records[1] - records[0];
    broker.files().overwrite(path, records[0], Bytes(bytes).subspan(records[1], record_bytes));
    peer.attach(handle, 1);
    EXPECT_FALSE(peer.look(v1::OP_DELIVER));
    ASSERT_TRUE(broker.shard().failed());
    EXPECT_EQ(broker.shard().failed()->code(), Code::kCorrupt);
}

}  // namespace
}  // namespace telpher::sim
