#include "broker/queue/retry.h"
#include "queue_fixture.h"

namespace telpher::queue {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class DeadLetters : public QueueTest {
protected:
    void SetUp() override {
        Options options;
        options.maxsize = 4;
        options.max_attempts = 2;
        make(options);
        put(4, 40);
        one_ = consumer(1);
        deliver();
    }
    /// Kills [0, count): the queue has room for as many then.
    void kill(std::uint64_t count) { settle(one_, range(0, count), 1, Verdict::kDead, {}, note_); }

    ConsumerId one_;
    const DeathNote note_ = std::make_shared<const Death>(Death{Cause::kAttempts, {}, "no such page"});
};

TEST_F(DeadLetters, the_last_attempt_that_fails_makes_one) {
    EXPECT_EQ(settle(one_, range(0, 2), 1, Verdict::kNack, {}, note_).died.size(), 0U);
    deliver();
    const auto settled = settle(one_, range(0, 1), 2, Verdict::kNack, seconds(5), note_);
    EXPECT_EQ(settled.died, (std::vector<Died>{{range(0, 1), {2, 2}, note_}}));
    EXPECT_TRUE(settled.returned.empty() && settled.delayed.empty());
    EXPECT_EQ(settle(one_, range(1, 1), 2, Verdict::kRelease).returned.size(), 1U) << "a release is no attempt";
    EXPECT_EQ(queue().dead(), 1U);
    EXPECT_EQ(queue().counters().died, 1U);
    EXPECT_EQ(given(), (Given{{1, 1, 1}})) << "a dead letter is not handed out";
}

TEST_F(DeadLetters, without_a_limit_attempts_never_end) {
    Options options = queue().options();
    options.max_attempts = 0;
    queue().set_options(options);
    for (std::uint32_t delivery = 1; delivery < 100; ++delivery) {
        EXPECT_EQ(settle(one_, range(0, 1), delivery, Verdict::kNack).returned.size(), 1U);
        deliver();
    }
    EXPECT_EQ(queue().dead(), 0U);
}

TEST_F(DeadLetters, a_consumer_can_say_so_at_once) {
    const auto settled = settle(one_, range(0, 2), 1, Verdict::kDead, {}, note_);
    EXPECT_EQ(settled.died, (std::vector<Died>{{range(0, 2), {1, 1}, note_}}));
    EXPECT_EQ(queue().counters().nacked, 0U);
    EXPECT_EQ(settle(one_, range(0, 2), 1, Verdict::kDead).repeated, (Ranges{range(0, 2)})) << "said again";
    EXPECT_EQ(queue().dead(), 2U);
}

TEST_F(DeadLetters, said_late_it_counts_while_nobody_else_holds_the_message) {
    queue().detach(one_);
    EXPECT_EQ(settle(ConsumerId(7), range(0, 1), 1, Verdict::kDead, {}, note_).died.size(), 1U);
    consumer(2, 1);
    deliver();  // 1
    EXPECT_EQ(settle(one_, range(1, 1), 1, Verdict::kDead).lost, (Ranges{range(1, 1)}));
    EXPECT_EQ(queue().dead(), 1U);
}

TEST_F(DeadLetters, they_are_outside_the_bound_and_the_end_does_not_wait_for_them) {
    kill(4);
    EXPECT_EQ(counts(), Counts(0, 0, 0));
    EXPECT_EQ(queue().room(), 4U);
    EXPECT_EQ(queue().bytes(), 0U);
    queue().seal();
    EXPECT_TRUE(queue().drained());
    EXPECT_EQ(queue().floor(), Offset(0)) << "their batch is still needed";
}

TEST_F(DeadLetters, a_lease_that_ends_on_the_last_attempt_makes_one) {
    Options options = queue().options();
    options.max_attempts = 1;
    queue().set_options(options);
    EXPECT_TRUE(queue().extend(one_, range(0, 4), 1, now_, Duration::zero()).empty());
    options.lease_ms = 1'000;
    queue().set_options(options);
    settle(one_, range(0, 4), 1, Verdict::kRelease);
    deliver();  // with a lease now
    now_ = now_ + seconds(1);
    const auto ended = queue().run_timers(now_, UINT64_MAX, note_);
    EXPECT_TRUE(ended.returned.empty());
    EXPECT_EQ(ended.died, (std::vector<Died>{{range(0, 4), {2, 1}, note_}}));
    EXPECT_EQ(ack(one_, range(1, 1), 2).done, (Ranges{range(1, 1)})) << "done after all";
    EXPECT_EQ(queue().dead(), 3U);
}

TEST_F(DeadLetters, redriven_they_are_ready_at_their_old_place_with_no_attempt_counted) {
    kill(2);
    settle(one_, range(2, 2), 1, Verdict::kRelease);
    EXPECT_EQ(queue().redrive(range(0, 100), 100, 100), (Returned{tried(0, 2, {1, 0})}));
    EXPECT_EQ(queue().dead(), 0U);
    const auto grants = deliver();
    ASSERT_FALSE(grants.empty());
    EXPECT_EQ(grants[0].range, range(0, 4));
    EXPECT_EQ(grants[0].tries, (Tries{2, 0}));
}

TEST_F(DeadLetters, redrive_takes_no_more_than_there_is_room_for) {
    kill(3);
    put(2, 20);  // 3 live of 4
    EXPECT_EQ(queue().redrive(range(0, 100), 100, 100), (Returned{tried(0, 1, {1, 0})}));
    EXPECT_EQ(queue().redrive(range(0, 100), 100, 100), Returned{});
    EXPECT_EQ(queue().counters().high_water, 4U);
    queue().check_all();
}

TEST_F(DeadLetters, a_range_and_a_number_bound_a_redrive_and_a_drop) {
    kill(4);
    EXPECT_EQ(queue().redrive(range(1, 1), 100, 100), (Returned{tried(1, 1, {1, 0})}));
    EXPECT_EQ(queue().redrive(range(0, UINT64_MAX), 1, 100), (Returned{tried(0, 1, {1, 0})}));
    EXPECT_EQ(queue().drop_dead(range(3, UINT64_MAX), 100, 100), (Ranges{range(3, 1)}));
    EXPECT_EQ(queue().drop_dead(range(0, 100), 0, 100), Ranges{});
    EXPECT_EQ(queue().dead(), 1U);
    EXPECT_EQ(queue().counters().dropped, 1U);
    queue().check_all();
}

TEST_F(DeadLetters, peek_shows_them_only_when_asked_for_and_with_their_note) {
    kill(2);
    EXPECT_EQ(queue().peek(Offset(0), 100).size(), 1U) << "leased [2, 4)";
    const auto dead = queue().peek(Offset(1), 100, Queue::Peeked::kDead);
    ASSERT_EQ(dead.size(), 1U);
    EXPECT_EQ(dead[0].range, range(1, 1));
    EXPECT_EQ(dead[0].note, note_);
    EXPECT_TRUE(queue().peek(Offset(0), 100, Queue::Peeked::kReady).empty());
}

TEST_F(DeadLetters, replayed_they_are_dead_until_a_later_return) {
    Queue replayed(queue().options());
    replayed.restore_batch({BatchRef(1), range(0, 4), 40});
    replayed.restore_died(range(0, 3), {1, 1}, note_);
    replayed.restore_returned(range(0, 1), {1, 0}, {});
    replayed.restore_done(range(1, 1), true);
    replayed.restore_finish(Offset(4), Offset(4), now_ + seconds(2), now_);
    replayed.check_all();
    EXPECT_EQ(replayed.dead(), 1U);
    EXPECT_EQ(replayed.leased(), 2U) << "held for the consumers of before";
    EXPECT_EQ(replayed.counters().died, 3U);
}

TEST(Backoff, doubles_up_to_its_most_give_or_take_a_fifth) {
    Options options;
    options.backoff_ms = 1'000;
    options.backoff_max_ms = 60'000;
    for (std::uint64_t offset = 0; offset < 1'000; ++offset) {
        for (std::uint32_t attempts = 1; attempts < 70; ++attempts) {
            const Duration base = milliseconds(std::min(1'000 << std::min(attempts - 1, 10U), 60'000));
            const Duration delay = backoff(options, Offset(offset), attempts);
            ASSERT_GE(delay, base * 8 / 10) << attempts;
            ASSERT_LE(delay, base * 12 / 10) << attempts;
        }
    }
    EXPECT_NE(backoff(options, Offset(1), 1), backoff(options, Offset(2), 1)) << "they do not come back together";
    EXPECT_EQ(backoff(options, Offset(1), 1), backoff(options, Offset(1), 1));
    options.backoff_ms = 0;
    EXPECT_EQ(backoff(options, Offset(1), 9), Duration::zero());
}

TEST_F(DeadLetters, a_nack_may_leave_the_delay_to_the_queue) {
    const auto settled = settle(one_, range(0, 1), 1, Verdict::kNack, kBackoff);
    ASSERT_EQ(settled.delayed.size(), 1U);
    EXPECT_EQ(settled.delayed[0].due, now_ + backoff(queue().options(), Offset(0), 1));
}

}  // namespace
}  // namespace telpher::queue
