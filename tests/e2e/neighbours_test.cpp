// A quiet producer beside somebody who takes all there is: a queue at full rate in the same shard, messages as large as
// they may be, and larger.
//
// Claim: the quiet one's puts take hardly longer. Times are 99th percentiles; a round on a machine that is busy with
// something else is repeated.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <telpher/client.h>
#include <telpher/telpher.hpp>

#include <iostream>
#include <thread>

#include "tests/support/broker.h"
#include "tests/support/put_times.h"
#include "tests/support/wire_peer.h"

namespace telpher::test {
namespace {

constexpr int kPuts = 1'000;
constexpr Duration kPause = 1ms;
constexpr int kRounds = 3;
/// Below this, doubling says more of the machine than of the broker.
constexpr Duration kGrain = 5ms;
/// Beside a queue that takes both processors: how much it is above idle is a figure; that it is not starved, a promise.
constexpr Duration kStarved = 50ms;

double in_ms(Duration time) { return static_cast<double>(time.count()) / 1e6; }

class Neighbours : public testing::Test {
protected:
    ClientOptions server() const {
        ClientOptions options;
        options.server = broker_.ipc();
        return options;
    }
    Duration p99() { return p99_of_puts(quiet_, std::string(1024, 'q'), kPuts, kPause); }
    /// Rounds until one is good: idle, then beside `noise`, which is told to stop.
    void compare(const char* what, const std::function<void(const std::stop_token&)>& noise,
                 const std::function<bool(Duration idle, Duration beside)>& good) {
        p99();  // warms up
        bool found = false;
        std::string figures;
        for (int round = 0; round < kRounds && !found; ++round) {
            const Duration idle = p99();
            std::jthread noisy(noise);
            const Duration beside = p99();
            noisy.request_stop();
            noisy.join();
            figures += std::string(what) + ": p99 of a put idle " + std::to_string(in_ms(idle)) + " ms, beside " +
                       std::to_string(in_ms(beside)) + " ms\n";
            found = good(idle, beside);
        }
        std::cout << figures << std::flush;
        EXPECT_TRUE(found) << figures;
    }

    /// `first`: words before those of the benchmark that is the load.
    void beside_hot_queue(const char* what, const std::filesystem::path& load, std::vector<std::string> first) {
        int runs = 0;
        first.insert(first.end(), {"-s", broker_.ipc(), "bench", "--runs", "1000", "--messages", "500000"});
        const auto hot = [&](const std::stop_token& stop) {
            Process bench(load, first);
            while (!stop.stop_requested()) pass_time(10ms);
            const std::string lines = bench.output();
            runs += static_cast<int>(std::ranges::count(lines, '\n'));
            bench.kill();
        };
        compare(what, hot, [](Duration idle, Duration beside) { return beside <= idle + kStarved; });
        std::cout << what << ": " << runs << " times 500,000 messages went through it" << std::endl;
        EXPECT_GT(runs, 0) << "at full rate";
    }

    Broker broker_;
    Client client_{server()};
    Queue quiet_ = client_.queue("quiet", {.maxsize = 1'000'000});
};

// The load is processes of their own, as the producers and consumers of another queue are.
TEST_F(Neighbours, a_queue_at_full_rate_does_not_starve_another) {
    beside_hot_queue("hot queue", program("telpher"), {});
}

// They take only what nobody else wants of the processors, as if they were on other hosts: this figure is the broker's.
TEST_F(Neighbours, a_queue_at_full_rate_of_other_hosts_does_not_starve_another) {
    beside_hot_queue("hot queue of idle clients", "/usr/bin/chrt", {"--idle", "0", program("telpher")});
}

// The library refuses what is over the limit; who speaks the protocol without it loses its connection.
TEST_F(Neighbours, a_message_of_100_mb_is_refused_and_disturbs_nobody) {
    std::string huge;
    huge.resize(100'000'000, 'x');
    std::uint64_t refused = 0;
    std::uint64_t thrown_out = 0;
    const auto noise = [&](const std::stop_token& stop) {
        Client client(server());
        Queue out = client.queue("large");
        while (!stop.stop_requested()) {
            const auto id = out.put(huge);
            ASSERT_FALSE(id);
            EXPECT_EQ(id.error().code(), Code::kTooLarge) << id.error().message();
            EXPECT_THAT(id.error().message(), testing::HasSubstr("limits.message_size"));
            ++refused;
            WirePeer peer(broker_.ipc());
            peer.hello();
            thrown_out += peer.zmtp().send({huge}, 5s) && peer.receive(5s) ? 0 : 1;
        }
    };
    compare("100 MB", noise, [](Duration idle, Duration beside) { return beside <= 2 * std::max(idle, kGrain); });
    std::cout << "100 MB: " << refused << " refused by the library, " << thrown_out << " connections lost" << std::endl;
    EXPECT_GT(refused, 0U);
    EXPECT_EQ(thrown_out, refused);
}

// The largest that is taken: how much it costs the others is a figure, not a promise; but they are served.
TEST_F(Neighbours, messages_of_the_largest_size_let_others_through) {
    std::uint64_t put = 0;
    const auto noise = [&](const std::stop_token& stop) {
        Client client(server());
        Queue out = client.queue("large", {.maxsize = 4, .on_full = OnFull::kDropOldest});
        const std::string large(1'000'000, 'x');
        while (!stop.stop_requested()) {
            const auto id = out.put(large);
            EXPECT_TRUE(id) << id.error().message();
            ++put;
        }
    };
    compare("1 MB", noise, [](Duration, Duration beside) { return beside < 1s; });
    std::cout << "1 MB: " << put << " messages put" << std::endl;
    EXPECT_GT(put, 0U);
}

}  // namespace
}  // namespace telpher::test
