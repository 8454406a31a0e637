// More connections than the broker has descriptors for: at the limit libzmq aborts on ipc and spins a thread on tcp.
// And a thousand connections that come and go, each three events of a monitor that stops the transport when nobody
// reads it.
//
// Claim: the broker raises its soft limit, refuses to start where the hard one is below its connection cap + 1,024, and
// throws out what is over the cap before the descriptors are gone. Who was connected is served all the while, and
// afterwards there is room again.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/e2e/hostile.h"
#include "tests/support/wire_peer.h"

namespace telpher::test {
namespace {

constexpr std::size_t kCap = 100;
constexpr std::size_t kReserve = 1'024;

class HostileConnections : public Hostile {
protected:
    HostileConnections()
        : Hostile({.args = {"--connections-max", std::to_string(kCap), "--hello-timeout-ms", "2000"},
                   .descriptors = ProcessOptions::Descriptors{64, kCap + kReserve}}) {}
};

TEST_P(HostileConnections, a_burst_over_the_cap) {
    std::vector<ZmtpPeer> peers;
    std::size_t turned_away = 0;  // before they were even there
    for (std::size_t i = 0; i < kCap + 512; ++i) {
        try {
            peers.emplace_back(endpoint());
            peers.back().send_raw(ZmtpPeer::greeting() + ZmtpPeer::ready({{"Socket-Type", "DEALER"}}));
        } catch (const std::runtime_error&) {
            ++turned_away;
        }
    }
    EXPECT_LE(turned_away, 512U);
    EXPECT_TRUE(pair_.serves(20, 20s)) << pair_.error();
    // The excess is thrown out; nobody waits for ever.
    std::size_t closed = 0;
    const Deadline deadline(20s);
    for (ZmtpPeer& peer : peers) closed += peer.wait_closed(deadline.left()) ? 1 : 0;
    EXPECT_EQ(closed, peers.size()) << "over the cap, or without a HELLO in time";
    EXPECT_LT(broker_.process().usage().descriptors, kCap + kReserve);
    peers.clear();
    EXPECT_TRUE(eventually(20s, [&] {
        try {
            WirePeer newcomer(endpoint());
            newcomer.hello();
            return true;
        } catch (const std::runtime_error&) {
            return false;
        }
    })) << "there is room again";
    expect_unharmed();
}

TEST_P(HostileConnections, a_thousand_come_and_go) {
    const std::size_t before = broker_.process().usage().descriptors;
    for (int i = 0; i < 1'000; ++i) {
        ZmtpPeer peer(endpoint());
        if (i % 4 != 0) peer.send_raw(ZmtpPeer::greeting());
        if (i % 4 == 2) peer.send_raw(ZmtpPeer::ready({{"Socket-Type", "DEALER"}}));
        if (i % 4 == 3) peer.send_raw("garbage instead of a handshake");
        i % 2 == 0 ? peer.close() : peer.reset();
    }
    expect_unharmed();
    EXPECT_TRUE(eventually(20s, [&] { return broker_.process().usage().descriptors <= before + 2; }))
        << broker_.process().usage().descriptors << " descriptors, " << before << " before";
}

INSTANTIATE_TEST_SUITE_P(Transports, HostileConnections, testing::Values("tcp", "ipc"), transport_name);

TEST(DescriptorLimit, is_raised_at_the_start) {
    Broker broker({.args = {"--connections-max", "100"}, .descriptors = ProcessOptions::Descriptors{64, 4'000}});
    std::ifstream limits("/proc/" + std::to_string(broker.process().pid()) + "/limits");
    const std::string text((std::istreambuf_iterator<char>(limits)), std::istreambuf_iterator<char>());
    EXPECT_THAT(text, testing::ContainsRegex("Max open files +4000 +4000"));
}

TEST(DescriptorLimit, too_low_for_the_cap_is_a_clear_refusal) {
    const TempDir dir;
    ProcessOptions options;
    options.descriptors = {64, kCap + kReserve - 1};
    const Finished done = run(program("telpherd"),
                              {"--data-dir", dir.path() / "data", "--listen", "ipc://" + (dir.path() / "s").string(),
                               "--connections-max", std::to_string(kCap)},
                              20s, options);
    EXPECT_NE(done.ended.code, 0);
    EXPECT_EQ(done.ended.signal, 0);
    EXPECT_THAT(done.errors, testing::HasSubstr("descriptor"));
    EXPECT_THAT(done.errors, testing::HasSubstr(std::to_string(kCap + kReserve)));
}

}  // namespace
}  // namespace telpher::test
