// Peers that say more than the broker listens to and then vanish: on a ROUTER whose input libzmq has stopped, a PING
// and a reset abort the whole process ("Assertion failed: !_io_error").
//
// Claim: bursts of small frames with a PING behind them and a reset (tcp) or close (ipc), from many peers at once,
// before and after HELLO, with the broker busy or stopped meanwhile, leave it running and the healthy pair served.

#include <gtest/gtest.h>

#include <csignal>

#include "tests/e2e/hostile.h"
#include "tests/support/wire_peer.h"

namespace telpher::test {
namespace {

constexpr int kFrames = 1'500;
constexpr int kPeers = 30;

class HostileBurst : public Hostile {
protected:
    static std::string burst() {
        std::string bytes;
        for (int i = 0; i < kFrames; ++i) bytes += ZmtpPeer::frame("x");
        return bytes + ZmtpPeer::frame(std::string("\4PING\0\0", 7), false, true);
    }
};

TEST_P(HostileBurst, before_hello) {
    for (int i = 0; i < kPeers; ++i) {
        ZmtpPeer peer(endpoint());
        // In one piece with the handshake, so that all of it is there before the broker has an opinion.
        peer.send_raw(ZmtpPeer::greeting() + ZmtpPeer::ready({{"Socket-Type", "DEALER"}}) + burst());
        i % 2 == 0 ? peer.reset() : peer.close();
    }
    expect_unharmed();
}

TEST_P(HostileBurst, after_hello_with_legal_frames) {
    for (int i = 0; i < kPeers; ++i) {
        WirePeer peer(endpoint());
        peer.hello();
        v1::Ping ping;
        ping.set_epoch(peer.epoch());
        std::string bytes;
        for (int n = 0; n < kFrames; ++n) bytes += ZmtpPeer::frame(frame::encode(v1::OP_PING, ping));
        peer.zmtp().send_raw(bytes);
        peer.zmtp().ping();
        i % 2 == 0 ? peer.zmtp().reset() : peer.zmtp().close();
    }
    expect_unharmed();
}

TEST_P(HostileBurst, many_at_once_while_the_broker_is_stopped) {
    std::vector<ZmtpPeer> peers;
    for (int i = 0; i < kPeers; ++i) {
        peers.emplace_back(endpoint());
        ASSERT_TRUE(peers.back().handshake());
    }
    broker_.process().signal(SIGSTOP);
    for (ZmtpPeer& peer : peers) peer.send_raw(burst(), 1s);
    for (ZmtpPeer& peer : peers) peer.close();
    broker_.process().signal(SIGCONT);
    expect_unharmed();
}

TEST_P(HostileBurst, while_the_broker_works_through_large_batches) {
    WirePeer busy(endpoint());
    busy.hello();
    const auto handle = busy.open("busy");
    const auto producer = busy.open_producer(handle);
    for (int i = 0; i < kPeers; ++i) {
        // One batch a turn, within what any session may have on its way.
        ASSERT_TRUE(busy.put(handle, producer, static_cast<std::uint64_t>(i) * 100, 100, 1'000));
        ZmtpPeer peer(endpoint());
        peer.handshake();
        peer.send_raw(burst());
        peer.reset();
    }
    expect_unharmed();
}

INSTANTIATE_TEST_SUITE_P(Transports, HostileBurst, testing::Values("tcp", "ipc"), transport_name);

}  // namespace
}  // namespace telpher::test
