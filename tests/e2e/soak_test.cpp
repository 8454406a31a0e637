// All faults at once, for a long time: the broker is killed or stopped, a client is killed and another started,
// connections are cut, the disk fills up; in random order, under a steady load of about half of what the clients could
// do, but no more than 1,000 messages a second and producer.
//
// Claim: nothing confirmed is lost, nothing comes again that was settled for certain, the clients go on after each
// fault; and neither memory nor descriptors grow: of the broker, and of a producer and a consumer that are spared.
//
// TELPHER_SOAK_MINUTES says how long (40 s by default, with a fault every 5 s; from 4 min on one every 30 s);
// TELPHER_SEED repeats the faults. A long soak writes some 5 GB of histories an hour to /tmp.

#include <gtest/gtest.h>
#include <telpher/client.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <iostream>

#include "proto/base/random.h"
#include "tests/e2e/load.h"
#include "tests/support/relay.h"
#include "tests/support/seed.h"
#include "tests/support/small_disk.h"

namespace telpher::test {
namespace {

constexpr Duration kDefault = 40s;
constexpr Duration kPeriodMax = 30s;
constexpr int kFaultsMin = 8;
constexpr Duration kBackWithin = 30s;
constexpr std::size_t kReserveBytes = 32 * 1024 * 1024;
constexpr std::uint64_t kLeftMax = 50;  ///< Messages that are no backlog.
constexpr std::uint64_t kRateMax = 1'000;
constexpr Duration kWarmUp = 2s;

enum class Fault { kKillBroker, kStopBroker, kKillProducer, kKillConsumer, kCut, kFillDisk };
constexpr std::array<const char*, 6> kFaultNames{"broker killed",   "broker stopped",  "producer killed",
                                                 "consumer killed", "connections cut", "disk full"};

/// What a process uses, over time.
class Trend {
public:
    explicit Trend(std::string name) : name_(std::move(name)) {}
    void add(const Usage& usage) {
        resident_.push_back(usage.resident_bytes);
        descriptors_.push_back(usage.descriptors);
    }
    /// Compares the first third with the last.
    void judge() const {
        const auto [memory, memory_last] = thirds(resident_);
        const auto [files, files_last] = thirds(descriptors_);
        std::cout << "  " << name_ << ": resident " << memory / kMiB << " -> " << memory_last / kMiB
                  << " MiB, descriptors " << files << " -> " << files_last << "\n";
        EXPECT_LE(memory_last, memory + memory / 4 + kSlackBytes) << name_ << " grows";
        EXPECT_LE(files_last, files + kSlackDescriptors) << name_ << " keeps descriptors";
    }

private:
    static constexpr std::size_t kMiB = 1024 * 1024;
    static constexpr std::size_t kSlackBytes = 16 * kMiB;
    static constexpr std::size_t kSlackDescriptors = 8;

    static std::size_t median(std::vector<std::size_t> values) {
        if (values.empty()) return 0;
        std::sort(values.begin(), values.end());
        return values[values.size() / 2];
    }
    static std::pair<std::size_t, std::size_t> thirds(const std::vector<std::size_t>& values) {
        const auto third = static_cast<std::ptrdiff_t>((values.size() + 2) / 3);
        return {median({values.begin(), values.begin() + third}), median({values.end() - third, values.end()})};
    }

    std::string name_;
    std::vector<std::size_t> resident_, descriptors_;
};

class Soak : public testing::Test {
protected:
    void SetUp() override {
        BrokerOptions options;
        options.args = {"--segment-bytes", "16MiB", "--disk-reserve", std::to_string(kReserveBytes)};
        if (has_disk()) options.data_dir = disk_.path() / "data";
        if (!has_disk()) std::cout << "the disk is never full: " << disk_.missing() << "\n";
        broker_.emplace(options);
        QueueOptions queue;
        queue.maxsize = 5'000;
        queue.max_attempts = 0;
        const auto made = Client(broker_->ipc()).create("work", queue);
        ASSERT_TRUE(made.has_value()) << made.error().message();
        relay_.emplace("ipc://" + (dir_.path() / "relay").string(), broker_->ipc(), seed_);
        load_.emplace(relay_->endpoint(), "work", seed_);
        spared_[1] = &start_consumer();
        consumer_ = &start_consumer();
        ASSERT_NO_FATAL_FAILURE(choose_rate());
        spared_[0] = &start_producer();
        producer_ = &start_producer();
        ASSERT_TRUE(load_->goes_on(100, 100, kBackWithin)) << "the load does not start";
    }

    [[nodiscard]] bool has_disk() const { return disk_.missing().empty(); }
    Load::Client& start_producer() {
        return load_->start_producer({"--rate", std::to_string(rate_), "--bytes", "500"});
    }
    Load::Client& start_consumer() { return load_->start_consumer({"--threads", "4"}); }

    /// Half of what two producers can do that nothing holds back but the queue.
    void choose_rate() {
        rate_ = 1'000'000;
        const std::array<Load::Client*, 2> producers{&start_producer(), &start_producer()};
        ASSERT_TRUE(load_->goes_on(100, 100, kBackWithin)) << "the load does not start";
        const std::uint64_t before = load_->progress().delivered;
        const Stopwatch watch;
        pass_time(kWarmUp);
        const double full = static_cast<double>(load_->progress().delivered - before) / watch.seconds();
        for (Load::Client* producer : producers) producer->process.signal(SIGTERM);
        for (Load::Client* producer : producers) ASSERT_TRUE(producer->process.wait(kBackWithin)) << "it does not stop";
        rate_ = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(full) / 4, 1, kRateMax);
        std::cout << "full speed " << static_cast<std::uint64_t>(full) << "/s, two producers of " << rate_ << "/s\n";
    }

    /// Each kind in turn, in an order of its own each time.
    Fault next_fault() {
        if (deck_.empty()) {
            for (std::size_t i = 0; i < kFaultNames.size(); ++i) deck_.push_back(static_cast<Fault>(i));
            if (!has_disk()) deck_.pop_back();
        }
        const auto drawn = deck_.begin() + static_cast<std::ptrdiff_t>(random_.below(deck_.size()));
        const Fault fault = *drawn;
        deck_.erase(drawn);
        return fault;
    }

    void commit(Fault fault) {
        switch (fault) {
            case Fault::kKillBroker:
                broker_->kill();
                pass_time(Millis(random_.below(300)));
                return broker_->start();
            case Fault::kStopBroker:
                broker_->process().signal(SIGSTOP);
                pass_time(Millis(100 + random_.below(2'900)));
                return broker_->process().signal(SIGCONT);
            case Fault::kKillProducer:
                producer_->process.kill();
                producer_ = &start_producer();
                return;
            case Fault::kKillConsumer:
                consumer_->process.kill();
                consumer_ = &start_consumer();
                return;
            case Fault::kCut:
                return relay_->cut_all();
            case Fault::kFillDisk:
                // Not at once: the broker looks at the disk now and then.
                disk_.take_room(kReserveBytes / 4 * 3);
                pass_time(1s);
                disk_.take_room();
                pass_time(Millis(random_.below(1'000)));
                return disk_.give_room_back();
        }
    }

    void signal_producers(int signal) {
        spared_[0]->process.signal(signal);
        producer_->process.signal(signal);
    }

    /// What everybody uses when the queue is drained: else it would be the backlog that is measured.
    void sample() {
        Client client(broker_->ipc());
        QueueStats stats;
        signal_producers(SIGSTOP);
        const bool drained = eventually(kBackWithin, [&] {
            const auto shown = client.show("work");
            if (shown) stats = *shown;
            return shown && stats.unfinished() <= kLeftMax;
        });
        trends_[0].add(broker_->process().usage());
        for (std::size_t i = 0; i < spared_.size(); ++i) trends_[i + 1].add(spared_[i]->process.usage());
        signal_producers(SIGCONT);
        ASSERT_TRUE(drained) << "not drained: ready " << stats.ready << ", leased " << stats.leased << ", delayed "
                             << stats.delayed << ", consumers " << stats.consumers;
    }

    const std::uint64_t seed_ = test_seed();
    Random random_{seed_};
    SmallDisk disk_{"400m"};
    TempDir dir_;
    std::optional<Broker> broker_;
    std::optional<Relay> relay_;
    std::optional<Load> load_;
    std::array<Load::Client*, 2> spared_{};
    std::uint64_t rate_ = kRateMax;
    std::vector<Fault> deck_;
    Load::Client* producer_ = nullptr;
    Load::Client* consumer_ = nullptr;
    std::array<Trend, 3> trends_{Trend("broker"), Trend("producer"), Trend("consumer")};
};

TEST_F(Soak, loses_nothing_and_does_not_grow) {
    const std::uint64_t minutes = count_from_env("TELPHER_SOAK_MINUTES", 0);
    const Duration length = minutes == 0 ? kDefault : std::chrono::minutes(minutes);
    const Duration period = std::min(kPeriodMax, length / kFaultsMin);
    std::array<unsigned, kFaultNames.size()> committed{};
    Duration longest{};
    for (const Stopwatch all; all.elapsed() < length;) {
        const Stopwatch turn;
        const Fault fault = next_fault();
        const auto which = static_cast<std::size_t>(fault);
        ++committed[which];
        commit(fault);
        const Stopwatch back;
        ASSERT_TRUE(load_->goes_on(20, 20, kBackWithin)) << "not back: " << kFaultNames[which];
        longest = std::max(longest, back.elapsed());
        pass_time(std::max(Duration::zero(), period - turn.elapsed()));
        ASSERT_NO_FATAL_FAILURE(sample());
    }
    const Verdict verdict = load_->finish(120s);
    EXPECT_TRUE(verdict.ok()) << verdict.text();
    std::cout << "soak: " << std::chrono::duration_cast<std::chrono::seconds>(length).count() << " s";
    for (std::size_t i = 0; i < committed.size(); ++i) std::cout << ", " << kFaultNames[i] << " " << committed[i];
    std::cout << "; back after at most " << longest.count() / 1'000'000 << " ms\n  " << verdict.text();
    for (const Trend& trend : trends_) trend.judge();
}

}  // namespace
}  // namespace telpher::test
