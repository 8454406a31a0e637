#include "broker/queue/producer_window.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "proto/limits.h"

namespace telpher::queue {
namespace {

using Kind = ProducerWindow::Part::Kind;

SequenceVerdict stored(std::uint64_t first, std::uint32_t count, std::uint64_t offset) {
    return {Sequence(first), count, Code::kOk, Offset(offset)};
}
SequenceVerdict refused(std::uint64_t first, std::uint32_t count, Code code = Code::kCancelled) {
    return {Sequence(first), count, code, Offset()};
}
using Verdicts = std::vector<SequenceVerdict>;

/// As (kind, first, count).
using Parts = std::vector<std::tuple<Kind, std::uint64_t, std::uint32_t>>;
Parts parts(const ProducerWindow& window, std::uint64_t first, std::uint32_t count) {
    Parts list;
    const auto found = window.classify(Sequence(first), count);
    for (const auto& part : found.value()) {
        list.emplace_back(part.kind, part.first.value(), part.count);
    }
    return list;
}

TEST(ProducerWindow, a_new_put_waits_and_gets_its_verdict_in_parts) {
    ProducerWindow window;
    EXPECT_EQ(parts(window, 0, 10), (Parts{{Kind::kNew, 0, 10}}));
    window.waiting(Sequence(0), 10);
    EXPECT_EQ(window.next(), Sequence(10));
    EXPECT_EQ(window.decided_below(), Sequence(0));
    window.decided(stored(0, 4, 100));
    window.decided(stored(4, 3, 104));
    window.decided(refused(7, 2, Code::kFull));
    EXPECT_EQ(window.decided_below(), Sequence(9));
    EXPECT_EQ(parts(window, 2, 12),
              (Parts{{Kind::kDecided, 2, 5}, {Kind::kDecided, 7, 2}, {Kind::kWaiting, 9, 1}, {Kind::kNew, 10, 4}}));
    EXPECT_EQ(window.classify(Sequence(2), 4).value()[0].verdict, stored(2, 4, 102));
    EXPECT_EQ(window.verdicts(Sequence(0), 9), (Verdicts{stored(0, 7, 100), refused(7, 2, Code::kFull)}));
    EXPECT_EQ(window.verdicts(Sequence(5), 1), (Verdicts{stored(5, 2, 105)}));
}

TEST(ProducerWindow, ranges_join_only_where_sequences_and_offsets_go_on) {
    ProducerWindow window;
    window.waiting(Sequence(0), 6);
    window.decided(stored(0, 2, 10));
    window.decided(stored(2, 2, 20));
    window.decided(stored(4, 2, 22));
    EXPECT_EQ(window.stored(), (Verdicts{stored(0, 2, 10), stored(2, 4, 20)}));
}

TEST(ProducerWindow, holes_count_as_cancelled) {
    ProducerWindow window;
    window.waiting(Sequence(5), 2);
    EXPECT_EQ(window.decided_below(), Sequence(5));
    EXPECT_EQ(window.classify(Sequence(1), 2).value()[0].verdict, refused(1, 2));
    window.decided(stored(5, 2, 0));
    window.waiting(Sequence(9), 1);
    EXPECT_EQ(window.verdicts(Sequence(0), 9), (Verdicts{refused(0, 5), stored(5, 2, 0), refused(7, 2)}));
    EXPECT_EQ(window.verdicts(Sequence(0), 2), (Verdicts{refused(0, 5), stored(5, 2, 0)}));
}

TEST(ProducerWindow, a_refusal_may_come_out_of_order) {
    ProducerWindow window;
    window.waiting(Sequence(0), 10);
    window.decided(refused(4, 2));
    EXPECT_EQ(window.decided_below(), Sequence(0));
    EXPECT_EQ(parts(window, 0, 10), (Parts{{Kind::kWaiting, 0, 4}, {Kind::kDecided, 4, 2}, {Kind::kWaiting, 6, 4}}));
    window.decided(stored(0, 4, 0));
    EXPECT_EQ(window.decided_below(), Sequence(6));
    window.decided(stored(6, 4, 4));
    EXPECT_EQ(window.verdicts(Sequence(0), 9), (Verdicts{stored(0, 4, 0), refused(4, 2), stored(6, 4, 4)}));
}

TEST(ProducerWindow, what_the_producer_has_seen_is_forgotten) {
    ProducerWindow window;
    window.waiting(Sequence(0), 10);
    window.decided(stored(0, 6, 0));
    window.known_below(Sequence(4));
    window.known_below(Sequence(2));
    EXPECT_EQ(window.stored(), (Verdicts{stored(4, 2, 4)}));
    EXPECT_EQ(window.classify(Sequence(3), 1).error().code(), Code::kProtocol);
    EXPECT_EQ(parts(window, 4, 2), (Parts{{Kind::kDecided, 4, 2}}));
    EXPECT_EQ(window.verdicts(Sequence(0), 9), (Verdicts{stored(4, 2, 4)}));
    window.known_below(Sequence(1000));
    EXPECT_TRUE(window.classify(Sequence(6), 1)) << "only verdicts that were given can have been seen";
    EXPECT_TRUE(window.stored().empty());
}

TEST(ProducerWindow, a_sequence_above_all_numbers_is_refused) {
    const ProducerWindow window;
    EXPECT_EQ(window.classify(Sequence(UINT64_MAX), 1).error().code(), Code::kProtocol);
    EXPECT_TRUE(window.classify(Sequence(UINT64_MAX - 1), 1));
}

TEST(ProducerWindow, remembers_no_more_than_its_limit) {
    ProducerWindow window;
    const std::uint64_t ranges = limits::kProducerRangesMax + 10;
    for (std::uint64_t i = 0; i < ranges; ++i) {
        window.waiting(Sequence(i), 1);
        window.decided(stored(i, 1, 2 * i));
    }
    EXPECT_EQ(window.stored().size(), limits::kProducerRangesMax);
    EXPECT_FALSE(window.classify(Sequence(9), 1));
    EXPECT_TRUE(window.classify(Sequence(10), 1));
}

TEST(ProducerWindow, comes_back_from_what_was_stored) {
    ProducerWindow window;
    window.restore(Sequence(3), 2, Offset(30));
    window.restore(Sequence(5), 2, Offset(32));
    window.restore(Sequence(9), 1, Offset(50));
    window.skip_to(Sequence(20));
    window.skip_to(Sequence(15));
    EXPECT_EQ(window.stored(), (Verdicts{stored(3, 4, 30), stored(9, 1, 50)}));
    EXPECT_EQ(window.next(), Sequence(20));
    EXPECT_EQ(window.decided_below(), Sequence(20));
    EXPECT_EQ(parts(window, 0, 22), (Parts{{Kind::kDecided, 0, 3},
                                           {Kind::kDecided, 3, 4},
                                           {Kind::kDecided, 7, 2},
                                           {Kind::kDecided, 9, 1},
                                           {Kind::kDecided, 10, 10},
                                           {Kind::kNew, 20, 2}}));
}

TEST(ProducerWindowDeath, no_verdict_twice_and_none_for_what_never_came) {
    ProducerWindow window;
    window.waiting(Sequence(0), 4);
    window.decided(stored(0, 2, 0));
    EXPECT_DEATH(window.decided(refused(1, 1)), "not waiting");
    EXPECT_DEATH(window.decided(refused(3, 2)), "not waiting");
    EXPECT_DEATH(window.decided(stored(3, 1, 9)), "sequence order");
}

TEST(ProducerWindow, agrees_with_one_entry_per_sequence) {
    std::mt19937_64 random(11);
    ProducerWindow window;
    std::map<std::uint64_t, std::optional<SequenceVerdict>> naive;  // nullopt = waiting
    std::uint64_t next = 0;
    std::uint64_t known = 0;
    std::uint64_t offset = 0;
    const auto lowest_waiting = [&] {
        for (std::uint64_t at = 0; at < next; ++at) {
            if (naive.contains(at) && !naive.at(at)) return at;
        }
        return next;
    };
    for (int step = 0; step < 1000; ++step) {
        const auto choice = random() % 10;
        const std::uint64_t front = lowest_waiting();
        if (choice < 4) {
            const std::uint64_t first = next + (random() % 4 == 0 ? random() % 3 : 0);
            const auto count = static_cast<std::uint32_t>(random() % 5 + 1);
            window.waiting(Sequence(first), count);
            for (std::uint64_t at = next; at < first; ++at) naive[at] = refused(at, 1);
            for (std::uint64_t at = first; at < first + count; ++at) naive[at] = std::nullopt;
            next = first + count;
        } else if (choice < 9 && front < next) {
            const bool is_refusal = random() % 3 == 0;
            const std::uint64_t first = is_refusal ? front + random() % (next - front) : front;
            std::uint64_t end = first;
            while (end < next && !naive.at(end) && end - first < 4) ++end;
            if (end == first) continue;
            const auto count = static_cast<std::uint32_t>(end - first);
            offset += random() % 3 == 0 ? 5 : 0;
            const auto verdict = is_refusal ? refused(first, count, Code::kFull) : stored(first, count, offset);
            window.decided(verdict);
            for (std::uint64_t at = first; at < end; ++at) {
                naive[at] = is_refusal ? refused(at, 1, Code::kFull) : stored(at, 1, offset++);
            }
        } else if (choice == 9) {
            known = std::max(known, std::min(front, known + random() % 6));
            window.known_below(Sequence(known));
        }
        ASSERT_EQ(window.next(), Sequence(next));
        ASSERT_EQ(window.decided_below(), Sequence(lowest_waiting()));
        std::uint64_t at = known;
        const auto list = window.classify(Sequence(known), static_cast<std::uint32_t>(next - known + 2));
        ASSERT_TRUE(list);
        for (const auto& part : *list) {
            ASSERT_EQ(part.first, Sequence(at));
            for (std::uint32_t i = 0; i < part.count; ++i, ++at) {
                const Kind kind = at >= next ? Kind::kNew : naive.at(at) ? Kind::kDecided : Kind::kWaiting;
                ASSERT_EQ(part.kind, kind) << at;
                if (kind != Kind::kDecided) continue;
                ASSERT_EQ(part.verdict.code, naive.at(at)->code) << at;
                if (part.verdict.code != Code::kOk) continue;
                ASSERT_EQ(part.verdict.offset + i, naive.at(at)->offset);
            }
        }
        ASSERT_EQ(at, next + 2);
    }
}

TEST(ProducerWindow, AnEndlessHoleIsNotListed) {
    ProducerWindow window;
    window.waiting(Sequence(0), 1);
    window.decided(stored(0, 1, 7));
    window.waiting(Sequence(UINT64_MAX - 9), 2);
    window.decided(refused(UINT64_MAX - 9, 2, Code::kFull));
    EXPECT_EQ(window.verdicts(Sequence(0), 100), (Verdicts{stored(0, 1, 7), refused(UINT64_MAX - 9, 2, Code::kFull)}));
    window.waiting(Sequence(UINT64_MAX - 2), 1);
    EXPECT_EQ(window.verdicts(Sequence(UINT64_MAX - 9), 100),
              (Verdicts{refused(UINT64_MAX - 9, 2, Code::kFull), refused(UINT64_MAX - 7, 5)}));
}

}  // namespace
}  // namespace telpher::queue
