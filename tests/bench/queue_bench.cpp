// What the pure queue costs per message: every scenario puts, commits, delivers and acks, as a shard would, without a
// log.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "broker/queue/queue.h"

namespace telpher::queue {
namespace {

constexpr std::uint64_t kMuch = 1ULL << 60;

/// A queue and what its shard would remember.
class Bench {
public:
    Bench(std::uint64_t maxsize, std::uint64_t consumers) : queue_({.maxsize = maxsize}) {
        for (std::uint64_t id = 1; id <= consumers; ++id) {
            queue_.attach(ConsumerId(id));
            queue_.set_credit(ConsumerId(id), kMuch, kMuch);
        }
    }

    void offer(std::uint32_t count) { queue_.offer({TicketId(++tickets_), count, count * 100ULL, {}}); }
    void admit() {
        while (const auto admission = queue_.admit_next()) {
            queue_.stored({BatchRef(++batches_), {admission->first, admission->count}, admission->count * 100ULL});
        }
        queue_.make_visible(queue_.next_offset());
    }
    const std::vector<Grant>& deliver(std::uint64_t messages_max) {
        grants_.clear();
        queue_.deliver(now_, messages_max, grants_);
        return grants_;
    }
    void ack(const Grant& grant, Range range) {
        const auto settled = queue_.settle(grant.consumer, range, grant.tries.deliveries, {Verdict::kAck}, now_);
        benchmark::DoNotOptimize(settled.count);
    }
    void ack_all() {
        for (const Grant& grant : grants_) ack(grant, grant.range);
        take_freed();
    }
    void take_freed() { benchmark::DoNotOptimize(queue_.take_freed()); }
    void put(std::uint32_t count) {
        offer(count);
        admit();
    }

private:
    Queue queue_;
    Instant now_{1'000'000'000};
    std::vector<Grant> grants_;
    std::uint64_t tickets_ = 0;
    std::uint64_t batches_ = 0;
};

/// Batches of 1,000 put, delivered to some consumers and acked in order.
void queue_steady(benchmark::State& state) {
    Bench bench(1'000'000, static_cast<std::uint64_t>(state.range(0)));
    for (auto step : state) {
        bench.put(1000);
        bench.deliver(1000);
        bench.ack_all();
    }
    state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(queue_steady)->ArgName("consumers")->Arg(1)->Arg(16);

/// The same behind a backlog of 100 million messages in batches of 1,000.
void queue_backlog(benchmark::State& state) {
    Bench bench(200'000'000, 4);
    for (int i = 0; i < 100'000; ++i) bench.put(1000);
    for (auto step : state) {
        bench.put(1000);
        bench.deliver(1000);
        bench.ack_all();
    }
    state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(queue_backlog);

/// One message at a time through all of it.
void queue_single(benchmark::State& state) {
    Bench bench(1000, 4);
    for (auto step : state) {
        bench.put(1);
        bench.deliver(1);
        bench.ack_all();
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(queue_single);

/// Batches of 1,000, each message acked by itself, in any order: the most runs there can be.
void queue_scattered(benchmark::State& state) {
    Bench bench(1'000'000, 4);
    std::mt19937_64 random(1);
    for (auto step : state) {
        bench.put(1000);
        std::vector<std::pair<Grant, Offset>> messages;
        for (const Grant& grant : bench.deliver(1000)) {
            for (std::uint64_t i = 0; i < grant.range.count; ++i) messages.emplace_back(grant, grant.range.first + i);
        }
        std::ranges::shuffle(messages, random);
        for (const auto& [grant, offset] : messages) bench.ack(grant, {offset, 1});
        bench.take_freed();
    }
    state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(queue_scattered);

/// A full queue with producers in line: each ack lets one message of one of them in.
void queue_blocked(benchmark::State& state) {
    Bench bench(50, 4);
    bench.put(50);
    for (int i = 0; i < 1000; ++i) bench.offer(1);
    for (auto step : state) {
        bench.offer(1);
        bench.deliver(1);
        bench.ack_all();
        bench.admit();
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(queue_blocked);

}  // namespace
}  // namespace telpher::queue
