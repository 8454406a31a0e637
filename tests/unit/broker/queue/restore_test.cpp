#include "queue_fixture.h"

namespace telpher::queue {
namespace {

using std::chrono::seconds;

class Restore : public QueueTest {
protected:
    /// Offsets 10 to 19 in one batch, of which 11 is done, 13 was returned once and 15 is delayed; delivered below 17.
    void SetUp() override {
        Counters counters;
        counters.put = 10;
        counters.acked = 10;
        counters.high_water = 4;
        queue().restore(10, false, false, counters);
        queue().restore_batch({BatchRef(1), range(10, 10), 100});
        queue().restore_done(range(11, 1), false);
        queue().restore_returned(range(13, 1), {1, 1}, Instant{});
        queue().restore_returned(range(15, 1), {1, 1}, now_ + seconds(9));
        queue().restore_finish(Offset(17), Offset(17), hold_end_, now_);
        queue().make_visible(queue().next_offset());
    }
    Instant hold_end_ = now_ + seconds(2);
};

TEST_F(Restore, holds_what_may_be_in_somebodys_hands) {
    EXPECT_EQ(counts(), Counts(3, 5, 1));
    EXPECT_EQ(queue().next_due(), hold_end_);
    EXPECT_EQ(queue().delivered_mark(), Offset(17));
    EXPECT_EQ(queue().counters().put, 20U);
    EXPECT_EQ(queue().counters().acked, 11U);
    EXPECT_EQ(queue().counters().high_water, 10U);
    EXPECT_EQ(queue().bytes(), 90U);
    EXPECT_EQ(queue().floor(), Offset(10));
    queue().check_all();
    consumer(1);
    EXPECT_EQ(given(), (Given{{1, 17, 3}}));
}

TEST_F(Restore, a_hold_ends_with_the_delivery_counted_and_no_blame) {
    EXPECT_EQ(queue().run_timers(hold_end_).returned,
              (Returned{tried(10, 3, {1, 0}), tried(13, 1, {2, 1}), tried(14, 1, {1, 0}), tried(16, 1, {1, 0})}))
        << "one run, although 11 is gone: it stays so";
    EXPECT_EQ(counts(), Counts(8, 0, 1));
    EXPECT_EQ(queue().next_due(), now_ + seconds(9));
}

TEST_F(Restore, the_old_consumer_claims_what_it_holds) {
    const ConsumerId one = consumer(1, 0);
    EXPECT_EQ(queue().claim(one, range(10, 3), 1, now_), (Ranges{range(11, 1)}));
    EXPECT_EQ(queue().claim(one, range(13, 1), 1, now_), (Ranges{range(13, 1)})) << "an older delivery";
    EXPECT_EQ(queue().claim(one, range(13, 1), 2, now_), Ranges{});
    EXPECT_EQ(queue().claim(one, range(19, 3), 1, now_), (Ranges{range(19, 3)}));
    EXPECT_EQ(ack(one, range(13, 1), 2).done, (Ranges{range(13, 1)}));
    queue().run_timers(hold_end_);
    EXPECT_EQ(counts(), Counts(5, 2, 1));
    EXPECT_EQ(queue().detach(one), (Returned{tried(10, 1, {1, 0}), tried(12, 1, {1, 0})}));
}

TEST_F(Restore, a_late_settle_of_a_held_message_is_good) {
    EXPECT_EQ(ack(ConsumerId(5), range(10, 2)).done, (Ranges{range(10, 1)}));
    EXPECT_EQ(ack(ConsumerId(5), range(13, 1), 1).lost, (Ranges{range(13, 1)}));
    EXPECT_EQ(settle(ConsumerId(5), range(13, 1), 2, Verdict::kNack).returned, (Returned{tried(13, 1, {2, 2})}));
    EXPECT_EQ(settle(ConsumerId(5), range(14, 1), 1, Verdict::kRelease).returned, (Returned{tried(14, 1, {1, 0})}));
}

TEST_F(Restore, held_messages_count_for_the_bound_and_are_never_dropped) {
    queue().set_options({.maxsize = 6, .on_full = OnFull::kDropOldest});
    offer(2);
    const auto admission = admit();
    EXPECT_EQ(admission->count, 1U);
    EXPECT_EQ(admission->dropped, (Ranges{range(15, 1), range(17, 3)}));
    EXPECT_EQ(counts(), Counts(1, 5, 0));
}

TEST_F(Restore, a_put_under_a_held_lease_passes_the_seal) {
    queue().seal();
    offer(1, 0, range(10, 1));
    EXPECT_EQ(offered_, Offered::kInLine);
    offer(1, 0, range(17, 1));
    EXPECT_EQ(offered_, Offered::kSealed);
}

TEST(RestoreQueue, what_became_due_before_the_stop_is_held_too) {
    Queue queue({});
    queue.restore_batch({BatchRef(1), range(0, 3), 0});
    queue.restore_returned(range(0, 1), {1, 1}, Instant{50});
    queue.restore_returned(range(1, 1), {1, 1}, Instant{150});
    queue.restore_finish(Offset(3), Offset(3), Instant{1000}, Instant{100});
    EXPECT_EQ(queue.leased(), 2U);
    EXPECT_EQ(queue.delayed(), 1U);
    queue.check_all();
}

TEST(RestoreQueue, done_and_returned_offsets_that_are_not_here_are_counted_only) {
    Queue queue({});
    queue.restore(100, true, true, {});
    queue.restore_done(range(3, 4), false);
    queue.restore_done(range(7, 2), true);
    queue.restore_returned(range(0, 1000), {1, 0}, Instant{});
    queue.restore_finish(Offset(1000), Offset(1000), Instant{5}, Instant{1});
    EXPECT_EQ(queue.counters().acked, 4U);
    EXPECT_EQ(queue.counters().dropped, 2U);
    EXPECT_TRUE(queue.drained());
    EXPECT_TRUE(queue.paused());
    EXPECT_FALSE(queue.take_sealed_now());
    EXPECT_EQ(queue.next_offset(), Offset(100));
    EXPECT_EQ(queue.next_due(), Instant::never());
    queue.check_all();
}

TEST(RestoreQueue, follows_seals_and_nacks_in_the_log) {
    Queue queue({});
    queue.restore_sealed(true);
    EXPECT_TRUE(queue.sealed());
    queue.restore_sealed(false);
    EXPECT_FALSE(queue.sealed());
    queue.restore_nacked(3);
    queue.restore_nacked(2);
    EXPECT_EQ(queue.counters().nacked, 5U);
}

TEST(RestoreQueue, a_memory_queue_begins_above_all_earlier_ids) {
    Queue queue({.durability = Durability::kMemory});
    queue.restore_empty(Offset(1ULL << 32));
    EXPECT_EQ(queue.offer({TicketId(1), 2, 0, {}}), Offered::kInLine);
    EXPECT_EQ(queue.admit_next()->first, Offset(1ULL << 32));
    queue.stored({BatchRef(1), range(1ULL << 32, 2), 0});
    queue.check_all();
}

TEST(RestoreQueue, an_older_batch_may_come_later_in_the_log) {
    Queue queue({});
    queue.restore(100, false, false, {});
    queue.restore_batch({BatchRef(1), range(100, 5), 5});
    queue.restore_batch({BatchRef(2), range(20, 5), 5});
    queue.restore_finish(Offset(0), Offset(0), Instant{5}, Instant{1});
    EXPECT_EQ(queue.ready(), 10U);
    EXPECT_EQ(queue.floor(), Offset(20));
    EXPECT_EQ(queue.next_offset(), Offset(105));
    queue.check_all();
}

TEST(RestoreAgain, what_came_back_and_was_not_handed_out_since_is_in_nobodys_hands) {
    Queue queue(Options{});
    queue.restore_batch({BatchRef(1), range(0, 6), 60});
    queue.restore_returned(range(0, 4), {1, 0}, Instant{});
    queue.restore_finish(Offset(5), Offset(2), Instant{1000}, Instant{100});
    queue.check_all();
    // Handed out again were the first two; never back was the fifth; the sixth was never out.
    EXPECT_EQ(queue.leased(), 3U);
    EXPECT_EQ(queue.ready(), 3U);
    queue.attach(ConsumerId(1));
    queue.set_credit(ConsumerId(1), 9, 1000);
    std::vector<Grant> grants;
    queue.deliver(Instant{100}, 9, grants);
    ASSERT_EQ(grants.size(), 2U);
    EXPECT_EQ(grants[0].range, range(2, 2));
    EXPECT_EQ(grants[0].tries, (Tries{2, 0}));
    EXPECT_EQ(grants[1].range, range(5, 1));
}

}  // namespace
}  // namespace telpher::queue
