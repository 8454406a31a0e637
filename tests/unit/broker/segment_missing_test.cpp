// A segment is gone, and so is the mark that would say that it should be there: what a checkpoint knows of it is
// enough.
#include <gtest/gtest.h>

#include <algorithm>

#include "broker/log/segment.h"
#include "tests/sim/sim_peer.h"

namespace telpher::sim {
namespace {

bool is_there(const std::vector<std::string>& names, std::string_view suffix) {
    return std::ranges::any_of(names, [suffix](const std::string& name) { return name.ends_with(suffix); });
}

TEST(SegmentMissing, AStartThatMissesLiveMessagesIsRefused) {
    SimBroker broker(1);
    ASSERT_TRUE(broker.start());
    SimPeer peer(broker);
    peer.hello();
    const auto handle = peer.open("q");
    const auto producer = peer.open_producer(handle);
    for (std::uint64_t first = 0; first < 400; first += 4) {
        peer.put(handle, producer, first, 4, 1000);
        broker.settle();
    }
    const std::string dir = small_log().dir;
    for (int i = 0; i < 600 && !is_there(*broker.files().list(dir), ".checkpoint"); ++i) {
        broker.advance(std::chrono::milliseconds(100));
        broker.settle();
    }
    ASSERT_TRUE(is_there(*broker.files().list(dir), ".checkpoint"));
    broker.kill();
    broker.files().lose(log::join_path(dir, "mark"));
    broker.files().lose(log::join_path(dir, log::file_name(SegmentId(1), log::kSegmentSuffix)));

    const auto before = *broker.files().list(dir);
    const auto started = broker.start();
    ASSERT_FALSE(started);
    EXPECT_EQ(*broker.files().list(dir), before) << "a segment that is put back must still be one";
    EXPECT_EQ(started.error().code(), Code::kCorrupt);
    EXPECT_NE(started.error().message().find("segment 1"), std::string::npos) << started.error().message();
}

}  // namespace
}  // namespace telpher::sim
