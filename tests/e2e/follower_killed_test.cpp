// SIGKILL of telpher-producer, and of the broker, while it follows a file that grows and is rotated, or a folder.
//
// Claim: the queue holds each record once and in order, whatever was killed when; a producer that is started again goes
// on at once; SIGTERM ends it with 0; of two of the same name the older one gives way.

#include <gtest/gtest.h>
#include <telpher/client.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "proto/base/random.h"
#include "tests/support/broker.h"
#include "tests/support/seed.h"

namespace telpher::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class FollowerKilled : public testing::Test {
protected:
    void SetUp() override {
        QueueOptions options;
        options.maxsize = 10'000'000;
        Client client(broker_.ipc());
        const auto made = client.create("work", options);
        ASSERT_TRUE(made.has_value()) << made.error().message();
        fs::create_directory(folder());
    }

    void start_producer(const std::string& path, std::vector<std::string> more = {}) {
        std::vector<std::string> args{"-s", broker_.ipc(), "-q",   "work",    "--follow",
                                      path, "--name",      "tail", "--state", (dir_.path() / "state").string()};
        args.insert(args.end(), more.begin(), more.end());
        producer_.emplace(program("telpher-producer"), args);
    }
    [[nodiscard]] std::string log() const { return (dir_.path() / "app.log").string(); }
    [[nodiscard]] std::string folder() const { return (dir_.path() / "in").string(); }

    /// Appends some records to the file.
    void grow() {
        std::ofstream file(log(), std::ios::app | std::ios::binary);
        const std::uint64_t count = 1 + random_.below(2'000);
        for (std::uint64_t i = 0; i < count; ++i) file << "record " << written_++ << '\n';
    }
    /// Until it puts what is new: before that it may not have looked at the file that a rotation will move, nor be
    /// ready for a signal.
    void begin() {
        const std::uint64_t before = stored();
        grow();
        ASSERT_TRUE(eventually(20s, [&] { return stored() > before; })) << producer_->errors();
    }
    void rotate() const {
        for (int i = 30; i > 0; --i) {
            const std::string name = log() + "." + std::to_string(i);
            if (fs::exists(name)) fs::rename(name, log() + "." + std::to_string(i + 1));
        }
        if (fs::exists(log())) fs::rename(log(), log() + ".1");
        std::ofstream(log(), std::ios::app) << "";
    }
    void restart_broker() {
        broker_.kill();
        pass_time(std::chrono::milliseconds(random_.below(100)));
        broker_.start();
    }
    /// Kills one of the two, and starts it again.
    void interrupt(int cycle, const std::string& path) {
        if (cycle % 5 == 4) return restart_broker();
        producer_->kill();
        start_producer(path);
    }
    std::uint64_t stored() {
        Client client(broker_.ipc());
        const auto state = client.show("work");
        return state ? state->put : 0;
    }
    /// Everything in the queue is everything that was written, in order.
    void judge() {
        EXPECT_TRUE(eventually(60s, [&] { return stored() >= written_; })) << stored() << " of " << written_ << "\n"
                                                                           << producer_->errors();
        Client client(broker_.ipc());
        Queue queue = client.queue("work");
        std::uint64_t next = 0;
        for (std::uint64_t id = 0; next < written_;) {
            const auto page = queue.peek(1'000, id);
            ASSERT_TRUE(page) << page.error().message();
            ASSERT_FALSE(page->empty()) << "after " << next << " of " << written_ << ", seed " << seed_;
            for (const Peeked& message : *page) {
                ASSERT_EQ(message.body, "record " + std::to_string(next)) << "seed " << seed_;
                ++next;
            }
            id = page->back().id + 1;
        }
        EXPECT_EQ(stored(), written_) << "seed " << seed_;
        std::cout << written_ << " records\n";
    }

    const std::uint64_t seed_ = test_seed();
    Random random_{seed_};
    TempDir dir_;
    Broker broker_;
    std::optional<Process> producer_;
    std::uint64_t written_ = 0;
};

TEST_F(FollowerKilled, file) {
    start_producer(log());
    begin();
    for (int cycle = 0; cycle < 30; ++cycle) {
        for (std::uint64_t i = 0; i < 1 + random_.below(4); ++i) {
            grow();
            if (random_.below(4) == 0) rotate();
            pass_time(std::chrono::milliseconds(random_.below(15)));
        }
        interrupt(cycle, log());
    }
    judge();
}

TEST_F(FollowerKilled, folder) {
    start_producer(folder());
    std::uint64_t names = 1'000'000;
    for (int cycle = 0; cycle < 20; ++cycle) {
        for (std::uint64_t i = 0; i < 1 + random_.below(200); ++i) {
            const std::string name = folder() + "/" + std::to_string(names++);
            std::ofstream(name + ".tmp") << "record " << written_++;
            fs::rename(name + ".tmp", name);
        }
        pass_time(std::chrono::milliseconds(random_.below(40)));
        interrupt(cycle, folder());
    }
    judge();
    EXPECT_TRUE(eventually(10s, [&] { return std::distance(fs::directory_iterator(folder()), {}) == 1; }))
        << "all are in .done";
}

TEST_F(FollowerKilled, terminated) {
    for (int cycle = 0; cycle < 5; ++cycle) {
        start_producer(log());
        begin();
        rotate();
        grow();
        ASSERT_TRUE(eventually(20s, [&] { return stored() > 0; }));
        producer_->signal(SIGTERM);
        const auto ended = producer_->wait(15s);
        ASSERT_TRUE(ended) << producer_->errors();
        EXPECT_TRUE(ended->ok()) << ended->text() << producer_->errors();
    }
    start_producer(log());
    judge();
}

TEST_F(FollowerKilled, terminated_while_the_queue_is_full) {
    Client client(broker_.ipc());
    QueueOptions full;
    full.maxsize = 10;
    ASSERT_TRUE(client.create("full", full).has_value());
    while (written_ < 100) grow();
    for (const bool frozen : {false, true}) {
        Process producer(program("telpher-producer"),
                         {"-s", broker_.ipc(), "-q", "full", "--follow", log(), "--name", "full", "--state",
                          (dir_.path() / "full").string(), "--timeout", "1s"});
        ASSERT_TRUE(eventually(20s, [&] { return client.show("full")->blocked_producers == 1; })) << producer.errors();
        if (frozen) broker_.process().signal(SIGSTOP);
        const Stopwatch watch;
        producer.signal(SIGTERM);
        const auto ended = producer.wait(20s);
        if (frozen) broker_.process().signal(SIGCONT);
        ASSERT_TRUE(ended) << producer.errors();
        EXPECT_TRUE(ended->ok()) << ended->text() << producer.errors();
        EXPECT_LT(watch.elapsed(), frozen ? 12s : 4s);
        // A frozen broker has heard nothing, and keeps the session until it is resumed or its lease is over.
        if (!frozen) {
            ASSERT_TRUE(eventually(20s, [&] { return client.show("full")->blocked_producers == 0; }));
        }
    }
    Process producer(program("telpher-producer"), {"-s", broker_.ipc(), "-q", "full", "--follow", log(), "--name",
                                                   "full", "--state", (dir_.path() / "full").string()});
    Queue queue = client.queue("full");
    for (std::uint64_t i = 0; i < 100; ++i) {
        auto message = queue.get(Millis(20'000));
        ASSERT_TRUE(message) << i << ": " << message.error().message();
        EXPECT_EQ(message->text(), "record " + std::to_string(i));
        message->ack();
    }
}

TEST_F(FollowerKilled, started_without_a_broker) {
    broker_.kill();
    start_producer(log());
    grow();
    pass_time(300ms);
    EXPECT_TRUE(producer_->running()) << producer_->errors();
    broker_.start();
    judge();
    broker_.kill();
    producer_->signal(SIGTERM);
    const auto ended = producer_->wait(15s);
    ASSERT_TRUE(ended);
    EXPECT_TRUE(ended->ok()) << ended->text() << producer_->errors();
    broker_.start();
}

TEST_F(FollowerKilled, replaced_while_it_lives) {
    start_producer(log());
    grow();
    ASSERT_TRUE(eventually(20s, [&] { return stored() == written_; }));
    std::optional<Process> older;
    older.swap(producer_);
    start_producer(log());
    // It hears of it with its next put.
    const auto gave_way = [&] {
        grow();
        return !older->running();
    };
    ASSERT_TRUE(eventually(20s, gave_way, 50ms)) << "it never heard that it was replaced";
    const auto ended = older->wait(5s);
    ASSERT_TRUE(ended);
    EXPECT_TRUE(ended->exited(1)) << ended->text();
    EXPECT_NE(older->errors().find("E_FENCED"), std::string::npos) << older->errors();
    judge();
}

TEST_F(FollowerKilled, stdin_put_again) {
    const std::vector<std::string> args{"-s", broker_.ipc(), "-q", "put", "work", "--lines", "--name", "import"};
    ProcessOptions options;
    for (written_ = 0; written_ < 100; ++written_) options.input += "record " + std::to_string(written_) + "\n";
    for (int times = 0; times < 3; ++times) EXPECT_TRUE(run(program("telpher"), args, 20s, options).ended.ok());
    options.input += "record " + std::to_string(written_++) + "\n";
    EXPECT_TRUE(run(program("telpher"), args, 20s, options).ended.ok());
    judge();
}

}  // namespace
}  // namespace telpher::test
