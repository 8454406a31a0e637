// What the consumer library costs per message on the caller's thread: taking a message out of what was delivered and
// giving its verdict, with the engine's turns but without a network.
#include <benchmark/benchmark.h>

#include "tests/unit/consumer/fake_wire.h"

namespace telpher::consumer {
namespace {

constexpr std::uint32_t kBatch = 2000;

/// Deliveries of kBatch messages of 100 bytes, acked in order.
void consumer_take_and_ack(benchmark::State& state) {
    Rig rig(Subscription::Kind::kConsumer, limits::kCreditMessagesMax);
    rig.connect();
    rig.attach();
    const std::vector<std::string> records(kBatch, plain(std::string(100, 'x')));
    std::uint64_t offset = 0;
    for (auto step : state) {
        state.PauseTiming();
        (void)rig.deliver_records(offset, records);
        offset += kBatch;
        state.ResumeTiming();
        for (std::uint32_t i = 0; i < kBatch; ++i) {
            Result<Message> message = rig.subscription->next(Millis{0});
            benchmark::DoNotOptimize(message->body().data());
            message->ack();
        }
        rig.work();
        std::uint64_t number = 0;
        for (auto settle = rig.settle(); settle; settle = rig.settle()) number = settle->first.settle();
        if (number > 0) (void)rig.settled(number);
        rig.wire->sent.clear();
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * kBatch);
}
BENCHMARK(consumer_take_and_ack);

/// Verdicts alone, in order.
void consumer_settle_in_order(benchmark::State& state) {
    SettleBatcher batcher;
    std::uint64_t offset = 0;
    for (auto step : state) {
        batcher.add({}, offset, 1);
        if (++offset % kBatch != 0) continue;
        batcher.close();
        std::uint64_t number = 0;
        while (batcher.next_to_send(number) != nullptr) {
        }
        benchmark::DoNotOptimize(batcher.confirm(number));
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(consumer_settle_in_order);

}  // namespace
}  // namespace telpher::consumer
