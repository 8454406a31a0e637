// A Queue with the bookkeeping that a shard would do, in the fewest words: tests read as what happens to messages.
#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <utility>
#include <vector>

#include "broker/queue/queue.h"

namespace telpher::queue {

inline void PrintTo(const Range& range, std::ostream* out) {
    *out << '[' << range.first.value() << ", " << range.first.value() + range.count << ')';
}
inline void PrintTo(const Tries& tries, std::ostream* out) {
    *out << "{deliveries " << tries.deliveries << ", attempts " << tries.attempts << '}';
}

inline Range range(std::uint64_t first, std::uint64_t count) { return {Offset(first), count}; }
inline std::pair<Range, Tries> tried(std::uint64_t first, std::uint64_t count, Tries tries) {
    return {range(first, count), tries};
}
using Ranges = std::vector<Range>;
using Returned = std::vector<std::pair<Range, Tries>>;

class QueueTest : public testing::Test {
protected:
    static constexpr std::uint64_t kMuch = 1'000'000'000;

    void make(Options options) { queue_ = std::make_unique<Queue>(options); }
    Queue& queue() { return *queue_; }

    /// Offers a put; its ticket is the number of puts so far.
    TicketId offer(std::uint32_t count, std::uint64_t bytes = 0, std::optional<Range> under = {}) {
        const TicketId ticket(++tickets_);
        offered_ = queue().offer({ticket, count, bytes, under});
        return ticket;
    }
    /// One step of admission; what came in is stored as a batch of `bytes`.
    std::optional<Admission> admit(std::uint64_t bytes = 0) {
        const auto next = queue().next_admission();
        auto admission = queue().admit_next();
        EXPECT_EQ(admission.has_value(), next.has_value());
        if (!admission) return admission;
        EXPECT_EQ(admission->ticket, *next);
        if (admission->refused == Code::kOk) {
            queue().stored({BatchRef(++batches_), {admission->first, admission->count}, bytes});
        }
        queue().check_all();
        return admission;
    }
    /// All admissions there are, as (ticket, count, code).
    using Steps = std::vector<std::tuple<std::uint64_t, std::uint32_t, Code>>;
    Steps admit_all() {
        Steps steps;
        while (const auto admission = admit()) {
            steps.emplace_back(admission->ticket.value(), admission->count, admission->refused);
        }
        return steps;
    }
    /// Puts `count` messages in one batch and makes them visible.
    void put(std::uint32_t count, std::uint64_t bytes = 0) {
        offer(count, bytes);
        const auto admission = admit(bytes);
        ASSERT_TRUE(admission && admission->count == count && admission->finished);
        queue().make_visible(queue().next_offset());
    }
    ConsumerId consumer(std::uint64_t id, std::uint64_t credit = kMuch, std::uint64_t bytes = kMuch) {
        queue().attach(ConsumerId(id));
        queue().set_credit(ConsumerId(id), credit, bytes);
        return ConsumerId(id);
    }
    std::vector<Grant> deliver(std::uint64_t max = kMuch) {
        std::vector<Grant> grants;
        queue().deliver(now_, max, grants);
        queue().check_all();
        return grants;
    }
    /// As (consumer, first offset, count).
    using Given = std::vector<std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>>;
    Given given(std::uint64_t max = kMuch) {
        Given given;
        for (const Grant& grant : deliver(max)) {
            given.emplace_back(grant.consumer.value(), grant.range.first.value(), grant.range.count);
        }
        return given;
    }
    Settled settle(ConsumerId consumer, Range range, std::uint32_t delivery, Verdict verdict, Duration delay = {},
                   DeathNote note = {}) {
        auto settled = queue().settle(consumer, range, delivery, {verdict, delay, std::move(note)}, now_);
        queue().check_all();
        return settled;
    }
    Settled ack(ConsumerId consumer, Range range, std::uint32_t delivery = 1) {
        return settle(consumer, range, delivery, Verdict::kAck);
    }
    /// ready, leased, delayed.
    using Counts = std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>;
    Counts counts() { return {queue().ready(), queue().leased(), queue().delayed()}; }

    std::unique_ptr<Queue> queue_ = std::make_unique<Queue>(Options{});
    Offered offered_ = Offered::kInLine;
    Instant now_{1'000'000'000};
    std::uint64_t tickets_ = 0;
    std::uint64_t batches_ = 0;
};

}  // namespace telpher::queue
