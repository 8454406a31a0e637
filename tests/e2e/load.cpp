#include "tests/e2e/load.h"

#include <gtest/gtest.h>
#include <telpher/client.h>

#include <csignal>
#include <fstream>
#include <iostream>

namespace telpher::test {

Load::~Load() {
    if (!testing::Test::HasFailure()) return;
    for (auto* const clients : {&producers_, &consumers_}) {
        for (const Client& client : *clients) std::cout << client.process.errors();
    }
}

Load::Client& Load::start(const std::string& kind, std::vector<std::string> args) {
    auto& clients = kind == "put" ? producers_ : consumers_;
    const std::string name = (kind == "put" ? "p" : "c") + std::to_string(clients.size() + 1);
    const auto history = history_of(name);
    std::vector<std::string> all = {kind,
                                    "--server",
                                    server_,
                                    "--queue",
                                    queue_,
                                    "--name",
                                    name,
                                    "--history",
                                    history,
                                    "--seed",
                                    std::to_string(seed_ + producers_.size() * 100 + consumers_.size())};
    all.insert(all.end(), args.begin(), args.end());
    std::ofstream(history).flush();  // there to be read from now on
    clients.push_back(Client{name, Process(program("telpher-load"), all), HistoryReader(history)});
    return clients.back();
}

Load::Client& Load::start_producer(std::vector<std::string> args) { return start("put", std::move(args)); }
Load::Client& Load::start_consumer(std::vector<std::string> args) { return start("get", std::move(args)); }

Load::Progress Load::progress() {
    Progress all;
    for (auto* const clients : {&producers_, &consumers_}) {
        for (Client& client : *clients) {
            while (const auto event = client.reader.next()) {
                client.confirmed += event->kind == Event::Kind::kConfirmed ? 1 : 0;
                client.delivered += event->kind == Event::Kind::kDelivered ? 1 : 0;
                client.disk_full += event->kind == Event::Kind::kRefused && event->code == "E_DISK_FULL" ? 1 : 0;
            }
            all.confirmed += client.confirmed;
            all.delivered += client.delivered;
            all.disk_full += client.disk_full;
        }
    }
    return all;
}

bool Load::goes_on(std::uint64_t puts, std::uint64_t gets, Duration limit) {
    const Progress before = progress();
    return eventually(
        limit,
        [&] {
            const Progress now = progress();
            return now.confirmed >= before.confirmed + puts && now.delivered >= before.delivered + gets;
        },
        20ms);
}

void Load::expect_ends(Client& client, Duration limit) {
    const auto ended = client.process.wait(limit);
    ASSERT_TRUE(ended.has_value()) << client.name << " does not end; " << client.process.errors();
    EXPECT_TRUE(ended->ok() || ended->killed_by(SIGKILL))
        << client.name << ": " << ended->text() << "; " << client.process.errors();
}

void Load::drain(Duration limit) {
    telpher::Client client(server_);
    HistoryWriter history(history_of("drain"), "drain");
    auto queue = client.open(queue_);
    ASSERT_TRUE(queue.has_value()) << queue.error().message();
    const Deadline deadline(limit);
    for (;;) {
        auto message = queue->get(std::chrono::duration_cast<Millis>(deadline.left()));
        if (!message) {
            ASSERT_EQ(message.error().code(), Code::kEnd) << message.error().message();
            break;
        }
        const auto [producer, seq] = payload_name(message->text());
        const std::uint64_t id = message->id();
        history.record({.kind = Event::Kind::kDelivered,
                        .producer = producer,
                        .seq = seq,
                        .hash = payload_hash(message->text()),
                        .id = id,
                        .delivery = message->delivery()});
        history.record({.kind = Event::Kind::kAck, .id = id});
        const auto settled = message->ack_confirmed();
        ASSERT_TRUE(settled.has_value()) << settled.error().message();
        history.record({.kind = Event::Kind::kSettled, .id = id});
    }
    history.record({.kind = Event::Kind::kDrained});
}

Verdict Load::finish(Duration limit) {
    for (Client& producer : producers_) producer.process.signal(SIGTERM);
    for (Client& producer : producers_) expect_ends(producer, limit);
    {
        telpher::Client client(server_);
        auto queue = client.open(queue_);
        EXPECT_TRUE(queue.has_value()) << queue.error().message();
        if (queue) {
            const auto sealed = queue->seal(std::chrono::duration_cast<Millis>(limit));
            EXPECT_TRUE(sealed.has_value()) << sealed.error().message();
        }
    }
    for (Client& consumer : consumers_) expect_ends(consumer, limit);
    drain(limit);
    std::vector<std::filesystem::path> histories;
    for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) histories.push_back(entry.path());
    return Checker::check(histories);
}

}  // namespace telpher::test
