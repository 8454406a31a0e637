// A segment is gone, and so is the mark that would say that it should be there: what a checkpoint knows of it is
// enough.
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "broker/exporter.h"
#include "broker/log/segment.h"
#include "tests/sim/sim_peer.h"

namespace telpher::sim {
namespace {

bool is_there(const std::vector<std::string>& names, std::string_view suffix) {
    return std::ranges::any_of(names, [suffix](const std::string& name) { return name.ends_with(suffix); });
}

const std::string kDir = small_log().dir;

/// Some segments of live messages and a checkpoint behind them, and then it is killed and its mark lost.
void fill_and_lose_mark(SimBroker& broker) {
    ASSERT_TRUE(broker.start());
    SimPeer peer(broker);
    peer.hello();
    const auto handle = peer.open("q");
    const auto producer = peer.open_producer(handle);
    for (std::uint64_t first = 0; first < 400; first += 4) {
        peer.put(handle, producer, first, 4, 1000);
        broker.settle();
    }
    for (int i = 0; i < 600 && !is_there(*broker.files().list(kDir), ".checkpoint"); ++i) {
        broker.advance(std::chrono::milliseconds(100));
        broker.settle();
    }
    ASSERT_TRUE(is_there(*broker.files().list(kDir), ".checkpoint"));
    broker.kill();
    broker.files().lose(log::join_path(kDir, "mark"));
}

/// The start is refused, names the segment, and changes nothing: what is put back must still be used.
void expect_refused(SimBroker& broker, const std::string& segment) {
    const auto before = *broker.files().list(kDir);
    const auto started = broker.start();
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code(), Code::kCorrupt);
    EXPECT_NE(started.error().message().find(segment), std::string::npos) << started.error().message();
    EXPECT_EQ(*broker.files().list(kDir), before);
    std::ostringstream out;
    const auto exported = broker::export_log(broker.files(), kDir, {}, broker.clock(), out);
    ASSERT_FALSE(exported);
    EXPECT_EQ(exported.error().code(), Code::kCorrupt);
    EXPECT_TRUE(out.str().empty());
}

TEST(SegmentMissing, AStartThatMissesLiveMessagesIsRefused) {
    SimBroker broker(1);
    ASSERT_NO_FATAL_FAILURE(fill_and_lose_mark(broker));
    broker.files().lose(log::join_path(kDir, log::file_name(SegmentId(1), log::kSegmentSuffix)));
    expect_refused(broker, "segment 1 is missing");
}

TEST(SegmentMissing, CheckpointsAloneAreNoNewLog) {
    SimBroker broker(1);
    ASSERT_NO_FATAL_FAILURE(fill_and_lose_mark(broker));
    const auto names = *broker.files().list(kDir);
    for (const std::string& name : names) {
        if (name.ends_with(log::kSegmentSuffix)) broker.files().lose(log::join_path(kDir, name));
    }
    expect_refused(broker, "segment");
}

}  // namespace
}  // namespace telpher::sim
