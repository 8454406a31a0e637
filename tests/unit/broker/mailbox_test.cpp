#include "broker/mailbox.h"

#include <gtest/gtest.h>

#include <thread>

namespace telpher::broker {
namespace {

TEST(Mailbox, the_newest_letter_is_what_is_taken) {
    Mailbox<int> box;
    EXPECT_FALSE(box.waiting());
    EXPECT_EQ(box.take(), nullptr);
    box.put(1);
    box.put(2);
    EXPECT_TRUE(box.waiting());
    EXPECT_EQ(*box.take(), 2);
    EXPECT_EQ(box.take(), nullptr);
    box.put(3);  // left there: goes with the box
}

TEST(Mailbox, between_threads_none_is_lost_but_for_a_newer_one) {
    constexpr int kLast = 100'000;
    Mailbox<int> box;
    std::thread writer([&] {
        for (int i = 1; i <= kLast; ++i) box.put(i);
    });
    int seen = 0;
    while (seen < kLast) {
        if (const auto letter = box.take()) {
            EXPECT_GT(*letter, seen);
            seen = *letter;
        } else {
            std::this_thread::yield();
        }
    }
    writer.join();
}

}  // namespace
}  // namespace telpher::broker
