// Sealed segments are read again in the background: damage in what nobody asked for is found, and nothing else is taken
// for damage.
#include <gtest/gtest.h>

#include "broker/log/segment.h"
#include "tests/sim/sim_peer.h"

namespace telpher::sim {
namespace {

using namespace std::chrono_literals;
using V = v1::Settle;

constexpr std::uint64_t kMessages = 600;

broker::ShardSettings scrubbing(Duration interval) {
    broker::ShardSettings settings = small_settings();
    settings.scrub_interval = interval;
    return settings;
}

class ScrubberTest : public testing::Test {
protected:
    void start(Duration interval) {
        broker = std::make_unique<SimBroker>(1, scrubbing(interval));
        ASSERT_TRUE(broker->start());
        peer = std::make_unique<SimPeer>(*broker);
        peer->reconnect();
        peer->hello();
        handle = peer->open("q");
        const std::uint64_t producer = peer->open_producer(handle);
        for (std::uint64_t first = 0; first < kMessages; first += 4) {
            peer->put(handle, producer, first, 4, 1000);
            broker->settle();
        }
        peer->clear();
    }
    void pass(Duration time) {
        for (Duration passed{0}; passed < time; passed += 100ms) {
            broker->advance(100ms);
            broker->settle();
        }
    }
    [[nodiscard]] const broker::Scrubber& scrubber() { return broker->shard().scrubber(); }
    [[nodiscard]] std::uint64_t sealed_bytes() {
        const log::LogSpace space = broker->shard().log().space();
        return space.bytes - space.bytes / space.segments;
    }
    void damage(std::uint64_t segment) {
        const std::string path =
            log::join_path(small_log().dir, log::file_name(SegmentId(segment), log::kSegmentSuffix));
        broker->files().overwrite(path, small_log().segment_bytes / 2, as_bytes("XXXXXXXX"));
    }

    std::unique_ptr<SimBroker> broker;
    std::unique_ptr<SimPeer> peer;
    std::uint32_t handle = 0;
};

TEST_F(ScrubberTest, APassTakesTheConfiguredTime) {
    start(60s);
    const std::uint64_t before = scrubber().bytes();
    ASSERT_GT(sealed_bytes(), 500'000U);
    pass(30s);
    const std::uint64_t half = scrubber().bytes() - before;
    EXPECT_GT(half, sealed_bytes() / 4);
    EXPECT_LT(half, sealed_bytes() * 3 / 4);
    pass(45s);
    EXPECT_GE(scrubber().bytes() - before, sealed_bytes() * 9 / 10);
    EXPECT_EQ(scrubber().errors(), 0U);
    EXPECT_FALSE(broker->shard().failed());
}

TEST_F(ScrubberTest, DamageAnywhereIsFoundWithinAPass) {
    for (const std::uint64_t segment : {1, 5, 9}) {
        start(10s);
        ASSERT_GT(broker->shard().log().space().segments, 9U);
        damage(segment);
        pass(25s);
        ASSERT_TRUE(broker->shard().failed()) << segment;
        EXPECT_EQ(broker->shard().failed()->code(), Code::kCorrupt);
        const std::string place = "segment " + std::to_string(segment) + ", byte ";
        EXPECT_NE(broker->shard().failed()->detail().find(place), std::string::npos)
            << broker->shard().failed()->message();
        EXPECT_EQ(scrubber().errors(), 1U);
    }
}

TEST_F(ScrubberTest, WhatTheSystemHasInMemoryIsNotBelieved) {
    start(10s);
    const std::string path = log::join_path(small_log().dir, log::file_name(SegmentId(3), log::kSegmentSuffix));
    const std::uint64_t opened = broker->files().count(test::FaultyFileSystem::Op::kOpen);
    pass(15s);
    EXPECT_GT(broker->files().count(test::FaultyFileSystem::Op::kOpen), opened + 5) << "each segment is opened anew";
}

TEST_F(ScrubberTest, SegmentsThatGoMeanwhileAreNoDamage) {
    start(5s);
    const std::uint32_t sub = peer->attach(handle, kMessages);
    broker->settle();
    peer->clear();
    for (std::uint64_t first = 0; first < kMessages; first += 20) {
        peer->settle(sub, first / 20 + 1, V::VERDICT_ACK, {first, 20, 1});
        peer->await(v1::OP_SETTLED);
        pass(300ms);
    }
    pass(20s);
    EXPECT_LE(broker->shard().log().space().segments, 2U);
    EXPECT_FALSE(broker->shard().failed());
}

TEST_F(ScrubberTest, ItCanBeTurnedOff) {
    start(0s);
    damage(1);
    pass(30s);
    EXPECT_EQ(scrubber().bytes(), 0U);
    EXPECT_FALSE(broker->shard().failed());
}

}  // namespace
}  // namespace telpher::sim
