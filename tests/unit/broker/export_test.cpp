// What a log holds leaves it as lines and comes back as a log: queues, messages, their standing, byte for byte. And
// lines that make no sense make no log.
#include <gtest/gtest.h>

#include <sstream>

#include "broker/export_format.h"
#include "broker/exporter.h"
#include "broker/importer.h"
#include "proto/command/message_json.h"
#include "tests/sim/sim_peer.h"

namespace telpher::sim {
namespace {

using namespace std::chrono_literals;
using broker::ExportedMessage;
using broker::ExportedQueue;
using broker::ExportEnd;
using broker::ExportHead;
using broker::ExportLine;
using V = v1::Settle;

/// Lines as exporters write them, the sum apart.
std::string text_of(const std::vector<ExportLine>& lines) {
    std::string text;
    for (const ExportLine& line : lines) text += broker::format_line(line) + '\n';
    return text;
}

ExportedQueue queue_of(const std::string& name, std::uint64_t next) {
    ExportedQueue queue;
    queue.name = name;
    queue.next = Offset(next);
    return queue;
}

ExportedMessage message_of(const std::string& queue, std::uint64_t id, std::string payload = "payload") {
    ExportedMessage message;
    message.queue = queue;
    message.id = Offset(id);
    message.put = WallTime{1'700'000'000'000};
    message.payload = std::move(payload);
    return message;
}

class ExportTest : public testing::Test {
protected:
    ExportTest() {
        EXPECT_TRUE(broker.start());
        peer.hello();
    }
    static constexpr const char* kDir = "imported";

    std::string exported(const std::vector<std::string>& names = {}) {
        return exported_of(broker.files(), small_log().dir, names);
    }
    std::string exported_of(log::FileSystem& from, const std::string& dir, const std::vector<std::string>& names = {}) {
        std::ostringstream out;
        const auto done = broker::export_log(from, dir, names, broker.clock(), out);
        EXPECT_TRUE(done) << done.error().message();
        return out.str();
    }
    Result<broker::ImportSummary> import_of(const std::string& text) {
        files = std::make_unique<test::FaultyFileSystem>();
        log::LogOptions options = small_log();
        options.dir = kDir;
        options.clock = &broker.clock();
        options.segment_bytes = 2 * limits::kMiB;
        std::istringstream in(text);
        return broker::import_log(*files, options, in);
    }
    Code refused(const std::string& text) {
        const auto done = import_of(text);
        if (done) return Code::kOk;
        said = done.error().message();
        return done.error().code();
    }
    Code refused(const std::vector<ExportLine>& lines) { return refused(text_of(lines)); }
    /// Lines of a text as they mean.
    static std::vector<ExportLine> lines_of(const std::string& text) {
        std::vector<ExportLine> lines;
        std::istringstream in(text);
        for (std::string line; std::getline(in, line);) {
            auto parsed = broker::parse_line(line);
            EXPECT_TRUE(parsed) << line;
            if (parsed) lines.push_back(std::move(*parsed));
        }
        return lines;
    }
    static std::vector<ExportedMessage> messages_of(const std::string& text) {
        std::vector<ExportedMessage> messages;
        for (const ExportLine& line : lines_of(text)) {
            if (const auto* message = std::get_if<ExportedMessage>(&line)) messages.push_back(*message);
        }
        return messages;
    }
    /// What comes out of an import is what went in, but for the first line's time and the sum.
    void expect_survives(const std::string& text) {
        const auto done = import_of(text);
        ASSERT_TRUE(done) << done.error().message();
        EXPECT_EQ(exported_of(*files, kDir), text);
    }

    SimBroker broker{7};
    SimPeer peer{broker};
    std::unique_ptr<test::FaultyFileSystem> files;
    std::string said;
};

TEST_F(ExportTest, QueuesAndMessagesOfEveryStandingSurvive) {
    v1::QueueOptions options = bounded(500, 2);
    options.set_max_attempts(3);
    options.set_lease_ms(60'000);
    const auto handle = peer.open("jobs", options);
    const auto producer = peer.open_producer(handle);
    for (std::uint64_t first = 0; first < 60; first += 6) peer.put(handle, producer, first, 6, 200);
    broker.settle();
    const auto sub = peer.attach(handle, 40);
    broker.settle();
    peer.settle(sub, 1, V::VERDICT_ACK, {0, 5, 1, 5, 3, 1});     // 0..4, 10..12
    peer.settle(sub, 2, V::VERDICT_NACK, {5, 2, 1}, 3'600'000);  // 5, 6: later
    peer.settle(sub, 3, V::VERDICT_DEAD, {7, 1, 1});             // 7
    peer.settle(sub, 4, V::VERDICT_RELEASE, {8, 1, 1});          // 8: again
    peer.await(v1::OP_SETTLED);
    const auto other = peer.open("sealed", bounded(10));
    peer.seal(other);
    peer.open("in.memory", bounded(10, 1, 3));
    broker.settle();
    broker.kill();
    const std::string text = exported();
    const auto messages = messages_of(text);
    ASSERT_EQ(messages.size(), 60U - 8U);
    std::map<std::uint64_t, ExportedMessage> by_id;
    for (const ExportedMessage& message : messages) by_id[message.id.value()] = message;
    EXPECT_EQ(by_id.at(5).tries, (queue::Tries{1, 1}));
    EXPECT_GT(by_id.at(5).due.ms, broker.clock().wall().ms + 3'000'000);
    EXPECT_TRUE(by_id.at(7).dead);
    ASSERT_TRUE(by_id.at(7).death);
    EXPECT_EQ(by_id.at(7).death->cause, queue::Cause::kVerdict);
    EXPECT_GE(by_id.at(20).tries.deliveries, 1U) << "in hands at the kill: that delivery counts";
    EXPECT_EQ(by_id.at(59).tries, (queue::Tries{0, 0}));
    const auto lines = lines_of(text);
    const auto& jobs = std::get<ExportedQueue>(lines.at(2));
    EXPECT_EQ(jobs.name, "jobs");
    EXPECT_EQ(jobs.options.maxsize, 500U);
    EXPECT_EQ(jobs.next, Offset(60));
    EXPECT_TRUE(std::get<ExportedQueue>(lines.at(3)).sealed);
    expect_survives(text);
}

TEST_F(ExportTest, ABrokerGoesOnWithWhatWasImported) {
    const auto handle = peer.open("jobs", bounded(500));
    const auto named = peer.open_named(handle, "feeder\xff");
    peer.put(handle, named.producer(), 0, 20);
    broker.settle();
    broker.kill();
    const std::string text = exported();
    ASSERT_TRUE(import_of(text));
    SimBroker next(8, small_settings(), [] {
        log::LogOptions options = small_log();
        options.dir = kDir;
        return options;
    }());
    files->copy_to(next.files());
    next.advance(broker.clock().now() - next.clock().now());
    ASSERT_TRUE(next.start());
    SimPeer client(next);
    client.hello();
    const auto again = client.open("jobs");
    EXPECT_EQ(client.show("jobs").ready(), 20U);
    EXPECT_EQ(client.open_named(again, "feeder\xff").next_sequence(), 20U) << "what it has stored is known";
    client.attach(again, 100);
    const auto deliver = client.await<v1::Deliver>(v1::OP_DELIVER);
    EXPECT_EQ(deliver.first_offset(), 0U);
    EXPECT_EQ(deliver.count(), 20U);
    EXPECT_TRUE(next.stop());
}

TEST_F(ExportTest, BytesOfAnyKindSurvive) {
    std::string all;
    for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
    ExportedMessage message = message_of("q", 3, all);
    message.key = std::string("\0key\xff", 5);
    message.headers = {{"twice", "1"}, {"twice", all}, {"", ""}};
    ExportedMessage empty = message_of("q", 4, "");
    empty.key = "";
    ExportedMessage unreadable = message_of("q", 9);
    unreadable.payload.clear();
    unreadable.record = "\xff no record";
    ExportedMessage dead = message_of("q", 10);
    dead.dead = true;
    dead.tries = {5, 4};
    dead.death = queue::Death{queue::Cause::kAttempts, WallTime{1'600'000'000'000}, all};
    ASSERT_TRUE(
        import_of(text_of({ExportHead{}, queue_of("q", 11), message, empty, unreadable, dead, ExportEnd{1, 4, {}}})))
        << said;
    const auto again = messages_of(exported_of(*files, kDir));
    ASSERT_EQ(again.size(), 4U);
    EXPECT_EQ(again[0], message);
    EXPECT_EQ(again[1], empty);
    EXPECT_EQ(again[2], unreadable);
    EXPECT_EQ(again[3], dead);
}

TEST_F(ExportTest, QueuesKeepTheirOwners) {
    ExportedQueue owned = queue_of("a", 1);
    owned.owner = "shop";
    ASSERT_TRUE(import_of(text_of({ExportHead{}, owned, queue_of("b", 1), ExportEnd{2, 0, {}}}))) << said;
    const auto again = lines_of(exported_of(*files, kDir));
    ASSERT_EQ(again.size(), 4U);
    EXPECT_EQ(std::get<ExportedQueue>(again[1]).owner, "shop");
    EXPECT_EQ(std::get<ExportedQueue>(again[2]).owner, "");
}

TEST_F(ExportTest, ManyMessagesTakeManySegments) {
    std::vector<ExportLine> lines{ExportHead{}, queue_of("a", 4000), queue_of("b", 4000)};
    for (std::uint64_t id = 0; id < 4000; ++id) {
        ExportedMessage message = message_of(id % 7 == 0 ? "b" : "a", id, std::string(2000, 'p') + std::to_string(id));
        message.dead = id % 3 == 0;
        if (message.dead) message.death = queue::Death{queue::Cause::kVerdict, {1}, "reason " + std::to_string(id)};
        lines.emplace_back(message);
    }
    lines.emplace_back(ExportEnd{2, 4000, {}});
    const auto done = import_of(text_of(lines));
    ASSERT_TRUE(done) << done.error().message();
    EXPECT_GT(files->list(kDir)->size(), 4U);
    const auto again = messages_of(exported_of(*files, kDir));
    std::map<std::pair<std::string, std::uint64_t>, ExportedMessage> by_id;
    for (const ExportedMessage& message : again) by_id[{message.queue, message.id.value()}] = message;
    ASSERT_EQ(by_id.size(), 4000U);
    for (const ExportLine& line : lines) {
        if (const auto* message = std::get_if<ExportedMessage>(&line)) {
            ASSERT_EQ(by_id.at({message->queue, message->id.value()}), *message);
        }
    }
}

TEST_F(ExportTest, OnlyTheQueuesThatAreNamed) {
    peer.open("a", bounded(10));
    peer.open("b", bounded(10));
    broker.settle();
    ASSERT_TRUE(broker.stop());
    EXPECT_EQ(lines_of(exported({"b"})).size(), 3U);
    std::ostringstream out;
    const auto none = broker::export_log(broker.files(), small_log().dir, {"c"}, broker.clock(), out);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code(), Code::kNotFound);
}

TEST_F(ExportTest, ADamagedLogIsNotExported) {
    const auto handle = peer.open("a", bounded(10));
    const auto producer = peer.open_producer(handle);
    peer.put(handle, producer, 0, 4, 1000);
    broker.settle();
    ASSERT_TRUE(broker.stop());
    const std::string segment = "log/0000000000000001.seg";
    const auto bytes = broker.files().contents(segment);
    const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const auto at = all.find("TLB1");
    ASSERT_NE(at, std::string_view::npos);
    broker.files().overwrite(segment, at + 200, as_bytes("X"));
    std::ostringstream out;
    const auto done = broker::export_log(broker.files(), "log", {}, broker.clock(), out);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code(), Code::kCorrupt);
}

TEST_F(ExportTest, ACutOrChangedFileIsRefused) {
    const auto handle = peer.open("a", bounded(100));
    const auto producer = peer.open_producer(handle);
    peer.put(handle, producer, 0, 10, 50);
    broker.settle();
    ASSERT_TRUE(broker.stop());
    const std::string text = exported();
    for (std::size_t cut = 0; cut < text.size(); cut += 7)
        ASSERT_EQ(refused(text.substr(0, cut)), Code::kCorrupt) << cut;
    for (std::size_t at = 0; at < text.size(); at += 5) {
        std::string changed = text;
        changed[at] = static_cast<char>(changed[at] ^ 1);
        ASSERT_NE(refused(changed), Code::kOk) << at << " " << text.substr(at, 20);
    }
    EXPECT_EQ(refused(text + text), Code::kCorrupt);
    EXPECT_EQ(refused(text), Code::kOk);
}

TEST_F(ExportTest, WhatMakesNoSenseIsRefused) {
    const ExportLine head = ExportHead{};
    const ExportLine q = queue_of("q", 10);
    const ExportLine end = ExportEnd{1, 1, {}};
    EXPECT_EQ(refused({head, q, message_of("q", 1), end}), Code::kOk);
    ExportHead newer;
    newer.format = 2;
    EXPECT_EQ(refused(std::vector<ExportLine>{newer, q, message_of("q", 1), end}), Code::kFormat);
    EXPECT_EQ(refused({q, message_of("q", 1), end}), Code::kCorrupt) << "no first line";
    EXPECT_EQ(refused({head, head, q, message_of("q", 1), end}), Code::kCorrupt);
    EXPECT_EQ(refused({head, q, q, message_of("q", 1), end}), Code::kCorrupt) << "a queue twice";
    EXPECT_EQ(refused({head, q, message_of("other", 1), end}), Code::kCorrupt);
    EXPECT_EQ(refused({head, q, message_of("q", 10), end}), Code::kCorrupt) << "not below next_id";
    EXPECT_EQ(refused({head, q, message_of("q", 1), message_of("q", 1), ExportEnd{1, 2, {}}}), Code::kCorrupt);
    EXPECT_NE(said.find("line 4"), std::string::npos) << said;
    EXPECT_EQ(refused({head, q, message_of("q", 1), ExportEnd{1, 2, {}}}), Code::kCorrupt) << "one is missing";
    EXPECT_EQ(refused({head, q, message_of("q", 1), queue_of("r", 1), ExportEnd{2, 1, {}}}), Code::kCorrupt);
    ExportedQueue memory = queue_of("q", 10);
    memory.options.durability = queue::Durability::kMemory;
    EXPECT_EQ(refused({head, memory, message_of("q", 1), end}), Code::kCorrupt);
    ExportedQueue boundless = queue_of("q", 10);
    boundless.options.maxsize = 0;
    EXPECT_EQ(refused({head, boundless, message_of("q", 1), end}), Code::kCorrupt);
    ExportedQueue twice = queue_of("q", 10);
    twice.producers = {{ProducerId(1), "p", Sequence(1), {}, ""}, {ProducerId(1), "r", Sequence(1), {}, ""}};
    EXPECT_EQ(refused({head, twice, message_of("q", 1), end}), Code::kCorrupt);
    ExportedQueue endless = queue_of("q", 10);
    endless.owner = std::string(256, 'x');
    EXPECT_EQ(refused({head, endless, message_of("q", 1), end}), Code::kCorrupt);
    ExportedMessage nothing = message_of("q", 1);
    nothing.record = "";
    EXPECT_EQ(refused({head, q, nothing, end}), Code::kCorrupt);
}

TEST_F(ExportTest, LinesThatAreNoneAreRefused) {
    for (const char* line :
         {"", "[]", "{}", "{\"id\":1}", "{\"telpher_export\":0,\"version\":\"\",\"boot\":0,\"wall_ms\":0}",
          "{\"telpher_export\":1,\"version\":\"\",\"boot\":-1,\"wall_ms\":0}",
          "{\"end\":false,\"queues\":0,\"messages\":0}", "{\"end\":true,\"queues\":0,\"messages\":0,\"xxh3\":\"12\"}",
          "{\"queue\":\"../up\"}", "\xff"}) {
        const auto parsed = broker::parse_line(line);
        ASSERT_FALSE(parsed) << line;
        EXPECT_EQ(parsed.error().code(), Code::kCorrupt) << line;
    }
}

TEST_F(ExportTest, AFullDiskLeavesAnError) {
    std::vector<ExportLine> lines{ExportHead{}, queue_of("q", 1), message_of("q", 0), ExportEnd{1, 1, {}}};
    const std::string text = text_of(lines);
    ASSERT_TRUE(import_of(text));
    files = std::make_unique<test::FaultyFileSystem>();
    files->fail_nth(test::FaultyFileSystem::Op::kSync, 2, Code::kIo);
    log::LogOptions options = small_log();
    options.dir = kDir;
    std::istringstream in(text);
    options.segment_bytes = 2 * limits::kMiB;
    const auto done = broker::import_log(*files, options, in);
    ASSERT_FALSE(done);
}

}  // namespace
}  // namespace telpher::sim
