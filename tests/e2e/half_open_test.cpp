// 5,000 connections that begin a handshake and never end it, opened again as fast as they are closed.
//
// Claim: they keep nobody out and slow nobody down: a client that is connected sees its 99th percentile at most
// doubled, a newcomer comes in, and the broker counts whom it threw out.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <telpher/client.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "tests/support/broker.h"
#include "tests/support/key_ring.h"
#include "tests/support/put_times.h"
#include "tests/support/zmtp_peer.h"

namespace telpher::test {
namespace {

constexpr std::size_t kHalfOpen = 5'000;
constexpr std::size_t kLooksAtATime = 100;
constexpr int kPuts = 10'000;
/// What a scheduler of two busy cores adds by itself; below it a percentile says nothing.
constexpr Duration kGrain = 300us;
/// A machine that does something else meanwhile gets another chance.
constexpr int kRounds = 3;

/// Keeps that many connections half open, from construction to destruction.
class Attack {
public:
    explicit Attack(std::string endpoint) : endpoint_(std::move(endpoint)), thread_([this] { run(); }) {}
    ~Attack() {
        stop_ = true;
        thread_.join();
    }
    Attack(const Attack&) = delete;
    Attack& operator=(const Attack&) = delete;
    [[nodiscard]] bool all_open() const { return opened_ >= kHalfOpen; }

private:
    /// The signature alone, the whole greeting, or nothing: each waits somewhere else.
    static void begin(ZmtpPeer& peer, std::size_t number) {
        const std::string greeting = ZmtpPeer::greeting();
        if (number % 3 == 1) peer.send_raw(greeting.substr(0, 10));
        if (number % 3 == 2) peer.send_raw(greeting);
    }
    void run() {
        std::vector<ZmtpPeer> peers;
        while (!stop_ && peers.size() < kHalfOpen) {
            try {
                peers.emplace_back(endpoint_);
                begin(peers.back(), peers.size());
                opened_ = peers.size();
            } catch (const std::runtime_error&) {
                pass_time(1ms);  // the backlog is full
            }
        }
        for (std::size_t next = 0; !stop_; next = (next + 1) % peers.size()) {
            if (next % kLooksAtATime == 0) pass_time(1ms);  // attackers do not share a core with those they attack
            if (!peers[next].wait_closed(0ms)) continue;
            try {
                peers[next] = ZmtpPeer(endpoint_);
                begin(peers[next], next);
            } catch (const std::runtime_error&) {
            }
            pass_time(1ms);
        }
    }

    const std::string endpoint_;
    std::atomic<bool> stop_{false};
    std::atomic<std::size_t> opened_{0};
    std::thread thread_;
};

class HalfOpen : public testing::Test {
protected:
    HalfOpen() : alice_(keys_.add("alice", {"--admin"})), broker_({.args = keys_.args()}) {
        rlimit limit{};
        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    [[nodiscard]] ClientOptions options() const {
        ClientOptions options;
        options.server = broker_.tcp();
        options.key_file = alice_;
        return options;
    }
    /// Of a queue in memory, so that no disk is in it.
    static Duration p99(Queue& queue) { return p99_of_puts(queue, "x", kPuts); }
    BrokerStats status() {
        Client local(broker_.ipc());
        return local.status().value();
    }
    std::uint64_t thrown_out() {
        std::uint64_t count = 0;
        for (const auto& [reason, times] : status().refused) count += reason == "unfinished" ? times : 0;
        return count;
    }

    KeyRing keys_;
    const std::string alice_;
    Broker broker_;
};

TEST_F(HalfOpen, five_thousand_slow_nobody_down_and_keep_nobody_out) {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < kHalfOpen + 500) GTEST_SKIP() << "only " << limit.rlim_cur << " descriptors are allowed";
    Client client(options());
    Queue queue = client.queue("q", {.maxsize = 1'000'000, .durability = Durability::kMemory});
    p99(queue);  // warms up
    std::string figures;
    bool good = false;
    for (int round = 0; round < kRounds && !good; ++round) {
        ASSERT_TRUE(eventually(20s, [&] { return status().connections < 10; })) << "nothing is left of the last round";
        const Duration before = p99(queue);
        const Attack attack(broker_.tcp());
        ASSERT_TRUE(eventually(60s, [&] { return attack.all_open(); }));
        const Duration during = p99(queue);
        figures += " p99 before " + std::to_string(before.count() / 1000) + " us, during " +
                   std::to_string(during.count() / 1000) + " us;";
        good = during <= 2 * std::max(before, kGrain);
        const Stopwatch watch;
        Client newcomer(options());
        EXPECT_TRUE(newcomer.open("q", {.create = false}, Millis(10'000)));
        figures += " newcomer in after " + std::to_string(watch.elapsed().count() / 1000) + " us";
        EXPECT_LT(watch.elapsed(), 5s);
    }
    std::cout << figures << std::endl;
    EXPECT_TRUE(good) << figures;
    EXPECT_GT(thrown_out(), kHalfOpen / 2) << "whom it threw out it counted";
    EXPECT_TRUE(broker_.process().wait_for_errors("too many connections that have not said HELLO", 5s));
}

}  // namespace
}  // namespace telpher::test
