// A broker is killed with messages in every standing; what its data directory holds is exported and imported elsewhere.
//
// Claim: the broker there hands out the same messages in the same order, byte for byte, with what is known of their
// tries; what was settled stays away. Nothing is changed where they come from, and nothing half is left where they go.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <telpher/client.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "tests/support/broker.h"
#include "tests/support/process.h"

namespace telpher::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr Millis kLimit{20'000};
constexpr int kUsage = 64;
constexpr int kCorrupt = 65;
constexpr int kNoInput = 66;
constexpr int kIo = 74;
constexpr int kLocked = 75;

Finished telpherd(std::vector<std::string> args, const ProcessOptions& options = {}) {
    return run(program("telpherd"), std::move(args), 60s, options);
}

/// Every byte value, and the number.
std::string payload_of(int number) {
    std::string payload = std::to_string(number) + ":";
    for (int byte = 0; byte < 256; ++byte) payload += static_cast<char>(byte);
    return payload;
}

std::string text_of(const fs::path& file) {
    std::ostringstream bytes;
    bytes << std::ifstream(file, std::ios::binary).rdbuf();
    return bytes.str();
}

std::map<std::string, std::string> contents_of(const fs::path& dir) {
    std::map<std::string, std::string> contents;
    for (const auto& entry : fs::recursive_directory_iterator(dir)) {
        if (!entry.is_regular_file() || entry.path().filename() == "lock") continue;  // that tells who looked last
        contents[entry.path()] = text_of(entry.path());
    }
    return contents;
}

class DataMoved : public testing::Test {
protected:
    [[nodiscard]] std::string file(const std::string& name) const { return dir_.path() / name; }
    Finished exported(const std::string& to) {
        return telpherd({"export", "--data-dir", broker_.data_dir(), "-o", to});
    }
    Finished imported(const std::string& from, const std::string& to) {
        return telpherd({"import", "--data-dir", to, "-i", from});
    }
    void put(Queue& queue, int count) {
        for (int i = 0; i < count; ++i) {
            const std::string key = "key " + std::to_string(i);
            PutOptions options;
            options.key = key;
            options.headers = {{"number", std::to_string(i)}};
            ASSERT_TRUE(queue.put_async(payload_of(i), options));
        }
        ASSERT_TRUE(queue.flush(kLimit));
    }

    TempDir dir_;
    Broker broker_;
};

TEST_F(DataMoved, everything_unsettled_is_there_in_order_with_its_tries) {
    constexpr int kMessages = 500;
    Client client(broker_.ipc());
    Queue jobs = client.queue("jobs", {.maxsize = 1000, .max_attempts = 7, .backoff = Millis(1)});
    ASSERT_NO_FATAL_FAILURE(put(jobs, kMessages));
    Consumer consumer = jobs.consume({.prefetch = 100});
    std::vector<Message> held;
    for (int i = 0; i < 60; ++i) {
        auto message = consumer.next(kLimit);
        ASSERT_TRUE(message) << message.error().message();
        if (i % 3 == 0) {
            ASSERT_TRUE(message->ack_confirmed(kLimit));
        } else if (i % 20 == 10) {
            message->dead("no good " + std::to_string(i));
        } else {
            held.push_back(std::move(*message));
        }
    }
    ASSERT_TRUE(consumer.flush(kLimit));
    Queue sealed = client.queue("sealed", {.maxsize = 10});
    ASSERT_TRUE(sealed.put("last"));
    ASSERT_TRUE(sealed.seal(kLimit));
    broker_.kill();

    const auto before = contents_of(broker_.data_dir());
    const Finished out = exported(file("backup"));
    ASSERT_TRUE(out.ended.ok()) << out.errors;
    EXPECT_EQ(contents_of(broker_.data_dir()), before);
    const Finished in = imported(file("backup"), file("elsewhere"));
    ASSERT_TRUE(in.ended.ok()) << in.errors;
    const Finished checked = telpherd({"fsck", file("elsewhere")});
    EXPECT_TRUE(checked.ended.ok()) << checked.output;

    BrokerOptions options;
    options.data_dir = file("elsewhere");
    Broker there(options);
    Client other(there.ipc());
    Queue again = other.queue("jobs");
    EXPECT_EQ(again.stats()->max_attempts, 7U);
    EXPECT_TRUE(other.queue("sealed").stats()->sealed);
    const auto dead = again.peek(10, 0, kLimit, Peeked::State::kDead);
    ASSERT_TRUE(dead);
    ASSERT_EQ(dead->size(), 2U);  // 10 and 50; 30 was acked
    EXPECT_EQ(dead->front().reason, "no good 10");
    EXPECT_EQ(dead->front().body, payload_of(10));
    Consumer drain = again.consume({.prefetch = 10});
    for (int i = 0; i < kMessages; ++i) {
        if (i < 60 && (i % 3 == 0 || i % 20 == 10)) continue;
        auto message = drain.next(kLimit);
        ASSERT_TRUE(message) << message.error().message();
        ASSERT_EQ(message->text(), payload_of(i));
        EXPECT_EQ(message->id(), static_cast<std::uint64_t>(i));
        EXPECT_EQ(message->key(), "key " + std::to_string(i));
        ASSERT_EQ(message->headers().size(), 1U);
        EXPECT_EQ(message->headers()[0].second, std::to_string(i));
        // Delivered before, whether it came or not: that counts.
        if (i < 60 || i >= 300) {
            EXPECT_EQ(message->delivery(), i < 60 ? 2U : 1U) << i;
        }
        message->ack();
    }
    EXPECT_EQ(drain.next(Millis(200)).error().code(), Code::kEmpty);
}

TEST_F(DataMoved, stdout_feeds_stdin) {
    Client client(broker_.ipc());
    Queue jobs = client.queue("jobs");
    Queue other = client.queue("other");
    ASSERT_TRUE(jobs.put("one"));
    ASSERT_TRUE(other.put("two"));
    ASSERT_TRUE(broker_.terminate());
    const Finished out = telpherd({"export", "--data-dir", broker_.data_dir(), "--queue", "jobs"});
    ASSERT_TRUE(out.ended.ok()) << out.errors;
    EXPECT_THAT(out.errors, HasSubstr("exported 1 messages of 1 queues"));
    ProcessOptions options;
    options.input = out.output;
    fs::create_directory(file("empty"));
    const Finished in = telpherd({"import", "--data-dir", file("empty")}, options);
    ASSERT_TRUE(in.ended.ok()) << in.errors;
    const Finished again = telpherd({"export", "--data-dir", file("empty")});
    EXPECT_EQ(out.output.substr(out.output.find('\n'), out.output.find("\"xxh3") - out.output.find('\n')),
              again.output.substr(again.output.find('\n'), again.output.find("\"xxh3") - again.output.find('\n')));
}

TEST_F(DataMoved, refusals_have_their_status_and_leave_nothing) {
    Client client(broker_.ipc());
    ASSERT_TRUE(client.queue("jobs").put("one"));
    EXPECT_TRUE(exported(file("backup")).ended.exited(kLocked)) << "the daemon runs";
    EXPECT_TRUE(imported("/dev/null", broker_.data_dir()).ended.exited(kLocked));
    ASSERT_TRUE(broker_.terminate());
    EXPECT_FALSE(fs::exists(file("backup")));
    EXPECT_TRUE(telpherd({"export", "--data-dir", broker_.data_dir(), "--queue", "none"}).ended.exited(kNoInput));
    EXPECT_TRUE(telpherd({"export", "--data-dir", dir_.path()}).ended.exited(kNoInput)) << "no log there";
    EXPECT_TRUE(telpherd({"fsck", dir_.path()}).ended.exited(kNoInput)) << "the same";
    fs::remove(file("lock"));
    EXPECT_TRUE(telpherd({"export"}).ended.exited(kUsage));
    EXPECT_TRUE(exported(file("no/such/folder/backup")).ended.exited(kIo));
    ASSERT_TRUE(exported(file("backup")).ended.ok());
    EXPECT_TRUE(imported(file("backup"), broker_.data_dir()).ended.exited(kUsage)) << "not empty";
    EXPECT_TRUE(imported(file("none"), file("elsewhere")).ended.exited(kIo));

    const std::string whole = text_of(file("backup"));
    std::ofstream(file("cut")) << whole.substr(0, whole.size() - 9);
    EXPECT_TRUE(imported(file("cut"), file("elsewhere")).ended.exited(kCorrupt));
    EXPECT_FALSE(fs::exists(file("elsewhere")));
    fs::create_directory(file("empty"));
    EXPECT_TRUE(imported(file("cut"), file("empty")).ended.exited(kCorrupt));
    EXPECT_TRUE(fs::is_empty(file("empty")));
    EXPECT_TRUE(imported(file("backup"), file("empty")).ended.ok());
}

TEST_F(DataMoved, a_damaged_log_is_not_exported) {
    Client client(broker_.ipc());
    Queue jobs = client.queue("jobs");
    ASSERT_NO_FATAL_FAILURE(put(jobs, 50));
    ASSERT_TRUE(broker_.terminate());
    const fs::path segment = broker_.data_dir() / "shard-0" / "0000000000000001.seg";
    std::fstream bytes(segment, std::ios::in | std::ios::out | std::ios::binary);
    const auto at = text_of(segment).find("key 7");
    ASSERT_NE(at, std::string::npos);
    bytes.seekp(static_cast<std::streamoff>(at));
    bytes << "KEY";
    bytes.close();
    const Finished out = exported(file("backup"));
    EXPECT_TRUE(out.ended.exited(kCorrupt)) << out.ended.text();
    EXPECT_THAT(out.errors, HasSubstr("E_CORRUPT"));
    std::vector<fs::path> left;
    for (const auto& entry : fs::directory_iterator(dir_.path())) left.push_back(entry.path());
    EXPECT_THAT(left, IsEmpty());
}

}  // namespace
}  // namespace telpher::test
