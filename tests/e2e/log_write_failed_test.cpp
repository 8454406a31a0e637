// A write of the log fails while the broker serves: the limit on the size of its files is lowered under it.
//
// Claim: nothing is confirmed any more, clients are told E_STORAGE, the daemon logs why and ends with a status of its
// own; the next start has all that was confirmed.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <telpher/client.h>

#include "tests/support/broker.h"
#include "tests/support/wire_peer.h"

namespace telpher::test {
namespace {

using testing::HasSubstr;

constexpr Millis kLimit{20'000};
constexpr int kIoStatus = 74;
constexpr int kMessages = 10;

TEST(LogWriteFailed, the_broker_ends_and_nothing_confirmed_is_lost) {
    Broker broker;
    Client client(broker.ipc());
    Queue queue = client.queue("jobs");
    for (int i = 0; i < kMessages; ++i) ASSERT_TRUE(queue.put("confirmed", {.timeout = kLimit}));
    WirePeer peer(broker.ipc());
    peer.hello();
    const std::uint32_t handle = peer.open("jobs");
    const std::uint64_t producer = peer.open_producer(handle);

    const rlimit none{1, 1};
    ASSERT_EQ(::prlimit(broker.process().pid(), RLIMIT_FSIZE, &none, nullptr), 0);
    peer.put(handle, producer, 0, 1);
    EXPECT_EQ(peer.await<v1::Goodbye>(v1::OP_GOODBYE).code(), static_cast<std::uint32_t>(Code::kStorage));
    const auto ended = broker.process().wait(20s);
    ASSERT_TRUE(ended);
    EXPECT_TRUE(ended->exited(kIoStatus)) << ended->text();
    EXPECT_THAT(broker.process().errors(), HasSubstr("log.failed"));
    EXPECT_THAT(broker.process().errors(), HasSubstr("E_IO"));

    broker.start();
    for (int i = 0; i < kMessages; ++i) {
        auto message = queue.get(kLimit);
        ASSERT_TRUE(message) << message.error().message();
        EXPECT_EQ(message->text(), "confirmed");
        message->ack();
    }
    EXPECT_TRUE(queue.flush(kLimit));
}

}  // namespace
}  // namespace telpher::test
