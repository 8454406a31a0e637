#include "queue_fixture.h"

namespace telpher::queue {
namespace {

using Puts = QueueTest;

TEST_F(Puts, come_in_with_dense_offsets_while_there_is_room) {
    make({.maxsize = 10});
    offer(4);
    const auto first = admit();
    ASSERT_TRUE(first);
    EXPECT_EQ(std::tuple(first->first, first->count, first->finished), std::tuple(Offset(0), 4U, true));
    offer(3);
    EXPECT_EQ(admit()->first, Offset(4));
    EXPECT_EQ(queue().room(), 3U);
    EXPECT_EQ(queue().next_offset(), Offset(7));
    EXPECT_EQ(queue().counters().put, 7U);
    EXPECT_EQ(queue().counters().high_water, 7U);
}

TEST_F(Puts, count_for_the_bound_before_they_are_committed) {
    make({.maxsize = 3});
    offer(3);
    EXPECT_EQ(admit()->count, 3U);
    consumer(1);
    EXPECT_EQ(given(), Given{});
    offer(1);
    EXPECT_FALSE(admit());
    queue().make_visible(Offset(2));
    EXPECT_EQ(given(), (Given{{1, 0, 2}}));
    EXPECT_FALSE(admit());
}

TEST_F(Puts, room_is_shared_by_those_in_line_in_turns) {
    make({.maxsize = 10});
    offer(100);
    offer(2);
    offer(100);
    // 10 / 3 for each, and what the second leaves goes to the next turn.
    EXPECT_EQ(admit_all(),
              (Steps{{1, 3, Code::kOk}, {2, 2, Code::kOk}, {3, 3, Code::kOk}, {1, 1, Code::kOk}, {3, 1, Code::kOk}}));
    EXPECT_EQ(queue().counters().high_water, 10U);
    EXPECT_EQ(queue().waiters(), 2U);
}

TEST_F(Puts, single_ones_come_in_as_they_were_parked) {
    make({.maxsize = 2});
    for (int i = 0; i < 6; ++i) offer(1);
    EXPECT_EQ(admit_all(), (Steps{{1, 1, Code::kOk}, {2, 1, Code::kOk}}));
    queue().make_visible(queue().next_offset());
    const ConsumerId one = consumer(1);
    for (std::uint64_t i = 0; i < 4; ++i) {
        deliver();
        ack(one, range(i, 1));
        offer(1);
        EXPECT_EQ(admit_all(), (Steps{{i + 3, 1, Code::kOk}}));
        queue().make_visible(queue().next_offset());
    }
}

TEST_F(Puts, a_turn_survives_a_lack_of_room) {
    make({.maxsize = 2});
    offer(10);
    offer(10);
    offer(10);
    EXPECT_EQ(admit_all(), (Steps{{1, 1, Code::kOk}, {2, 1, Code::kOk}}));
    queue().make_visible(queue().next_offset());
    const ConsumerId one = consumer(1);
    deliver();
    ack(one, range(0, 1));
    EXPECT_EQ(admit_all(), (Steps{{3, 1, Code::kOk}}));
    ack(one, range(1, 1));
    EXPECT_EQ(admit_all(), (Steps{{1, 1, Code::kOk}}));
}

TEST_F(Puts, keep_their_place_by_number_when_they_come_back_to_the_line) {
    make({.maxsize = 1});
    queue().offer({TicketId(1), 1, 0, {}});
    queue().offer({TicketId(3), 1, 0, {}});
    EXPECT_EQ(admit_all(), (Steps{{1, 1, Code::kOk}}));
    queue().offer({TicketId(2), 1, 0, {}});
    queue().make_visible(Offset(1));
    const ConsumerId one = consumer(1);
    deliver();
    ack(one, range(0, 1));
    EXPECT_EQ(admit_all(), (Steps{{2, 1, Code::kOk}}));
}

TEST_F(Puts, cancelled_ones_leave_the_line) {
    make({.maxsize = 4});
    const TicketId part = offer(6);
    const TicketId whole = offer(5);
    EXPECT_EQ(admit_all(), (Steps{{1, 2, Code::kOk}, {2, 2, Code::kOk}}));
    EXPECT_EQ(queue().cancel(part), 4U);
    EXPECT_EQ(queue().cancel(part), 0U);
    EXPECT_EQ(queue().cancel(whole), 3U);
    EXPECT_EQ(queue().waiters(), 0U);
    EXPECT_FALSE(admit());
}

TEST_F(Puts, may_shrink_in_line_and_keep_their_place) {
    make({.maxsize = 2});
    put(2);
    const TicketId first = offer(5);
    offer(1);
    queue().shrink(first, 4, 0);
    const ConsumerId one = consumer(1);
    deliver();
    ack(one, range(0, 2));
    EXPECT_EQ(admit_all(), (Steps{{2, 1, Code::kOk}, {3, 1, Code::kOk}}));
}

TEST_F(Puts, may_be_stored_as_several_batches) {
    offer(5, 50);
    const auto admission = queue().admit_next();
    ASSERT_TRUE(admission);
    queue().stored({BatchRef(1), range(0, 2), 30});
    EXPECT_EQ(queue().bytes(), 50U);
    queue().stored({BatchRef(2), range(2, 3), 21});
    EXPECT_EQ(queue().bytes(), 51U);
    queue().check_all();
    queue().make_visible(Offset(5));
    consumer(1);
    EXPECT_EQ(given(), (Given{{1, 0, 2}, {1, 2, 3}}));
}

TEST_F(Puts, reject_takes_the_first_and_refuses_the_rest) {
    make({.maxsize = 5, .on_full = OnFull::kReject});
    offer(3);
    offer(4);
    offer(1);
    EXPECT_EQ(admit_all(), (Steps{{1, 3, Code::kOk}, {2, 2, Code::kOk}, {2, 2, Code::kFull}, {3, 1, Code::kFull}}));
    EXPECT_EQ(queue().counters().rejected, 3U);
    EXPECT_EQ(queue().waiters(), 0U);
}

TEST_F(Puts, drop_oldest_drops_ready_then_delayed_never_leased) {
    make({.maxsize = 4, .on_full = OnFull::kDropOldest});
    put(4);
    const ConsumerId one = consumer(1, 2);
    deliver();                                                             // 0, 1 leased
    settle(one, range(0, 1), 1, Verdict::kNack, std::chrono::seconds(1));  // 0 delayed
    offer(1);
    auto admission = admit();
    EXPECT_EQ(admission->dropped, (Ranges{range(2, 1)}));
    offer(5);
    admission = admit();  // 3 is all but the leased one
    EXPECT_EQ(std::tuple(admission->count, admission->finished), std::tuple(3U, false));
    EXPECT_EQ(admission->dropped, (Ranges{range(0, 1), range(3, 2)}));
    admission = admit();
    EXPECT_EQ(std::tuple(admission->count, admission->finished), std::tuple(2U, true));
    EXPECT_EQ(admission->dropped, (Ranges{range(5, 2)}));
    EXPECT_EQ(counts(), Counts(3, 1, 0));
    EXPECT_EQ(queue().counters().dropped, 6U);
    EXPECT_EQ(queue().counters().high_water, 4U);
}

TEST_F(Puts, drop_oldest_waits_when_all_is_leased) {
    make({.maxsize = 2, .on_full = OnFull::kDropOldest});
    put(2);
    const ConsumerId one = consumer(1);
    deliver();
    offer(1);
    EXPECT_FALSE(admit());
    ack(one, range(1, 1));
    EXPECT_EQ(admit_all(), (Steps{{2, 1, Code::kOk}}));
}

TEST_F(Puts, drop_oldest_keeps_the_last_of_a_batch_larger_than_the_queue) {
    make({.maxsize = 3, .on_full = OnFull::kDropOldest});
    offer(8);
    EXPECT_EQ(admit_all(), (Steps{{1, 3, Code::kOk}, {1, 3, Code::kOk}, {1, 2, Code::kOk}}));
    EXPECT_EQ(queue().floor(), Offset(5));
    EXPECT_EQ(queue().next_offset(), Offset(8));
    EXPECT_EQ(counts(), Counts(3, 0, 0));
}

TEST_F(Puts, bytes_bound_too) {
    make({.max_bytes = 100});
    put(4, 80);  // 20 each
    offer(3, 30);
    auto admission = admit(20);
    EXPECT_EQ(std::tuple(admission->count, admission->finished), std::tuple(2U, false));
    EXPECT_EQ(queue().bytes(), 100U);
    EXPECT_EQ(queue().room(), 0U);
    EXPECT_FALSE(admit());
    const ConsumerId one = consumer(1);
    deliver();
    ack(one, range(0, 1));
    EXPECT_EQ(queue().bytes(), 80U);
    EXPECT_EQ(admit(10)->count, 1U);
}

TEST_F(Puts, a_message_larger_than_the_byte_bound_goes_into_an_empty_queue_alone) {
    make({.max_bytes = 100});
    offer(2, 1000);
    EXPECT_EQ(admit(500)->count, 1U);
    EXPECT_FALSE(admit());
    queue().make_visible(Offset(1));
    const ConsumerId one = consumer(1);
    deliver();
    EXPECT_FALSE(admit());
    ack(one, range(0, 1));
    EXPECT_EQ(admit(500)->count, 1U);
}

TEST_F(Puts, weightless_messages_wait_too_while_the_bytes_are_over_the_bound) {
    make({.max_bytes = 100});
    put(2, 100);
    queue().set_options({.max_bytes = 99});
    offer(1, 0);
    EXPECT_FALSE(admit());
}

TEST_F(Puts, drop_oldest_makes_room_in_bytes) {
    make({.max_bytes = 100, .on_full = OnFull::kDropOldest});
    put(10, 100);
    offer(1, 25);
    const auto admission = admit(25);
    EXPECT_EQ(admission->dropped, (Ranges{range(0, 3)}));
    EXPECT_EQ(queue().bytes(), 95U);
}

TEST_F(Puts, a_lower_bound_admits_nothing_until_it_fits) {
    make({.maxsize = 4});
    put(4);
    queue().set_options({.maxsize = 2});
    EXPECT_EQ(queue().room(), 0U);
    offer(1);
    const ConsumerId one = consumer(1);
    deliver();
    ack(one, range(0, 2));
    EXPECT_FALSE(admit());
    ack(one, range(2, 1));
    EXPECT_TRUE(admit());
}

class Deadlock : public QueueTest {
protected:
    void SetUp() override {
        make({.maxsize = 2});
        put(2);
        one_ = consumer(1, 1);
        two_ = consumer(2, 1);
        deliver();
    }
    ConsumerId one_;
    ConsumerId two_;
};

TEST_F(Deadlock, every_holder_waits_in_a_put) {
    offer(1);  // somebody else's: not at fault
    const TicketId first = offer(3, 0, range(1, 1));
    EXPECT_FALSE(admit());
    const TicketId second = offer(1, 0, range(0, 1));
    const auto admission = admit();
    ASSERT_TRUE(admission);
    EXPECT_EQ(std::tuple(admission->ticket, admission->count, admission->refused, admission->finished),
              std::tuple(first, 3U, Code::kDeadlock, true));
    EXPECT_FALSE(admit()) << "one of the two leases can be settled now";
    offer(1, 0, range(1, 1));
    EXPECT_EQ(admit()->ticket, second);
    EXPECT_EQ(queue().counters().rejected, 0U);
}

TEST_F(Deadlock, not_while_two_puts_name_the_same_lease) {
    offer(1, 0, range(0, 1));
    offer(1, 0, range(0, 1));
    EXPECT_FALSE(admit());
}

TEST_F(Deadlock, not_while_somebody_can_take_what_is_ready_or_soon_will_be) {
    queue().set_options({.maxsize = 3});
    offer(2, 0, range(0, 1));
    offer(1, 0, range(1, 1));
    EXPECT_EQ(admit()->count, 1U);
    queue().set_credit(one_, 2, kMuch);
    EXPECT_FALSE(admit()) << "admitted, and delivered once committed";
    queue().make_visible(queue().next_offset());
    EXPECT_EQ(given(), (Given{{1, 2, 1}}));
    EXPECT_FALSE(admit()) << "that lease is named by nobody";
}

TEST_F(Deadlock, when_what_is_ready_can_go_to_nobody) {
    queue().set_options({.maxsize = 3});
    offer(2, 0, range(0, 1));
    offer(1, 0, range(1, 1));
    EXPECT_EQ(admit()->refused, Code::kOk);
    EXPECT_EQ(admit()->refused, Code::kDeadlock);
}

using Seal = QueueTest;

TEST_F(Seal, waits_in_line_and_refuses_what_comes_later) {
    make({.maxsize = 1});
    offer(2);
    EXPECT_TRUE(queue().seal());
    EXPECT_FALSE(queue().seal());
    offer(1);
    EXPECT_EQ(offered_, Offered::kSealed);
    admit_all();
    EXPECT_FALSE(queue().sealed());
    queue().make_visible(Offset(1));
    const ConsumerId one = consumer(1);
    deliver();
    ack(one, range(0, 1));
    admit_all();
    EXPECT_TRUE(queue().sealed());
    EXPECT_TRUE(queue().take_sealed_now());
    EXPECT_FALSE(queue().take_sealed_now());
    EXPECT_FALSE(queue().drained());
    queue().make_visible(Offset(2));
    deliver();
    ack(one, range(1, 1));
    EXPECT_TRUE(queue().drained());
}

TEST_F(Seal, a_cancel_may_let_it_reach_the_front) {
    make({.maxsize = 1});
    put(1);
    const TicketId waits = offer(1);
    queue().seal();
    EXPECT_FALSE(queue().take_sealed_now());
    queue().cancel(waits);
    EXPECT_TRUE(queue().take_sealed_now());
}

TEST_F(Seal, a_put_under_a_live_lease_still_comes_in) {
    put(1);
    const ConsumerId one = consumer(1);
    deliver();
    queue().seal();
    EXPECT_TRUE(queue().sealed());
    offer(2, 0, range(0, 1));
    EXPECT_EQ(offered_, Offered::kInLine);
    EXPECT_FALSE(queue().idle());
    EXPECT_EQ(admit()->count, 2U);
    ack(one, range(0, 1));
    offer(1, 0, range(0, 1));
    EXPECT_EQ(offered_, Offered::kSealed);
    EXPECT_FALSE(queue().drained());
}

TEST_F(Seal, a_put_under_a_lease_neither_waits_for_a_seal_nor_delays_it) {
    make({.maxsize = 2});
    put(1);
    const ConsumerId one = consumer(1);
    deliver();
    offer(2);
    queue().seal();
    offer(2, 0, range(0, 1));
    EXPECT_EQ(admit_all(), (Steps{{2, 1, Code::kOk}}));
    ack(one, range(0, 1));
    EXPECT_EQ(admit_all(), (Steps{{3, 1, Code::kOk}}));
    queue().make_visible(queue().next_offset());
    deliver();
    ack(one, range(1, 1));
    EXPECT_EQ(admit_all(), (Steps{{2, 1, Code::kOk}}));
    EXPECT_TRUE(queue().sealed());
    EXPECT_EQ(queue().waiters(), 1U);
}

TEST_F(Seal, reopen_takes_puts_again_and_can_be_sealed_again) {
    queue().seal();
    EXPECT_TRUE(queue().take_sealed_now());
    EXPECT_TRUE(queue().drained());
    queue().reopen();
    EXPECT_FALSE(queue().sealed());
    offer(1);
    EXPECT_EQ(offered_, Offered::kInLine);
    EXPECT_TRUE(queue().seal());
    EXPECT_FALSE(queue().take_sealed_now());
    admit_all();
    EXPECT_TRUE(queue().take_sealed_now());
}

}  // namespace
}  // namespace telpher::queue
