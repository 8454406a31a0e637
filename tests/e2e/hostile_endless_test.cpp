// A message that never ends: no limit of libzmq covers it, as the frames of an unfinished message are counted nowhere.
// The peer is held to 100 MB/s.
//
// Claim: before HELLO it is thrown out when the time for a HELLO is over (5 s), after HELLO on tcp by a watchdog that
// compares the bytes a connection received with those that came as messages; memory grows by at most 768 MiB; the
// healthy pair is served all the while. After HELLO on ipc nothing counts the bytes: there the socket's folder and the
// unit's MemoryMax protect.

#include <gtest/gtest.h>

#include "tests/e2e/hostile.h"
#include "tests/support/wire_peer.h"

namespace telpher::test {
namespace {

constexpr std::size_t kFrameBytes = 60'000;
constexpr std::uint64_t kBytesPerSecond = 100'000'000;
constexpr std::size_t kGrowthMax = 768U * 1024 * 1024;

class HostileEndless : public Hostile {
protected:
    void expect_bounded(std::size_t before) {
        const std::size_t peak = broker_.process().usage().resident_peak_bytes;
        EXPECT_LT(peak, before + kGrowthMax) << (peak - before) / 1'000'000 << " MB";
        RecordProperty("grown_bytes", std::to_string(peak - before));
    }
};

TEST_P(HostileEndless, before_hello) {
    const std::size_t before = broker_.process().usage().resident_bytes;
    ZmtpPeer peer(endpoint());
    ASSERT_TRUE(peer.handshake());
    const auto flood = peer.endless_message(kFrameBytes, kBytesPerSecond, 20s);
    EXPECT_TRUE(flood.closed);
    if (GetParam() == "tcp") {
        EXPECT_LT(flood.time, 3s) << "no HELLO is that large";
    } else {  // the kernel does not count
        EXPECT_GT(flood.time, 3s) << "nobody is thrown out before a slow client could have said HELLO";
        EXPECT_LT(flood.time, 8s);
    }
    expect_bounded(before);
    expect_unharmed();
}

INSTANTIATE_TEST_SUITE_P(Transports, HostileEndless, testing::Values("tcp", "ipc"), transport_name);

class HostileEndlessSession : public HostileEndless {};

TEST_P(HostileEndlessSession, after_hello) {
    const std::size_t before = broker_.process().usage().resident_bytes;
    WirePeer peer(endpoint());
    peer.hello();
    const auto flood = peer.zmtp().endless_message(kFrameBytes, kBytesPerSecond, 30s);
    EXPECT_TRUE(flood.closed);
    EXPECT_LT(flood.time, 8s);
    expect_bounded(before);
    expect_unharmed();
}

INSTANTIATE_TEST_SUITE_P(Transports, HostileEndlessSession, testing::Values("tcp"), transport_name);

}  // namespace
}  // namespace telpher::test
