#include "queue_fixture.h"

namespace telpher::queue {
namespace {

using std::chrono::seconds;

class Settle : public QueueTest {
protected:
    /// Messages 0 to 9 in two batches, 0 to 5 leased to the first consumer, 6 to 7 to the second, 8 and 9 ready.
    void SetUp() override {
        put(5, 50);
        put(5, 100);
        one_ = consumer(1, 6);
        deliver();
        two_ = consumer(2, 2);
        deliver();
    }
    ConsumerId one_;
    ConsumerId two_;
};

TEST_F(Settle, an_ack_ends_a_message_for_good) {
    const auto settled = ack(one_, range(1, 3));
    EXPECT_EQ(settled.count, 3U);
    EXPECT_EQ(settled.done, (Ranges{range(1, 3)}));
    EXPECT_EQ(counts(), Counts(2, 5, 0));
    EXPECT_EQ(queue().bytes(), 120U);
    EXPECT_EQ(queue().counters().acked, 3U);
    EXPECT_EQ(queue().floor(), Offset(0));
    ack(one_, range(0, 1));
    EXPECT_EQ(queue().floor(), Offset(4));
}

TEST_F(Settle, a_repeated_ack_is_told_apart_and_counted_once) {
    ack(one_, range(1, 2));
    const auto settled = ack(one_, range(0, 4));
    EXPECT_EQ(settled.done, (Ranges{range(0, 4)})) << "what was done before is a hole in it";
    EXPECT_EQ(settled.count, 2U);
    EXPECT_EQ(ack(one_, range(0, 4)).repeated, (Ranges{range(0, 4)}));
    EXPECT_EQ(queue().counters().acked, 4U);
}

TEST_F(Settle, what_another_holds_and_what_nobody_was_given_is_lost) {
    const auto settled = ack(one_, range(4, 9));
    EXPECT_EQ(settled.done, (Ranges{range(4, 2)}));
    EXPECT_EQ(settled.lost, (Ranges{range(6, 7)}));
}

TEST_F(Settle, delivery_numbers_match_exactly) {
    EXPECT_EQ(ack(one_, range(0, 2), 2).lost, (Ranges{range(0, 2)}));
    EXPECT_EQ(ack(one_, range(0, 2), 0).lost, (Ranges{range(0, 2)}));
    EXPECT_EQ(ack(one_, range(8, 2), 0).lost, (Ranges{range(8, 2)})) << "never delivered";
}

TEST_F(Settle, a_nack_counts_an_attempt_and_waits_its_delay) {
    auto settled = settle(one_, range(0, 2), 1, Verdict::kNack, seconds(5));
    EXPECT_EQ(settled.delayed, (std::vector<Delayed>{{range(0, 2), {1, 1}, now_ + seconds(5)}}));
    EXPECT_EQ(settled.returned, Returned{});
    EXPECT_EQ(settled.count, 2U);
    settled = settle(one_, range(2, 1), 1, Verdict::kNack);
    EXPECT_EQ(settled.returned, (Returned{tried(2, 1, {1, 1})}));
    EXPECT_EQ(counts(), Counts(3, 5, 2));
    EXPECT_EQ(queue().counters().nacked, 3U);
    EXPECT_EQ(queue().next_due(), now_ + seconds(5));
    EXPECT_EQ(queue().run_timers(now_ + seconds(5)).returned, Returned{}) << "its return is in the log already";
    EXPECT_EQ(counts(), Counts(5, 5, 0));
    EXPECT_EQ(queue().next_due(), Instant::never());
}

TEST_F(Settle, a_release_is_ready_at_once_and_blames_nobody) {
    const auto settled = settle(one_, range(0, 2), 1, Verdict::kRelease, seconds(5));
    EXPECT_EQ(settled.returned, (Returned{tried(0, 2, {1, 0})}));
    EXPECT_EQ(settled.delayed, std::vector<Delayed>{});
    EXPECT_EQ(counts(), Counts(4, 6, 0));
    EXPECT_EQ(queue().counters().nacked, 0U);
}

TEST_F(Settle, a_repeated_return_changes_nothing) {
    settle(one_, range(0, 1), 1, Verdict::kNack, seconds(5));
    settle(one_, range(1, 1), 1, Verdict::kNack);
    const auto settled = settle(one_, range(0, 2), 1, Verdict::kNack, seconds(9));
    EXPECT_EQ(settled.repeated, (Ranges{range(0, 2)}));
    EXPECT_EQ(settled.count, 0U);
    EXPECT_EQ(queue().counters().nacked, 2U);
    EXPECT_EQ(queue().next_due(), now_ + seconds(5));
}

TEST_F(Settle, a_return_of_what_was_acked_is_lost) {
    ack(one_, range(0, 1));
    EXPECT_EQ(settle(one_, range(0, 1), 1, Verdict::kNack).lost, (Ranges{range(0, 1)}));
}

TEST_F(Settle, a_late_ack_is_good_while_nobody_else_holds_the_message) {
    queue().detach(one_);
    EXPECT_EQ(ack(one_, range(0, 1)).done, (Ranges{range(0, 1)}));
    const ConsumerId three = consumer(3, 1);
    deliver();  // 1 is leased again
    EXPECT_EQ(ack(one_, range(1, 2)).lost, (Ranges{range(1, 1)}));
    settle(three, range(1, 1), 2, Verdict::kNack, seconds(1));
    EXPECT_EQ(ack(one_, range(1, 1)).lost, (Ranges{range(1, 1)})) << "its last delivery was another";
    EXPECT_EQ(ack(three, range(1, 1), 2).done, (Ranges{range(1, 1)})) << "delayed";
    EXPECT_EQ(queue().next_due(), Instant::never());
}

TEST_F(Settle, a_huge_range_costs_what_is_there) {
    const auto settled = ack(two_, range(0, UINT64_MAX));
    EXPECT_EQ(settled.done, (Ranges{range(6, 2)}));
    EXPECT_EQ(settled.lost, (Ranges{range(0, 6), range(8, UINT64_MAX - 8)}));
    EXPECT_EQ(ack(two_, range(UINT64_MAX - 1, 1ULL << 60)).lost, (Ranges{range(UINT64_MAX - 1, 1)}));
    EXPECT_TRUE(ack(two_, range(3, 0)).lost.empty());
    EXPECT_TRUE(ack(two_, range(UINT64_MAX, 7)).lost.empty()) << "no message has that number";
}

TEST_F(Settle, tells_the_log_what_was_freed) {
    ack(one_, range(0, 5));
    ack(two_, range(6, 1));
    const auto freed = queue().take_freed();
    ASSERT_EQ(freed.size(), 2U);
    EXPECT_EQ(std::tuple(freed[0].batch, freed[0].messages, freed[0].empty), std::tuple(BatchRef(1), 5U, true));
    EXPECT_EQ(std::tuple(freed[1].batch, freed[1].messages, freed[1].empty), std::tuple(BatchRef(2), 1U, false));
    queue().purge();
    EXPECT_EQ(counts(), Counts(0, 0, 0));
    EXPECT_TRUE(queue().take_freed().back().empty);
    EXPECT_EQ(queue().counters().acked, 6U);
}

TEST_F(Settle, after_a_resume_what_was_not_claimed_returns) {
    queue().set_credit(one_, 7, kMuch);
    queue().claim_begin(one_);
    EXPECT_EQ(queue().claim(one_, range(2, 2), 1, now_), Ranges{});
    EXPECT_EQ(queue().claim(one_, range(5, 2), 1, now_), (Ranges{range(6, 1)}));
    EXPECT_EQ(queue().claim(one_, range(1, 1), 2, now_), (Ranges{range(1, 1)}));
    EXPECT_EQ(given(), (Given{{1, 8, 1}})) << "given meanwhile: not to be claimed";
    EXPECT_EQ(queue().claim_end(one_), (Returned{tried(0, 2, {1, 0}), tried(4, 1, {1, 0})}));
    EXPECT_EQ(counts(), Counts(4, 6, 0));
    EXPECT_EQ(queue().claim_end(one_), Returned{});
    queue().check_all();
}

TEST_F(Settle, looks_at_so_many_runs_only) {
    ack(one_, range(0, 1));
    ack(one_, range(2, 1));
    std::uint64_t looks = 4;  // gone, leased, gone, leased: 0 to 5
    const Settled some = queue().settle(one_, range(0, 100), 1, {Verdict::kNack}, now_, &looks);
    queue().check_all();
    EXPECT_EQ(looks, 0U);
    EXPECT_EQ(some.count, 1U + 3U);
    EXPECT_EQ(some.lost.back(), range(6, 94)) << "nothing happened to the rest";
    looks = 1;
    EXPECT_EQ(queue().extend(two_, range(6, 4), 1, now_, {}, &looks), (Ranges{range(8, 2)}));
}

TEST_F(Settle, timers_give_back_in_turns) {
    make({.lease_ms = 1'000});
    put(10);
    const ConsumerId one = consumer(1);
    deliver();
    for (std::uint64_t i = 0; i < 10; i += 2) ack(one, range(i, 1));
    now_ = now_ + seconds(2);
    EXPECT_EQ(queue().run_timers(now_, 2).returned.size(), 2U);
    EXPECT_LE(queue().next_due(), now_);
    EXPECT_EQ(queue().run_timers(now_, 100).returned.size(), 3U);
    EXPECT_EQ(queue().next_due(), Instant::never());
}

}  // namespace
}  // namespace telpher::queue
