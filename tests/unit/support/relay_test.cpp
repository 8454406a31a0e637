#include "tests/support/relay.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "tests/support/deadline.h"
#include "tests/support/socket_address.h"
#include "tests/support/temp_dir.h"

namespace telpher::test {
namespace {

/// A listener of the test's own behind a relay, and one connection through it.
class RelayTest : public testing::Test {
protected:
    void SetUp() override {
        const SocketAddress there = socket_address(target());
        listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ASSERT_EQ(::bind(listener_, there.get(), there.bytes), 0);
        ASSERT_EQ(::listen(listener_, 1), 0);
    }
    void TearDown() override {
        for (const int fd : {listener_, near_, far_}) ::close(fd);
    }
    [[nodiscard]] std::string target() const { return "ipc://" + (dir_.path() / "far").string(); }
    [[nodiscard]] std::string endpoint() const { return "ipc://" + (dir_.path() / "near").string(); }

    void connect() {
        const SocketAddress here = socket_address(endpoint());
        near_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ASSERT_EQ(::connect(near_, here.get(), here.bytes), 0);
        far_ = ::accept(listener_, nullptr, nullptr);
        ASSERT_GE(far_, 0);
        const timeval limit{10, 0};
        for (const int fd : {near_, far_}) ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    }
    /// All that comes until the end, or until `enough` bytes came.
    static std::string read(int fd, std::size_t enough) {
        std::string all;
        std::array<char, 4096> buffer{};
        while (all.size() < enough) {
            const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
            if (got <= 0) break;
            all.append(buffer.data(), static_cast<std::size_t>(got));
        }
        return all;
    }
    static void write(int fd, const std::string& text) {
        ASSERT_EQ(::send(fd, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
    }

    TempDir dir_;
    int listener_ = -1, near_ = -1, far_ = -1;
};

TEST_F(RelayTest, passes_both_ways_until_one_side_ends) {
    Relay relay(endpoint(), target(), 1);
    ASSERT_NO_FATAL_FAILURE(connect());
    write(near_, "to the broker");
    EXPECT_EQ(read(far_, 13), "to the broker");
    const std::string large(100'000, 'x');
    write(far_, large);
    EXPECT_EQ(read(near_, large.size()), large);
    write(far_, "last words");
    ::shutdown(far_, SHUT_RDWR);
    EXPECT_EQ(read(near_, 1'000), "last words");
    EXPECT_EQ(relay.cuts(), 0U);
    EXPECT_EQ(relay.connections(), 1U);
}

TEST_F(RelayTest, cuts_after_so_many_bytes) {
    Relay relay(endpoint(), target(), 1);
    relay.cut_within(1'000);
    ASSERT_NO_FATAL_FAILURE(connect());
    write(near_, std::string(2'000, 'x'));
    const std::string got = read(far_, 2'000);
    EXPECT_GE(got.size(), 1U);
    EXPECT_LE(got.size(), 1'000U);
    EXPECT_TRUE(eventually(10s, [&] { return relay.cuts() == 1; }));
}

TEST_F(RelayTest, cuts_all_at_once) {
    Relay relay(endpoint(), target(), 1);
    ASSERT_NO_FATAL_FAILURE(connect());
    relay.cut_all();
    EXPECT_EQ(read(far_, 1), "");
    EXPECT_EQ(read(near_, 1), "");
    EXPECT_EQ(relay.cuts(), 1U);
}

}  // namespace
}  // namespace telpher::test
