// The disk of the data directory is full: by what the queues hold, or by somebody else's files.
//
// Claim: puts are refused with DISK_FULL while gets and settles go on; what they free makes puts go on by itself; when
// there is no room at all nothing is confirmed, lost or stopped, and all goes on when there is.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <telpher/client.h>

#include "tests/support/broker.h"
#include "tests/support/small_disk.h"

namespace telpher::test {
namespace {

constexpr Millis kLimit{20'000};
constexpr std::size_t kMiB = 1024 * 1024;
constexpr const char* kDiskBytes = "160m";
constexpr std::size_t kMessageBytes = 100'000;

class DiskFull : public testing::Test {
protected:
    void SetUp() override {
        if (!disk_.missing().empty()) GTEST_SKIP() << "no small disk: " << disk_.missing();
    }

    [[nodiscard]] BrokerOptions options() const {
        BrokerOptions options;
        options.data_dir = disk_.path() / "data";
        options.args = {"--segment-bytes", "16MiB", "--disk-reserve", "32MiB"};
        return options;
    }
    static std::uint64_t put_until_refused(Queue& queue, Code& why) {
        const std::string body(kMessageBytes, 'x');
        for (std::uint64_t confirmed = 0;; ++confirmed) {
            const auto put = queue.put(body, {.timeout = kLimit});
            if (put) continue;
            why = put.error().code();
            return confirmed;
        }
    }
    static void take(Queue& queue, std::uint64_t count) {
        for (std::uint64_t i = 0; i < count; ++i) {
            auto message = queue.get(kLimit);
            ASSERT_TRUE(message) << i << " of " << count << ": " << message.error().message();
            message->ack();
        }
        EXPECT_TRUE(queue.flush(kLimit));
        EXPECT_EQ(queue.get(Millis(0)).error().code(), Code::kEmpty);
    }

    SmallDisk disk_{kDiskBytes};
};

TEST_F(DiskFull, puts_wait_for_what_settles_free) {
    Broker broker(options());
    Client client(broker.ipc());
    Queue queue = client.queue("jobs");
    std::uint64_t confirmed = 0;
    for (int round = 0; round < 3; ++round) {
        Code why = Code::kOk;
        const std::uint64_t stored = put_until_refused(queue, why);
        EXPECT_EQ(why, Code::kDiskFull);
        EXPECT_GT(stored * kMessageBytes, 50 * kMiB) << "round " << round << ": spares are room";
        ASSERT_NO_FATAL_FAILURE(take(queue, stored)) << "round " << round;
        EXPECT_TRUE(eventually(10s, [&] { return queue.put("goes on").has_value(); })) << "round " << round;
        ASSERT_NO_FATAL_FAILURE(take(queue, 1));
        confirmed += stored + 1;
    }
    EXPECT_EQ(queue.stats()->put, confirmed);
    EXPECT_TRUE(broker.running());
}

// The room goes between two looks at it, while as much is on its way as a producer may send: the log cannot begin its
// next segment. When the look comes first the puts are refused, and it is tried again.
TEST_F(DiskFull, no_room_for_what_is_on_its_way_is_nothing_but_time) {
    Broker broker(options());
    Client client(broker.ipc());
    Queue queue = client.queue("jobs");
    const std::string body(kMessageBytes, 'x');
    std::vector<Ticket> tickets;
    const auto waits = [&] {
        return broker.process().wait_for_errors("no room on the disk for the log", Duration(500'000'000));
    };
    bool waited = false;
    for (int attempt = 0; attempt < 30 && !waited; ++attempt) {
        ASSERT_TRUE(eventually(10s, [&] { return queue.put(body).has_value(); }));
        ASSERT_NO_FATAL_FAILURE(take(queue, 1));
        tickets.clear();
        disk_.take_room();
        for (std::size_t sent = 0; sent < 8 * kMiB; sent += kMessageBytes) {
            const auto ticket = queue.put_async(body);
            ASSERT_TRUE(ticket);
            tickets.push_back(*ticket);
        }
        waited = waits();
        if (waited) break;
        disk_.give_room_back();
        (void)queue.flush(kLimit);
        ASSERT_NO_FATAL_FAILURE(take(queue, queue.stats()->ready));
    }
    ASSERT_TRUE(waited) << "the log never had to wait";
    EXPECT_TRUE(broker.running());
    EXPECT_EQ(queue.wait(tickets.back(), Millis(100)).error().code(), Code::kTimeout) << "nothing is confirmed";
    disk_.give_room_back();
    std::uint64_t stored = 0;
    for (const Ticket ticket : tickets) {
        const auto done = queue.wait(ticket, kLimit);
        EXPECT_EQ(done ? Code::kDiskFull : done.error().code(), Code::kDiskFull);
        stored += done ? 1 : 0;
    }
    EXPECT_GT(stored, 0U);
    (void)queue.flush(kLimit);  // tells of the refusals
    ASSERT_NO_FATAL_FAILURE(take(queue, stored));
    EXPECT_TRUE(eventually(10s, [&] { return queue.put(body).has_value(); }));
}

TEST_F(DiskFull, a_start_without_room_for_a_segment_says_so) {
    disk_.take_room();
    const auto done =
        run(program("telpherd"), {"--data-dir", options().data_dir, "--listen", "tcp://127.0.0.1:*"}, 20s);
    EXPECT_TRUE(done.ended.exited(74)) << done.ended.text();
    EXPECT_THAT(done.errors, testing::HasSubstr("E_DISK_FULL"));
}

}  // namespace
}  // namespace telpher::test
