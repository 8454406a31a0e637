// Peers that choose who they are: a routing id that libzmq would give to the next anonymous client (two ids alike abort
// the process), one that another peer has, one of 200 kB; a ZMTP 2 greeting, which knows no authentication; a forged
// User-Id.
//
// Claim: the broker runs on and serves the healthy pair and every anonymous newcomer; ids that libzmq did not make are
// thrown out; of two peers with one id at most the first is served, and the second is not left hanging.

#include <gtest/gtest.h>

#include "tests/e2e/hostile.h"
#include "tests/support/wire_peer.h"

namespace telpher::test {
namespace {

constexpr Duration kHelloTimeout = 1s;
// The broker looks at its peers about once a second.
constexpr Duration kKickedWithin = kHelloTimeout + 5s;

class HostileIdentity : public Hostile {
protected:
    HostileIdentity() : Hostile({.args = {"--hello-timeout-ms", "1000"}, .descriptors = {}}) {}

    static ZmtpPeer::Properties dealer(const std::string& identity) {
        return {{"Socket-Type", "DEALER"}, {"Identity", identity}};
    }
};

TEST_P(HostileIdentity, guesses_the_ids_of_the_next_anonymous_clients) {
    std::vector<ZmtpPeer> guesses;
    for (std::uint32_t k = 0; k < 200; ++k) {
        // What an unseeded ROUTER counts up from.
        const std::uint32_t number = 0x6b8b4567 + k;
        std::string id(1, '\0');
        for (int shift = 24; shift >= 0; shift -= 8) id.push_back(static_cast<char>(number >> shift));
        guesses.emplace_back(endpoint());
        guesses.back().handshake(dealer(id));
    }
    for (int i = 0; i < 50; ++i) {
        WirePeer anonymous(endpoint());
        EXPECT_NO_THROW(anonymous.hello());
    }
    expect_unharmed();
}

TEST_P(HostileIdentity, names_itself) {
    ZmtpPeer peer(endpoint());
    ASSERT_TRUE(peer.handshake(dealer("myself")));
    v1::Hello hello;
    hello.set_proto_min(1);
    hello.set_proto_max(1);
    const std::string header = frame::encode(v1::OP_HELLO, hello);
    peer.send({header});
    EXPECT_TRUE(peer.wait_closed(kKickedWithin)) << "only ids that libzmq makes are served";
    expect_unharmed();
}

TEST_P(HostileIdentity, two_with_one_name) {
    const std::string id("\0same", 5);
    WirePeer first(endpoint(), dealer(id));
    first.hello();
    // libzmq connects the second and drops all it says.
    ZmtpPeer second(endpoint());
    ASSERT_TRUE(second.handshake(dealer(id)));
    v1::Hello hello;
    hello.set_proto_min(1);
    hello.set_proto_max(1);
    second.send({frame::encode(v1::OP_HELLO, hello)});

    EXPECT_TRUE(second.wait_closed(kKickedWithin)) << "without a HELLO in time it is thrown out";
    v1::Ping ping;
    ping.set_epoch(first.epoch());
    first.send(v1::OP_PING, ping);
    EXPECT_NO_THROW(first.await(v1::OP_PONG)) << "its name was not taken over";
    expect_unharmed();
}

TEST_P(HostileIdentity, a_name_of_200_kb) {
    const std::size_t before = broker_.process().usage().resident_bytes;
    std::vector<ZmtpPeer> peers;
    for (int i = 0; i < 20; ++i) {
        peers.emplace_back(endpoint());
        peers.back().handshake(dealer(std::string(200'000, 'n') + std::to_string(i)));
        peers.back().send({"x"});
    }
    for (ZmtpPeer& peer : peers) EXPECT_TRUE(peer.wait_closed(kKickedWithin));
    EXPECT_LT(broker_.process().usage().resident_bytes, before + 64 * 1024 * 1024);
    expect_unharmed();
}

TEST_P(HostileIdentity, a_greeting_of_zmtp_2) {
    ZmtpPeer peer(endpoint());
    ASSERT_TRUE(peer.send_raw(ZmtpPeer::greeting_v2()));
    v1::Hello hello;
    hello.set_proto_min(1);
    hello.set_proto_max(1);
    peer.send({frame::encode(v1::OP_HELLO, hello)});
    EXPECT_TRUE(peer.wait_closed(kKickedWithin)) << "ZMTP 2 cannot be authenticated";
    expect_unharmed();
}

TEST_P(HostileIdentity, a_forged_user) {
    WirePeer peer(endpoint(),
                  {{"Socket-Type", "DEALER"}, {"User-Id", "admin"}, {"Peer-Address", "10.0.0.1"}, {"__fd", "3"}});
    EXPECT_NO_THROW(peer.hello()) << "what a peer says of itself is ignored";
    expect_unharmed();
}

TEST_P(HostileIdentity, a_socket_type_that_is_no_dealer) {
    for (const char* type : {"PUB", "ROUTER", "REQ", "NONSENSE", ""}) {
        ZmtpPeer peer(endpoint());
        peer.handshake({{"Socket-Type", type}}, 1s);
        peer.send({"x"});
    }
    expect_unharmed();
}

INSTANTIATE_TEST_SUITE_P(Transports, HostileIdentity, testing::Values("tcp", "ipc"), transport_name);

}  // namespace
}  // namespace telpher::test
