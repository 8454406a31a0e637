// One message in a hundred is left behind in each of a hundred segments: the disk follows what lives, at the price of
// little more writing.
#include <gtest/gtest.h>

#include <fstream>
#include <iostream>
#include <set>

#include "telpher/telpher.hpp"
#include "tests/support/broker.h"
#include "tests/support/deadline.h"

namespace telpher::test {
namespace {

constexpr std::uint64_t kMebi = 1024 * 1024;
constexpr std::uint64_t kSegmentBytes = 10 * kMebi;
constexpr std::uint64_t kSegments = 100;
constexpr std::uint64_t kBodyBytes = 1024;
constexpr std::uint64_t kMessages = kSegments * kSegmentBytes / kBodyBytes;
constexpr std::uint64_t kStride = 100;

std::uint64_t disk_bytes(const std::filesystem::path& dir) {
    std::uint64_t bytes = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir)) {
        std::error_code gone;  // segments come and go
        const auto size = entry.is_regular_file(gone) ? entry.file_size(gone) : 0;
        if (!gone) bytes += size;
    }
    return bytes;
}

/// Bytes that the process had written to its files.
std::uint64_t written_bytes(pid_t pid) {
    std::ifstream io("/proc/" + std::to_string(pid) + "/io");
    std::string name;
    std::uint64_t value = 0;
    while (io >> name >> value) {
        if (name == "wchar:") return value;
    }
    throw std::runtime_error("no wchar in /proc/PID/io");
}

TEST(Stragglers, DoNotPinTheDisk) {
    Broker broker({.args = {"--segment-bytes", std::to_string(kSegmentBytes), "--message-size", "1MiB"}});
    ClientOptions server;
    server.server = broker.ipc();
    Client client(server);
    QueueOptions options;
    options.maxsize = 2 * kMessages;
    Queue queue = client.queue("q", options);
    const std::uint64_t before = written_bytes(broker.process().pid());
    const std::string body(kBodyBytes, 's');
    for (std::uint64_t i = 0; i < kMessages; ++i) ASSERT_TRUE(queue.put_async(body));
    ASSERT_TRUE(queue.flush());
    EXPECT_GE(disk_bytes(broker.data_dir()), kSegments * kSegmentBytes);
    // Who holds the stragglers stays.
    std::vector<Message> held;
    Consumer consumer = queue.consume({.messages_max = kMessages});
    for (Message& message : consumer) {
        message.id() % kStride == 0 ? held.push_back(std::move(message)) : message.ack();
    }
    ASSERT_TRUE(consumer.flush());
    ASSERT_EQ(held.size(), kMessages / kStride);

    const std::uint64_t live = held.size() * kBodyBytes;
    const std::uint64_t most = 2 * live + 3 * kSegmentBytes;
    const Stopwatch watch;
    const bool small = eventually(60s, [&] { return disk_bytes(broker.data_dir()) <= most; });
    const std::uint64_t written = written_bytes(broker.process().pid()) - before;
    std::cout << live << " bytes live, " << disk_bytes(broker.data_dir()) << " on disk (at most " << most << ") after "
              << watch.seconds() << " s, written "
              << static_cast<double>(written) / static_cast<double>(kMessages * kBodyBytes) << " times what was put"
              << std::endl;
    EXPECT_TRUE(small);
    EXPECT_LE(written, 2 * kMessages * kBodyBytes);

    broker.kill();
    broker.start();
    const auto after = client.show("q");
    ASSERT_TRUE(after);
    EXPECT_EQ(after->acked, kMessages - held.size());
    EXPECT_EQ(after->unfinished(), held.size());
    const std::size_t left = held.size();
    held.clear();
    // All of them are there, and nothing else.
    std::set<std::uint64_t> ids;
    while (ids.size() < left) {
        auto message = queue.get(Millis{10'000});
        ASSERT_TRUE(message) << ids.size() << " came";
        EXPECT_EQ(message->id() % kStride, 0U);
        EXPECT_EQ(message->text(), body);
        ids.insert(message->id());
        message->ack();
    }
    ASSERT_TRUE(queue.flush());
    EXPECT_TRUE(eventually(10s, [&] { return client.show("q")->unfinished() == 0; }));
}

}  // namespace
}  // namespace telpher::test
