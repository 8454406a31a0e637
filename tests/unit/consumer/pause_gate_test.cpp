#include "consumer/pause_gate.h"

#include <gtest/gtest.h>

#include <thread>

#include "consumer/supervisor.h"

namespace telpher::consumer {
namespace {

using namespace std::chrono_literals;

TEST(PauseBackoff, DoublesWhileItIsAwayAndStartsAgainOnceItIsBack) {
    PauseBackoff backoff;
    Instant now{};
    now = now + 1s;
    backoff.away(now, now + 1ms);
    EXPECT_EQ(backoff.until(), now + 1ms + PauseBackoff::kFirst);
    backoff.away(now, now + 2ms);  // began before the pause: the same news
    EXPECT_EQ(backoff.until(), now + 1ms + PauseBackoff::kFirst);
    Duration expected = PauseBackoff::kFirst;
    for (int i = 0; i < 10; ++i) {
        now = backoff.until() + 1ms;
        expected = std::min(2 * expected, PauseBackoff::kLongest);
        backoff.away(now, now);
        EXPECT_EQ(backoff.until(), now + expected);
    }
    backoff.back(now);  // began before the pause: says nothing about now
    now = backoff.until();
    backoff.back(now);
    backoff.away(now + 1s, now + 1s);
    EXPECT_EQ(backoff.until(), now + 1s + PauseBackoff::kFirst);
}

TEST(PauseGate, AStopEndsThePause) {
    PauseGate gate(system_clock());
    std::stop_source stop;
    EXPECT_TRUE(gate.pass(stop.get_token()));
    EXPECT_EQ(gate.away(system_clock().now()), PauseBackoff::kFirst);
    std::jthread stopper([&] { stop.request_stop(); });
    EXPECT_FALSE(gate.pass(stop.get_token()));
}

TEST(RestartPause, OnlyForWorkersThatAchieveNothing) {
    EXPECT_EQ(restart_pause(1, false), 100ms);
    EXPECT_EQ(restart_pause(2, false), 200ms);
    EXPECT_EQ(restart_pause(100, false), 5s);
    EXPECT_EQ(restart_pause(1, true), 0s);
    EXPECT_EQ(restart_pause(3, true), 0s);
    EXPECT_EQ(restart_pause(4, true), 100ms);
    EXPECT_EQ(restart_pause(100, true), 5s);
}

}  // namespace
}  // namespace telpher::consumer
