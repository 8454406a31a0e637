// Leading: who may poll while somebody waits.
#include "proto/session/leading.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace telpher::session {
namespace {

TEST(Leading, not_while_the_engine_polls_but_it_is_asked_to_doze) {
    Leading leading;
    {
        const Leading::Waiting waiting(leading);
        EXPECT_FALSE(leading.begin());
        EXPECT_FALSE(leading.wanted()) << "while somebody waits the engine must poll";
    }
    EXPECT_TRUE(leading.wanted());
    EXPECT_FALSE(leading.wanted()) << "asked once";
}

TEST(Leading, one_who_waits_alone_leads_while_the_engine_dozes) {
    Leading leading;
    const Leading::Waiting waiting(leading);
    std::atomic<bool> over{false};
    std::thread engine([&] {
        while (!over) leading.doze();
    });
    while (!leading.begin()) std::this_thread::yield();  // CTest bounds it
    EXPECT_FALSE(leading.begin()) << "one at a time";
    leading.end(false);
    over = true;
    engine.join();
}

TEST(Leading, nobody_leads_while_several_wait) {
    Leading leading;
    const Leading::Waiting first(leading);
    const Leading::Waiting second(leading);
    std::atomic<bool> over{false};
    std::thread engine([&] {
        while (!over) leading.doze();
    });
    for (int tries = 0; tries < 1000; ++tries) EXPECT_FALSE(leading.begin());
    over = true;
    engine.join();
}

TEST(Leading, a_doze_does_not_end_while_somebody_leads) {
    Leading leading;
    const Leading::Waiting waiting(leading);
    std::atomic<bool> dozed{false};
    std::thread engine([&] {
        leading.doze();
        dozed = true;
    });
    bool led = false;
    while (!led && !dozed) led = leading.begin();
    if (led) {
        EXPECT_FALSE(dozed);
        leading.stop();  // not even then
        EXPECT_FALSE(dozed);
        leading.end(true);
    }
    engine.join();
    EXPECT_TRUE(dozed);
}

TEST(Leading, nothing_begins_after_a_stop_and_a_doze_returns) {
    Leading leading;
    leading.stop();
    leading.doze();
    const Leading::Waiting waiting(leading);
    EXPECT_FALSE(leading.begin());
}

}  // namespace
}  // namespace telpher::session
