// Connections by descriptor, peers by routing id: who is taken for whom when descriptors are used again. The
// descriptors are real, as throwing out is shutdown(2) on them.

#include "broker/connections.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <set>
#include <vector>

namespace telpher::broker {
namespace {

using namespace std::chrono_literals;

/// A descriptor to throw out: one end of a socket pair.
class Wire {
public:
    Wire() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends_), 0); }
    Wire(const Wire&) = delete;
    Wire& operator=(const Wire&) = delete;
    ~Wire() {
        ::close(ends_[0]);
        ::close(ends_[1]);
    }
    [[nodiscard]] int fd() const { return ends_[0]; }
    [[nodiscard]] bool shut() const {
        char byte = 0;
        return ::recv(ends_[1], &byte, 1, 0) == 0;
    }

private:
    int ends_[2] = {-1, -1};
};

class ConnectionsTest : public testing::Test {
protected:
    /// As the Router does, with every peer within reach but those in unreachable_.
    void pass(Duration time) {
        now_ = now_ + time;
        connections_.tick(now_);
        for (PeerId peer; connections_.next_leaving(now_, peer);) {
            unreachable_.contains(peer) ? connections_.unreachable(peer) : connections_.shut(peer);
        }
    }
    bool gone(PeerId peer) {
        PeerId next;
        return connections_.next_gone(next) && next == peer;
    }

    Instant now_{1'000'000'000};
    Connections connections_{ConnectionLimits{.connections_max = 3, .hello_timeout = 5s, .unseen_bytes_max = 1'000}};
    Wire wire_;
    std::set<PeerId> unreachable_;
    const PeerId first_{11}, second_{12};
};

TEST_F(ConnectionsTest, a_stranger_without_hello_is_thrown_out_in_time) {
    connections_.accepted(wire_.fd(), now_);
    pass(4s);
    EXPECT_FALSE(wire_.shut());
    pass(2s);
    EXPECT_TRUE(wire_.shut());
    EXPECT_EQ(connections_.kicked(), 1U);
}

TEST_F(ConnectionsTest, many_are_looked_at_a_few_at_a_time_and_all_in_time) {
    connections_.limit(1'000, 5s);
    std::vector<std::unique_ptr<Wire>> wires;
    for (int i = 0; i < 200; ++i) connections_.accepted(wires.emplace_back(std::make_unique<Wire>())->fd(), now_);
    now_ = now_ + 6s;
    const auto shut = [&] { return std::ranges::count_if(wires, [](const auto& wire) { return wire->shut(); }); };
    connections_.tick(now_);
    EXPECT_EQ(shut(), 64);
    EXPECT_LE(connections_.next_timer(), now_ + 500ms);
    for (int turns = 0; turns < 3; ++turns) {
        now_ = connections_.next_timer();
        connections_.tick(now_);
    }
    EXPECT_EQ(shut(), 200);
    EXPECT_EQ(connections_.next_timer(), Instant::never()) << "nothing is left to do";
}

TEST_F(ConnectionsTest, who_is_welcome_stays) {
    connections_.accepted(wire_.fd(), now_);
    ASSERT_TRUE(connections_.heard(first_, wire_.fd(), 10));
    connections_.welcome(first_);
    pass(1h);
    EXPECT_FALSE(wire_.shut());
}

TEST_F(ConnectionsTest, what_is_over_the_cap_is_thrown_out_at_once) {
    Wire more[3];
    for (const Wire& wire : more) connections_.accepted(wire.fd(), now_);
    connections_.accepted(wire_.fd(), now_);
    EXPECT_TRUE(wire_.shut());
    EXPECT_FALSE(more[0].shut());
    EXPECT_FALSE(connections_.heard(first_, wire_.fd(), 10));
}

TEST_F(ConnectionsTest, a_full_broker_lets_go_of_those_who_have_said_nothing) {
    Wire welcome;
    connections_.accepted(welcome.fd(), now_);
    ASSERT_TRUE(connections_.heard(first_, welcome.fd(), 10));
    connections_.welcome(first_);
    Wire silent[2];
    for (const Wire& wire : silent) connections_.accepted(wire.fd(), now_);
    pass(2s);
    connections_.accepted(wire_.fd(), now_);
    EXPECT_TRUE(silent[0].shut()) << "the eldest";
    EXPECT_FALSE(silent[1].shut());
    EXPECT_FALSE(welcome.shut());
    EXPECT_FALSE(wire_.shut());
    EXPECT_TRUE(connections_.heard(second_, wire_.fd(), 10));
}

TEST_F(ConnectionsTest, a_kick_leaves_a_moment_for_the_last_words) {
    connections_.accepted(wire_.fd(), now_);
    ASSERT_TRUE(connections_.heard(first_, wire_.fd(), 10));
    connections_.kick(first_, now_);
    EXPECT_FALSE(connections_.heard(first_, wire_.fd(), 10)) << "nothing more is taken from it";
    EXPECT_FALSE(wire_.shut());
    pass(100ms);
    EXPECT_TRUE(wire_.shut());
}

TEST_F(ConnectionsTest, a_kick_of_one_who_left_spares_who_has_the_descriptor_now) {
    connections_.accepted(wire_.fd(), now_);
    ASSERT_TRUE(connections_.heard(first_, wire_.fd(), 10));
    connections_.kick(first_, now_);
    connections_.disconnected(wire_.fd());
    connections_.accepted(wire_.fd(), now_);
    EXPECT_TRUE(gone(first_));
    ASSERT_TRUE(connections_.heard(second_, wire_.fd(), 10));
    connections_.welcome(second_);
    pass(1s);
    EXPECT_FALSE(wire_.shut());
}

TEST_F(ConnectionsTest, late_words_of_one_who_was_never_heard_harm_nobody) {
    // Its whole life lies between two looks at the monitor: only what it said is left, and names the descriptor of the
    // next one.
    connections_.accepted(wire_.fd(), now_);
    connections_.disconnected(wire_.fd());
    connections_.accepted(wire_.fd(), now_);
    ASSERT_TRUE(connections_.heard(first_, wire_.fd(), 10)) << "nothing tells it apart yet";
    connections_.unreachable(first_);  // the answer to it failed
    EXPECT_TRUE(gone(first_));
    EXPECT_FALSE(connections_.heard(first_, wire_.fd(), 10));
    connections_.kick(first_, now_);
    ASSERT_TRUE(connections_.heard(second_, wire_.fd(), 10)) << "the descriptor is free for its owner";
    connections_.welcome(second_);
    pass(1s);
    EXPECT_FALSE(wire_.shut());
}

TEST_F(ConnectionsTest, late_words_do_not_take_a_descriptor_from_its_owner) {
    connections_.accepted(wire_.fd(), now_);
    connections_.disconnected(wire_.fd());
    connections_.accepted(wire_.fd(), now_);
    ASSERT_TRUE(connections_.heard(second_, wire_.fd(), 10));
    connections_.welcome(second_);
    EXPECT_FALSE(connections_.heard(first_, wire_.fd(), 10));
    EXPECT_FALSE(gone(second_));
    EXPECT_TRUE(connections_.heard(second_, wire_.fd(), 10));
}

TEST_F(ConnectionsTest, who_comes_later_takes_the_descriptor_of_one_who_is_thrown_out) {
    connections_.accepted(wire_.fd(), now_);
    ASSERT_TRUE(connections_.heard(first_, wire_.fd(), 10));
    connections_.kick(first_, now_);
    ASSERT_TRUE(connections_.heard(second_, wire_.fd(), 10)) << "both name the descriptor: the newer one has it";
    EXPECT_TRUE(gone(first_));
    connections_.welcome(second_);
    pass(1s);
    EXPECT_FALSE(wire_.shut());
}

TEST_F(ConnectionsTest, a_kick_of_one_out_of_reach_spares_who_has_said_nothing_yet) {
    connections_.accepted(wire_.fd(), now_);
    ASSERT_TRUE(connections_.heard(first_, wire_.fd(), 10));
    connections_.kick(first_, now_);
    unreachable_.insert(first_);
    pass(1s);
    EXPECT_FALSE(wire_.shut());
    EXPECT_TRUE(connections_.heard(second_, wire_.fd(), 10));
}

TEST_F(ConnectionsTest, the_count_of_peers_wraps) {
    const PeerId last(UINT32_MAX + 1ULL);
    const PeerId next(1);
    connections_.accepted(wire_.fd(), now_);
    ASSERT_TRUE(connections_.heard(last, wire_.fd(), 10));
    EXPECT_TRUE(connections_.heard(next, wire_.fd(), 10));
    EXPECT_FALSE(connections_.heard(last, wire_.fd(), 10));
}

TEST_F(ConnectionsTest, words_of_a_connection_nobody_accepted_are_dropped) {
    EXPECT_FALSE(connections_.heard(first_, wire_.fd(), 10));
    EXPECT_FALSE(connections_.heard(first_, -1, 10));
}

TEST_F(ConnectionsTest, other_limits_hold_for_who_comes_and_who_has_said_nothing) {
    connections_.limit(1, 1s);
    connections_.accepted(wire_.fd(), now_);
    const Wire second;
    connections_.accepted(second.fd(), now_);
    EXPECT_FALSE(wire_.shut());
    EXPECT_TRUE(second.shut()) << "one too many";
    pass(1s);
    EXPECT_TRUE(wire_.shut()) << "no HELLO in a second";
}

}  // namespace
}  // namespace telpher::broker
