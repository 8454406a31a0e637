// The checker against histories that were doctored by hand: every property broken at least once, each found and nothing
// else reported; and clean histories, strange but legal, that it must let pass.
//
// A history is written one event a line; the line's number is its time:
//   put P S | ok P S ID | refused P S | unknown P S | get P S ID [DELIVERY [WHO]] | altered P S ID | ack ID | settled
//   ID | lost ID | end WHO | drained

#include "tests/support/checker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace telpher::test {
namespace {

Event parse_event(const std::string& line, std::int64_t time_ns) {
    std::istringstream words(line);
    std::string kind;
    words >> kind;
    Event event{.time_ns = time_ns, .who = "test"};
    const auto message = [&] {
        words >> event.producer >> event.seq;
        event.hash = payload_hash(make_payload(event.producer, event.seq, 20));
    };
    if (kind == "put") {
        event.kind = Event::Kind::kPut;
        message();
    } else if (kind == "ok") {
        event.kind = Event::Kind::kConfirmed;
        message();
        words >> event.id;
    } else if (kind == "refused" || kind == "unknown") {
        event.kind = kind == "refused" ? Event::Kind::kRefused : Event::Kind::kUnknown;
        message();
    } else if (kind == "get" || kind == "altered") {
        event.kind = Event::Kind::kDelivered;
        message();
        words >> event.id;
        if (!(words >> event.delivery)) event.delivery = 1;
        words >> event.who;
        if (kind == "altered") ++event.hash;
    } else if (kind == "ack" || kind == "settled" || kind == "lost") {
        event.kind = kind == "ack" ? Event::Kind::kAck : kind == "lost" ? Event::Kind::kLost : Event::Kind::kSettled;
        words >> event.id;
    } else if (kind == "end") {
        event.kind = Event::Kind::kEnd;
        words >> event.who;
    } else {
        EXPECT_EQ(kind, "drained") << "a mistake in the test";
        event.kind = Event::Kind::kDrained;
    }
    return event;
}

Verdict judge(const std::string& text) {
    std::istringstream lines(text);
    Checker checker;
    std::int64_t time_ns = 0;
    for (std::string line; std::getline(lines, line);) {
        const auto from = line.find_first_not_of(' ');
        if (from != std::string::npos) checker.see(parse_event(line.substr(from), ++time_ns));
    }
    return checker.finish();
}

struct Doctored {
    std::string name;
    Property property;
    std::string history;
};

void PrintTo(const Doctored& doctored, std::ostream* out) { *out << doctored.name; }

class DoctoredHistory : public testing::TestWithParam<Doctored> {};

TEST_P(DoctoredHistory, is_found_out) {
    const Verdict verdict = judge(GetParam().history);
    ASSERT_EQ(verdict.broken.size(), 1U) << verdict.text();
    EXPECT_EQ(verdict.broken.begin()->first, GetParam().property) << verdict.text();
    EXPECT_FALSE(verdict.ok());
    EXPECT_THAT(verdict.text(), testing::HasSubstr(std::string(name_of(GetParam().property)) + ": "));
}

INSTANTIATE_TEST_SUITE_P(Table, DoctoredHistory,
                         testing::ValuesIn(std::vector<Doctored>{
                             {"confirmed_and_never_delivered", Property::kLost, R"(
            put a 0
            ok a 0 7
            drained)"},
                             {"delivered_but_neither_acked_nor_drained", Property::kLost, R"(
            put a 0
            ok a 0 7
            get a 0 7
            drained)"},
                             {"ack_refused_and_not_delivered_again", Property::kLost, R"(
            put a 0
            ok a 0 7
            get a 0 7
            ack 7
            lost 7
            drained)"},
                             {"one_of_many_lost", Property::kLost, R"(
            put a 0
            put a 1
            put b 0
            ok a 0 1
            ok b 0 2
            ok a 1 3
            get a 0 1
            get a 1 3
            ack 1
            settled 1
            ack 3
            settled 3
            drained)"},
                             {"a_consumer_gets_the_earlier_one_later", Property::kOutOfOrder, R"(
            put a 0
            put a 1
            ok a 0 1
            ok a 1 2
            get a 1 2 1 one
            ack 2
            settled 2
            get a 0 1 1 one
            ack 1
            settled 1
            drained)"},
                             {"out_of_order_after_a_redelivery", Property::kOutOfOrder, R"(
            put a 0
            put a 1
            put a 2
            ok a 0 1
            ok a 1 2
            ok a 2 3
            get a 0 1 1 one
            get a 2 3 1 one
            get a 0 1 2 one
            ack 1
            settled 1
            get a 1 2 1 one
            ack 2
            settled 2
            ack 3
            settled 3
            drained)"},
                             {"delivered_of_no_producer", Property::kInvented, R"(
            get x 0 1
            drained)"},
                             {"delivered_but_never_put", Property::kInvented, R"(
            put a 0
            ok a 0 1
            get a 0 1
            get a 9 2
            ack 1
            settled 1
            drained)"},
                             {"delivered_before_it_was_put", Property::kInvented, R"(
            put a 0
            ok a 0 1
            get a 1 2
            put a 1
            ok a 1 2
            get a 0 1
            ack 1
            settled 1
            get a 1 2
            ack 2
            settled 2
            drained)"},
                             {"other_bytes", Property::kAltered, R"(
            put a 0
            ok a 0 1
            altered a 0 1
            ack 1
            settled 1
            drained)"},
                             {"other_bytes_the_second_time", Property::kAltered, R"(
            put a 0
            ok a 0 1
            get a 0 1
            altered a 0 1 2
            ack 1
            settled 1
            drained)"},
                             {"delivered_after_its_settle_was_confirmed", Property::kAfterSettle, R"(
            put a 0
            ok a 0 1
            get a 0 1
            ack 1
            settled 1
            get a 0 1 2
            drained)"},
                             {"delivered_after_its_settle_while_its_put_still_waits", Property::kAfterSettle, R"(
            put a 0
            get a 0 1
            ack 1
            settled 1
            get a 0 1 2
            ok a 0 1
            drained)"},
                             {"delivered_twice_without_a_flag", Property::kUnflagged, R"(
            put a 0
            ok a 0 1
            get a 0 1
            get a 0 1
            ack 1
            settled 1
            drained)"},
                             {"delivered_without_a_flag_after_a_refused_ack", Property::kUnflagged, R"(
            put a 0
            ok a 0 1
            get a 0 1
            ack 1
            lost 1
            get a 0 1
            ack 1
            settled 1
            drained)"},
                             {"confirmed_with_one_offset_delivered_with_another", Property::kTwoOffsets, R"(
            put a 0
            ok a 0 1
            get a 0 2
            ack 1
            settled 1
            drained)"},
                             {"unknown_put_in_the_queue_twice", Property::kTwoOffsets, R"(
            put a 0
            unknown a 0
            get a 0 1
            get a 0 2 2
            ack 1
            settled 1
            drained)"},
                             {"resent_and_stored_again_after_it_was_settled", Property::kTwoOffsets, R"(
            put a 0
            ok a 0 1
            get a 0 1
            ack 1
            settled 1
            get a 0 2
            drained)"},
                             {"confirmed_elsewhere_than_it_was_delivered", Property::kTwoOffsets, R"(
            put a 0
            get a 0 1
            ok a 0 5
            ack 1
            settled 1
            drained)"},
                             {"two_messages_delivered_with_one_offset", Property::kOffsetReused, R"(
            put a 0
            put b 0
            ok a 0 1
            unknown b 0
            get a 0 1
            get b 0 1
            ack 1
            settled 1
            drained)"},
                             {"offset_of_a_settled_message_given_again", Property::kOffsetReused, R"(
            put a 0
            put b 0
            ok a 0 1
            get a 0 1
            ack 1
            settled 1
            get b 0 1
            ack 1
            settled 1
            ok b 0 1
            drained)"},
                             {"put_after_a_confirm_with_a_smaller_offset", Property::kOrder, R"(
            put a 0
            ok a 0 8
            put b 0
            ok b 0 5
            get a 0 8
            ack 8
            settled 8
            get b 0 5
            ack 5
            settled 5
            drained)"},
                             {"unknown_put_after_a_confirm_with_a_smaller_offset", Property::kOrder, R"(
            put a 0
            ok a 0 8
            put b 0
            unknown b 0
            get b 0 5
            ack 5
            settled 5
            get a 0 8
            ack 8
            settled 8
            drained)"},
                             {"refused_and_delivered", Property::kRefusedDelivered, R"(
            put a 0
            refused a 0
            get a 0 1
            drained)"},
                             {"delivered_and_then_refused", Property::kRefusedDelivered, R"(
            put a 0
            get a 0 1
            ack 1
            settled 1
            refused a 0
            drained)"},
                             {"end_before_a_message_is_settled", Property::kEndTooEarly, R"(
            put a 0
            ok a 0 1
            get a 0 1
            end c
            ack 1
            settled 1
            drained)"},
                             {"end_before_a_message_is_delivered", Property::kEndTooEarly, R"(
            put a 0
            ok a 0 1
            end c
            get a 0 1
            ack 1
            settled 1
            drained)"},
                             {"delivered_after_the_end", Property::kEndTooEarly, R"(
            put a 0
            unknown a 0
            end c
            get a 0 1
            ack 1
            settled 1
            drained)"},
                             {"end_twice", Property::kEndTwice, R"(
            end c
            end d
            end c
            drained)"},
                             {"never_drained", Property::kMalformed, R"(
            put a 0
            unknown a 0)"},
                             {"two_outcomes", Property::kMalformed, R"(
            put a 0
            refused a 0
            unknown a 0
            drained)"},
                             {"put_twice", Property::kMalformed, R"(
            put a 0
            unknown a 0
            put a 0
            drained)"},
                             {"settled_without_an_ack", Property::kMalformed, R"(
            put a 0
            unknown a 0
            get a 0 1
            settled 1
            drained)"},
                         }),
                         [](const auto& row) { return row.param.name; });

TEST(CleanHistory, nothing_happened) { EXPECT_TRUE(judge("drained").ok()); }

TEST(CleanHistory, the_ordinary_way) {
    const Verdict verdict = judge(R"(
        put a 0
        put a 1
        put b 0
        ok a 0 1
        ok b 0 2
        ok a 1 3
        get a 0 1
        get b 0 2
        ack 1
        settled 1
        ack 2
        get a 1 3
        settled 2
        ack 3
        settled 3
        end c
        end d
        drained)");
    EXPECT_TRUE(verdict.ok()) << verdict.text();
    EXPECT_EQ(verdict.puts, 3U);
    EXPECT_EQ(verdict.confirmed, 3U);
    EXPECT_EQ(verdict.settled, 3U);
    EXPECT_EQ(verdict.ends, 2U);
}

TEST(CleanHistory, what_a_crash_may_do) {
    // a 0: delivered before its confirm; its first ack is never answered, it comes again. a 1: unknown, was stored. a
    // 2: unknown, was not. b 0: its producer died. b 1: its producer died, it was not stored. a 3: acked by a late
    // consumer after another.
    const Verdict verdict = judge(R"(
        put a 0
        get a 0 1
        ack 1
        get a 0 1
        ack 1
        settled 1
        ok a 0 1
        put a 1
        put a 2
        put b 0
        put b 1
        unknown a 1
        unknown a 2
        get a 1 2 1
        get a 1 2 2
        ack 2
        settled 2
        get b 0 3
        ack 3
        settled 3
        put a 3
        get a 3 4
        get a 3 4 2
        ack 4
        settled 4
        ok a 3 4
        ack 4
        lost 4
        end c
        drained)");
    EXPECT_TRUE(verdict.ok()) << verdict.text();
    EXPECT_EQ(verdict.unresolved, 2U);
    EXPECT_EQ(verdict.unknown_delivered, 1U);
    EXPECT_EQ(verdict.duplicates, 1U);
    EXPECT_EQ(verdict.redelivered, 2U);
}

TEST(CleanHistory, an_ack_without_an_answer_may_have_settled) {
    const Verdict verdict = judge(R"(
        put a 0
        ok a 0 1
        get a 0 1
        ack 1
        drained)");
    EXPECT_TRUE(verdict.ok()) << verdict.text();
    EXPECT_EQ(verdict.acks_unconfirmed, 1U);
}

TEST(CleanHistory, refused_puts_leave_holes_and_the_order_of_overlapping_puts_is_free) {
    const Verdict verdict = judge(R"(
        put a 0
        put b 0
        ok b 0 9
        ok a 0 8
        put a 1
        refused a 1
        put a 2
        ok a 2 20
        get b 0 9
        ack 9
        settled 9
        get a 2 20
        ack 20
        settled 20
        get a 0 8 1 another
        ack 8
        settled 8
        drained)");
    EXPECT_TRUE(verdict.ok()) << verdict.text();
    EXPECT_EQ(verdict.refused, 1U);
}

TEST(CleanHistory, each_consumer_has_an_order_of_its_own_and_what_comes_again_has_none) {
    const Verdict verdict = judge(R"(
        put a 0
        put a 1
        put b 0
        ok a 0 1
        ok a 1 2
        ok b 0 3
        get a 1 2 1 two
        get a 0 1 1 one
        get b 0 3 1 one
        get a 0 1 2 two
        ack 1
        settled 1
        ack 2
        settled 2
        ack 3
        settled 3
        drained)");
    EXPECT_TRUE(verdict.ok()) << verdict.text();
    EXPECT_EQ(verdict.redelivered, 1U);
}

TEST(Checker, keeps_a_bounded_list_of_violations) {
    std::string history;
    for (int i = 0; i < 1000; ++i) history += "get a " + std::to_string(i) + " " + std::to_string(i) + "\n";
    const Verdict verdict = judge(history + "drained");
    EXPECT_EQ(verdict.broken.at(Property::kInvented), 1000U);
    EXPECT_EQ(verdict.violations.size(), Checker::kViolationsKept);
}

}  // namespace
}  // namespace telpher::test
