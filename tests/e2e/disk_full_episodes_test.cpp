// The disk fills up again and again under load: with somebody else's file, or with what is put; and gets room again
// when that file goes, or when messages are taken.
//
// Claim: puts are refused with DISK_FULL and are certainly not in the queue; every settle is accepted meanwhile; puts
// go on by themselves when there is room, with no client or broker started again; nothing confirmed is lost.
//
// TELPHER_DISK_FULL_EPISODES says how often (3 by default); TELPHER_SEED repeats the load.

#include <gtest/gtest.h>
#include <telpher/client.h>

#include <csignal>
#include <iostream>

#include "tests/e2e/load.h"
#include "tests/support/seed.h"
#include "tests/support/small_disk.h"

namespace telpher::test {
namespace {

constexpr std::uint64_t kEpisodesDefault = 3;
constexpr std::uint64_t kTaken = 50;
constexpr std::size_t kReserveBytes = 32 * 1024 * 1024;
constexpr std::uint64_t kLargeBacklog = 1'200;
constexpr Millis kSettledWithin{10'000};
constexpr Duration kFullWithin = 60s;
constexpr Duration kBackWithin = 20s;

/// What fills the disk, and what makes room again.
enum class Episode { kPutsThenGets, kFileThenNoFile, kFileThenGets };
constexpr std::uint64_t kEpisodeKinds = 3;

class DiskFullEpisodes : public testing::Test {
protected:
    void SetUp() override {
        if (!disk_.missing().empty()) GTEST_SKIP() << "no small disk: " << disk_.missing();
        BrokerOptions options;
        options.data_dir = disk_.path() / "data";
        options.args = {"--segment-bytes", "16MiB", "--disk-reserve", std::to_string(kReserveBytes)};
        broker_.emplace(options);
        QueueOptions queue;
        queue.maxsize = 100'000;
        queue.max_attempts = 0;
        const auto made = Client(broker_->ipc()).create("work", queue);
        ASSERT_TRUE(made.has_value()) << made.error().message();
        load_.emplace(broker_->ipc(), "work", seed_);
        taken_.emplace(load_->history_of("taker"), "taker");
        for (int i = 0; i < 2; ++i) load_->start_producer({"--rate", "300", "--bytes", "60000"});
        for (int i = 0; i < 2; ++i) consumers_.push_back(&load_->start_consumer({"--threads", "2"}));
    }

    void signal_consumers(int signal) {
        for (Load::Client* consumer : consumers_) consumer->process.signal(signal);
    }

    /// Takes messages as a consumer that is there only now; counts the settles that are accepted.
    void settle_some() {
        Client client(broker_->ipc());
        auto queue = client.open("work");
        ASSERT_TRUE(queue.has_value()) << queue.error().message();
        for (std::uint64_t i = 0; i < kTaken; ++i) {
            auto message = queue->get(kSettledWithin);
            ASSERT_TRUE(message.has_value()) << message.error().message();
            const auto [producer, seq] = payload_name(message->text());
            taken_->record({.kind = Event::Kind::kDelivered,
                            .producer = producer,
                            .seq = seq,
                            .hash = payload_hash(message->text()),
                            .id = message->id(),
                            .delivery = message->delivery()});
            taken_->record({.kind = Event::Kind::kAck, .id = message->id()});
            ++asked_;
            const std::uint64_t id = message->id();
            const auto settled = message->ack_confirmed(kSettledWithin);
            ASSERT_TRUE(settled.has_value()) << settled.error().message();
            taken_->record({.kind = Event::Kind::kSettled, .id = id});
            ++accepted_;
        }
    }

    void run(Episode episode) {
        ASSERT_TRUE(load_->goes_on(50, 50, kBackWithin)) << "before";
        signal_consumers(SIGSTOP);
        // What the gets free must be more than the reserve where nothing else is to be had.
        const std::uint64_t backlog = episode == Episode::kFileThenGets ? kLargeBacklog : 3 * kTaken;
        ASSERT_TRUE(load_->goes_on(backlog, 0, kFullWithin)) << "no backlog";
        const std::uint64_t refused = load_->progress().disk_full;
        // Not faster than the broker looks: what all room is taken from at once, DiskFull tries.
        if (episode != Episode::kPutsThenGets) disk_.take_room(kReserveBytes / 4 * 3);
        ASSERT_TRUE(eventually(kFullWithin, [&] { return load_->progress().disk_full > refused; })) << "never full";
        if (episode != Episode::kPutsThenGets) disk_.take_room();
        ASSERT_NO_FATAL_FAILURE(settle_some());
        if (episode == Episode::kFileThenNoFile) disk_.give_room_back();
        signal_consumers(SIGCONT);
        const Stopwatch back;
        ASSERT_TRUE(load_->goes_on(20, 20, kBackWithin)) << "not back";
        longest_ = std::max(longest_, back.elapsed());
        if (episode == Episode::kFileThenGets) disk_.give_room_back();
    }

    const std::uint64_t seed_ = test_seed();
    SmallDisk disk_{"200m"};
    std::optional<Broker> broker_;
    std::optional<Load> load_;
    std::optional<HistoryWriter> taken_;
    std::vector<Load::Client*> consumers_;
    std::uint64_t asked_ = 0, accepted_ = 0;
    Duration longest_{};
};

TEST_F(DiskFullEpisodes, refuse_puts_accept_settles_and_end_by_themselves) {
    const std::uint64_t episodes = count_from_env("TELPHER_DISK_FULL_EPISODES", kEpisodesDefault);
    for (std::uint64_t i = 0; i < episodes; ++i) {
        ASSERT_NO_FATAL_FAILURE(run(static_cast<Episode>(i % kEpisodeKinds))) << "episode " << i;
        ASSERT_TRUE(broker_->running());
    }
    const std::uint64_t refused = load_->progress().disk_full;
    const Verdict verdict = load_->finish(60s);
    EXPECT_TRUE(verdict.ok()) << verdict.text();
    EXPECT_GE(refused, episodes);
    std::cout << "disk full: episodes " << episodes << ", puts refused " << refused << ", settles while full "
              << accepted_ << " of " << asked_ << ", back after at most " << longest_.count() / 1'000'000 << " ms; "
              << verdict.text() << std::endl;
}

}  // namespace
}  // namespace telpher::test
