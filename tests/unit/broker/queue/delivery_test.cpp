#include "queue_fixture.h"

namespace telpher::queue {
namespace {

using Delivery = QueueTest;

TEST_F(Delivery, is_in_offset_order_and_never_spans_two_batches) {
    put(3);
    put(2);
    consumer(1);
    const auto grants = deliver();
    ASSERT_EQ(grants.size(), 2U);
    EXPECT_EQ(std::tuple(grants[0].batch, grants[0].index, grants[0].range), std::tuple(BatchRef(1), 0U, range(0, 3)));
    EXPECT_EQ(std::tuple(grants[1].batch, grants[1].index, grants[1].range), std::tuple(BatchRef(2), 0U, range(3, 2)));
    EXPECT_EQ(grants[0].tries, (Tries{1, 0}));
    EXPECT_EQ(queue().delivered_mark(), Offset(5));
    EXPECT_EQ(queue().counters().redelivered, 0U);
}

TEST_F(Delivery, never_spans_messages_of_different_tries) {
    put(4);
    const ConsumerId one = consumer(1);
    deliver();
    settle(one, range(1, 2), 1, Verdict::kNack);
    settle(one, range(0, 1), 1, Verdict::kRelease);
    settle(one, range(3, 1), 1, Verdict::kRelease);
    const auto grants = deliver();
    ASSERT_EQ(grants.size(), 3U);
    EXPECT_EQ(std::tuple(grants[0].range, grants[0].tries), std::tuple(range(0, 1), Tries{2, 0}));
    EXPECT_EQ(std::tuple(grants[1].range, grants[1].tries), std::tuple(range(1, 2), Tries{2, 1}));
    EXPECT_EQ(std::tuple(grants[2].index, grants[2].tries), std::tuple(3U, Tries{2, 0}));
    EXPECT_EQ(queue().counters().redelivered, 4U);
}

TEST_F(Delivery, a_consumer_holds_so_much_at_most_whatever_its_credit) {
    make({.maxsize = kMuch});
    for (int i = 0; i < 3; ++i) put(65'536);
    const ConsumerId hoarder = consumer(1, UINT64_MAX, UINT64_MAX);
    deliver();
    EXPECT_EQ(queue().leased(), kLeasesMax);
    EXPECT_TRUE(deliver().empty());
    const ConsumerId other = consumer(2, 10);
    EXPECT_EQ(queue().reach(), Offset(3 * 65'536)) << "sums of credit do not wrap";
    EXPECT_EQ(given(), (Given{{2, 65'536, 10}}));
    ack(hoarder, range(0, 100));
    ack(other, range(65'536, 10));
    EXPECT_EQ(given(), (Given{{1, 65'546, 100}}));
}

TEST_F(Delivery, shares_what_is_ready_in_equal_slices) {
    put(10);
    consumer(1);
    consumer(2);
    consumer(3);
    EXPECT_EQ(given(), (Given{{1, 0, 4}, {2, 4, 4}, {3, 8, 2}}));
}

TEST_F(Delivery, stops_at_what_is_allowed) {
    queue().allow(Offset(0));
    put(10);
    EXPECT_FALSE(queue().held_back()) << "nobody wants any";
    EXPECT_EQ(queue().reach(), Offset(0));
    consumer(1, 2);
    EXPECT_TRUE(given().empty());
    EXPECT_TRUE(queue().held_back());
    EXPECT_EQ(queue().reach(), Offset(2));
    queue().allow(Offset(1));
    EXPECT_EQ(given(), (Given{{1, 0, 1}}));
    EXPECT_TRUE(queue().held_back());
    EXPECT_EQ(queue().reach(), Offset(2));
    consumer(2, 100);
    EXPECT_EQ(queue().reach(), Offset(10)) << "no further than there are messages";
    queue().allow(Offset(7));
    EXPECT_EQ(given(), (Given{{2, 1, 3}, {1, 4, 1}, {2, 5, 2}}));
    EXPECT_TRUE(queue().held_back());
    queue().allow(Offset(10));
    EXPECT_EQ(given(), (Given{{2, 7, 3}}));
    EXPECT_FALSE(queue().held_back());
}

TEST_F(Delivery, reaches_over_what_was_dropped) {
    auto options = queue().options();
    options.maxsize = 5;
    options.on_full = OnFull::kDropOldest;
    queue().set_options(options);
    queue().allow(Offset(0));
    put(5);
    put(3);
    consumer(1, 1);
    EXPECT_EQ(queue().reach(), Offset(4));
    queue().allow(queue().reach());
    EXPECT_EQ(given(), (Given{{1, 3, 1}}));
}

TEST_F(Delivery, goes_on_where_it_stopped) {
    consumer(1);
    consumer(2);
    consumer(3);
    put(1);
    EXPECT_EQ(given(), (Given{{1, 0, 1}}));
    put(1);
    EXPECT_EQ(given(), (Given{{2, 1, 1}}));
    put(2);
    EXPECT_EQ(given(), (Given{{3, 2, 1}, {1, 3, 1}}));
    queue().detach(ConsumerId(2));
    queue().detach(ConsumerId(3));
    EXPECT_EQ(given(), (Given{{1, 1, 1}, {1, 2, 1}}));
}

TEST_F(Delivery, what_one_has_no_credit_for_goes_to_the_others) {
    put(10);
    consumer(1, 1);
    consumer(2, 100);
    EXPECT_EQ(given(), (Given{{1, 0, 1}, {2, 1, 5}, {2, 6, 4}}));
    put(2);
    EXPECT_EQ(given(), (Given{{2, 10, 2}}));
    queue().set_credit(ConsumerId(1), 0, 0);  // limits only rise
    queue().set_credit(ConsumerId(1), 2, 0);
    put(1);
    EXPECT_EQ(given(), (Given{{1, 12, 1}}));
}

TEST_F(Delivery, respects_byte_credit_and_passes_it_by_less_than_a_message) {
    put(10, 1000);
    consumer(1, 100, 250);
    const auto grants = deliver();
    ASSERT_EQ(grants.size(), 1U);
    EXPECT_EQ(std::tuple(grants[0].range, grants[0].bytes), std::tuple(range(0, 3), 300U));
    EXPECT_EQ(given(), Given{});
    queue().set_credit(ConsumerId(1), 100, 300);
    EXPECT_EQ(given(), Given{});
    queue().set_credit(ConsumerId(1), 100, 301);
    EXPECT_EQ(given(), (Given{{1, 3, 1}}));
}

TEST_F(Delivery, stops_at_the_callers_maximum) {
    put(10);
    consumer(1);
    consumer(2);
    EXPECT_EQ(given(3), (Given{{1, 0, 3}}));
    EXPECT_EQ(given(5), (Given{{2, 3, 4}, {1, 7, 1}}));
}

TEST_F(Delivery, stands_still_while_paused) {
    put(1);
    consumer(1);
    queue().pause(true);
    EXPECT_TRUE(queue().paused());
    EXPECT_EQ(given(), Given{});
    queue().pause(false);
    EXPECT_EQ(given(), (Given{{1, 0, 1}}));
}

TEST_F(Delivery, a_consumer_that_leaves_gives_all_back_with_its_delivery_counted) {
    put(4);
    const ConsumerId one = consumer(1);
    deliver();
    ack(one, range(1, 1));
    settle(one, range(3, 1), 1, Verdict::kNack, std::chrono::seconds(1));
    EXPECT_EQ(queue().detach(one), (Returned{tried(0, 1, {1, 0}), tried(2, 1, {1, 0})}));
    EXPECT_EQ(counts(), Counts(2, 0, 1));
    consumer(2);
    const auto grants = deliver();
    ASSERT_EQ(grants.size(), 2U);
    EXPECT_EQ(grants[0].tries, (Tries{2, 0}));
}

TEST_F(Delivery, what_a_lost_connection_had_is_held_for_who_claims_it) {
    put(4);
    const ConsumerId one = consumer(1);
    deliver();
    ack(one, range(3, 1));
    const Instant until = now_ + std::chrono::seconds(2);
    queue().hold(one, until);
    EXPECT_EQ(counts(), Counts(0, 3, 0));
    EXPECT_EQ(queue().next_due(), until);
    EXPECT_EQ(ack(one, range(0, 1)).done, (Ranges{range(0, 1)})) << "a settle that was on its way";
    const ConsumerId again = consumer(2);
    EXPECT_EQ(queue().claim(again, range(0, 2), 1, now_), (Ranges{range(0, 1)}));
    EXPECT_EQ(queue().run_timers(until).returned, (Returned{tried(2, 1, {1, 0})}));
    EXPECT_EQ(ack(again, range(1, 1)).done, (Ranges{range(1, 1)}));
    EXPECT_EQ(deliver()[0].tries, (Tries{2, 0}));
}

TEST_F(Delivery, holds_end_each_at_its_own_time) {
    put(2);
    const ConsumerId one = consumer(1, 1);
    const ConsumerId two = consumer(2, 1);
    deliver();
    queue().hold(two, now_ + std::chrono::seconds(1));
    queue().hold(one, now_ + std::chrono::seconds(2));
    EXPECT_EQ(queue().run_timers(now_ + std::chrono::seconds(1)).returned, (Returned{tried(1, 1, {1, 0})}));
    EXPECT_EQ(counts(), Counts(1, 1, 0));
}

TEST_F(Delivery, a_lease_ends_after_its_time) {
    make({.lease_ms = 100});
    put(4);
    const ConsumerId one = consumer(1, 3);
    deliver();
    EXPECT_EQ(queue().next_due(), now_ + std::chrono::milliseconds(100));
    ack(one, range(0, 1));
    now_ = now_ + std::chrono::milliseconds(50);
    EXPECT_EQ(queue().extend(one, range(0, 2), 1, now_, std::chrono::milliseconds(100)), (Ranges{range(0, 1)}));
    EXPECT_EQ(queue().extend(one, range(1, 1), 1, now_, std::chrono::milliseconds(1)), Ranges{}) << "never shortens";
    now_ = now_ + std::chrono::milliseconds(50);
    EXPECT_EQ(queue().run_timers(now_).returned, (Returned{tried(2, 1, {1, 1})}));
    EXPECT_EQ(queue().next_due(), now_ + std::chrono::milliseconds(50));
    EXPECT_EQ(counts(), Counts(2, 1, 0));
    EXPECT_EQ(queue().extend(one, range(0, 9), 1, now_, std::chrono::milliseconds(100)),
              (Ranges{range(0, 1), range(2, 7)}));
}

TEST_F(Delivery, timers_return_runs_in_offset_order) {
    make({.lease_ms = 100});
    put(6);
    consumer(1, 3);
    consumer(2, 3);
    deliver();
    queue().extend(ConsumerId(1), range(0, 2), 1, now_, std::chrono::milliseconds(150));
    now_ = now_ + std::chrono::seconds(1);
    EXPECT_EQ(queue().run_timers(now_).returned, (Returned{tried(0, 6, {1, 1})}));
    EXPECT_EQ(queue().next_due(), Instant::never());
}

TEST_F(Delivery, recall_asks_the_richest_for_half_of_what_exceeds_its_share) {
    put(4);
    put(6);
    consumer(1);
    deliver();
    EXPECT_TRUE(queue().recall(kMuch).empty()) << "nobody waits";
    consumer(2, 0);
    EXPECT_TRUE(queue().recall(kMuch).empty()) << "no credit, no wish";
    queue().set_credit(ConsumerId(2), 10, kMuch);
    auto asked = queue().recall(kMuch);  // 10 held, share 5, excess 5
    ASSERT_EQ(asked.size(), 1U);
    EXPECT_EQ(std::tuple(asked[0].consumer, asked[0].batch, asked[0].index, asked[0].range),
              std::tuple(ConsumerId(1), BatchRef(2), 3U, range(7, 3)));
    EXPECT_EQ(asked[0].tries, (Tries{1, 0}));
    ASSERT_EQ(queue().recall(1).size(), 1U);
    EXPECT_EQ(queue().recall(1)[0].range, range(9, 1));
    settle(ConsumerId(1), range(7, 3), 1, Verdict::kRelease);
    EXPECT_TRUE(queue().recall(kMuch).empty()) << "something is ready";
    queue().pause(true);
    EXPECT_TRUE(queue().recall(kMuch).empty());
}

TEST_F(Delivery, recall_names_each_batch_by_itself) {
    put(2);
    put(6);
    put(1);
    consumer(1);
    deliver();
    ack(ConsumerId(1), range(1, 3));
    for (std::uint64_t id = 2; id < 8; ++id) consumer(id);  // 6 held, share 1, excess 5, half 3
    const auto asked = queue().recall(kMuch);
    ASSERT_EQ(asked.size(), 2U);
    EXPECT_EQ(std::tuple(asked[0].batch, asked[0].range), std::tuple(BatchRef(2), range(6, 2)));
    EXPECT_EQ(std::tuple(asked[1].batch, asked[1].range), std::tuple(BatchRef(3), range(8, 1)));
}

TEST_F(Delivery, peek_shows_every_committed_message_and_changes_nothing) {
    put(3);
    put(3);
    const ConsumerId one = consumer(1, 4);
    deliver();
    ack(one, range(1, 1));
    settle(one, range(2, 1), 1, Verdict::kNack, std::chrono::seconds(1));
    offer(2);
    admit();
    const auto seen = queue().peek(Offset(0), kMuch);
    using Row = std::tuple<Range, std::uint64_t, std::uint32_t, int>;
    std::vector<Row> rows;
    for (const auto& peeked : seen) rows.emplace_back(peeked.range, peeked.batch.value(), peeked.index, peeked.state);
    EXPECT_EQ(rows, (std::vector<Row>{{range(0, 1), 1, 0, Queue::Peeked::kLeased},
                                      {range(2, 1), 1, 2, Queue::Peeked::kDelayed},
                                      {range(3, 1), 2, 0, Queue::Peeked::kLeased},
                                      {range(4, 2), 2, 1, Queue::Peeked::kReady}}));
    EXPECT_EQ(queue().peek(Offset(5), kMuch).size(), 1U);
    EXPECT_EQ(queue().peek(Offset(4), 1)[0].range, range(4, 1));
    EXPECT_TRUE(queue().peek(Offset(6), kMuch).empty());
    EXPECT_TRUE(queue().peek(Offset(UINT64_MAX), kMuch).empty());
}

TEST_F(Delivery, holes_are_given_to_who_takes_them_only) {
    put(6, 600);
    const ConsumerId first = consumer(1, 6);
    deliver();
    ack(first, range(1, 1));
    ack(first, range(3, 1));
    queue().detach(first);
    const ConsumerId plain = consumer(2, 1);
    ASSERT_EQ(deliver().size(), 1U);
    queue().detach(plain);

    queue().attach(ConsumerId(3), true);
    queue().set_credit(ConsumerId(3), 3, 1'000'000);
    auto grants = deliver();
    // Delivered more often, so it does not come with the others.
    ASSERT_EQ(grants.size(), 2U);
    EXPECT_EQ(std::tuple(grants[0].range, grants[0].messages, grants[0].tries),
              std::tuple(range(0, 1), 1U, Tries{3, 0}));
    EXPECT_EQ(std::tuple(grants[1].range, grants[1].messages, grants[1].tries),
              std::tuple(range(2, 3), 2U, Tries{2, 0}));
    EXPECT_EQ(grants[1].bytes, 200U);

    EXPECT_EQ(queue().extend(ConsumerId(3), range(2, 3), 2, now_, std::chrono::seconds(1)), std::vector<Range>{})
        << "the hole is not lost";
    const auto settled = ack(ConsumerId(3), range(2, 3), 2);
    EXPECT_EQ(settled.done, (std::vector<Range>{range(2, 3)}));
    EXPECT_EQ(settled.count, 2U);
    EXPECT_EQ(queue().ready(), 1U);
    EXPECT_EQ(queue().bytes(), 200U);
}

TEST_F(Delivery, far_apart_messages_do_not_come_as_one_range) {
    put(300);
    const ConsumerId first = consumer(1, 300);
    deliver();
    ack(first, range(1, 298));
    queue().detach(first);
    queue().attach(ConsumerId(2), true);
    queue().set_credit(ConsumerId(2), 300, 1'000'000);
    const auto grants = deliver();
    ASSERT_EQ(grants.size(), 2U);
    EXPECT_EQ(grants[0].range, range(0, 1));
    EXPECT_EQ(grants[1].range, range(299, 1));
}

TEST_F(Delivery, what_ended_of_a_grant_is_cut_out_of_it) {
    put(6);
    queue().attach(ConsumerId(1), true);
    queue().set_credit(ConsumerId(1), 6, 1'000'000);
    const auto grants = deliver();
    ASSERT_EQ(grants.size(), 1U);
    ack(ConsumerId(1), range(2, 1));
    auto left = queue().still_leased(grants[0]);
    ASSERT_EQ(left.size(), 1U);
    EXPECT_EQ(std::tuple(left[0].range, left[0].messages), std::tuple(range(0, 6), 5U));
    settle(ConsumerId(1), range(3, 1), 1, Verdict::kRelease);
    left = queue().still_leased(grants[0]);
    ASSERT_EQ(left.size(), 2U);
    EXPECT_EQ(std::tuple(left[0].range.first, left[0].messages), std::tuple(Offset(0), 2U));
    EXPECT_EQ(std::tuple(left[1].range, left[1].messages), std::tuple(range(4, 2), 2U));
}

}  // namespace
}  // namespace telpher::queue
