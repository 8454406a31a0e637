#include "consumer/handler_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <latch>
#include <map>
#include <mutex>
#include <thread>

#include "consumer/message_impl.h"
#include "tests/unit/consumer/fake_delivery.h"

namespace telpher::consumer {
namespace {

using namespace std::chrono_literals;
using v1::Settle;

// Messages out of memory, then `last` (kOk: waits for more).
class FakeSource : public MessageSource, public LeaseOwner, public std::enable_shared_from_this<FakeSource> {
public:
    explicit FakeSource(std::uint64_t messages, Code last = Code::kEnd) : left_(messages), last_(last) {}

    Result<Message> next(Millis timeout) override {
        std::unique_lock lock(mutex_);
        const auto ready = [this] { return stopped_ || left_ > 0 || last_ != Code::kOk; };
        if (timeout > 1h ? (changed_.wait(lock, ready), false) : !changed_.wait_for(lock, timeout, ready))
            return fail(Code::kEmpty);
        if (stopped_) return fail(Code::kStopped);
        if (left_ == 0) return fail(last_);
        --left_;
        auto delivery = make_delivery(next_++, 1, 1, shared_from_this());
        const Bytes record = delivery->advance();
        return Message(*Message::Impl::decode(std::move(delivery), 0, record));
    }
    void stop() override {
        const std::lock_guard lock(mutex_);
        stopped_ = true;
        changed_.notify_all();
    }
    void add(std::uint64_t messages) {
        const std::lock_guard lock(mutex_);
        left_ += messages;
        changed_.notify_all();
    }
    void settle(Delivery& delivery, std::uint32_t, const Decision& decision) noexcept override {
        const std::lock_guard lock(mutex_);
        verdicts[delivery.first()].push_back(decision);
    }
    Result<void> ack_confirmed(Delivery&, std::uint32_t, Millis) override { return {}; }
    Result<void> extend(const Delivery&, std::uint32_t, Millis, Millis) override { return {}; }

    std::map<std::uint64_t, std::vector<Decision>> verdicts;

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::uint64_t left_;
    std::uint64_t next_ = 0;
    Code last_;
    bool stopped_ = false;
};

RunResult run(FakeSource& source, const RunOptions& options, const HandlerPool::Handler& handler) {
    return HandlerPool(source, options, handler, system_clock()).run();
}

TEST(HandlerPool, HandlesAllAndEndsAtTheEnd) {
    const auto source = std::make_shared<FakeSource>(1000);
    const RunResult result = run(*source, {.threads = 4}, [](Message& message) {
        return message.id() % 10 == 0   ? Verdict::nack(5ms)
               : message.id() % 10 == 1 ? Verdict::release()
                                        : Verdict::ack();
    });
    EXPECT_EQ(result.ended, Code::kEnd);
    EXPECT_EQ(result.handled, 1000U);
    EXPECT_EQ(result.acked, 800U);
    EXPECT_EQ(result.nacked, 100U);
    EXPECT_EQ(result.released, 100U);
    ASSERT_EQ(source->verdicts.size(), 1000U);
    for (const auto& [offset, given] : source->verdicts) ASSERT_EQ(given.size(), 1U) << offset;
    EXPECT_EQ(source->verdicts[10][0], (Decision{.verdict = Settle::VERDICT_NACK, .delay_ms = 5}));
}

TEST(HandlerPool, HandlersRunAtTheSameTime) {
    const auto source = std::make_shared<FakeSource>(3);
    std::latch all(3);
    const RunResult result = run(*source, {.threads = 3}, [&](Message&) {
        all.arrive_and_wait();
        return Verdict::ack();
    });
    EXPECT_EQ(result.acked, 3U);
}

TEST(HandlerPool, AnExceptionIsANackThatSaysWhy) {
    const auto source = std::make_shared<FakeSource>(2);
    const RunResult result = run(*source, {}, [](Message& message) -> Verdict {
        if (message.id() == 0) throw std::runtime_error("no");
        throw 1;
    });
    EXPECT_EQ(result.nacked, 2U);
    EXPECT_EQ(source->verdicts[0][0], (Decision{.verdict = Settle::VERDICT_NACK, .backoff = true, .reason = "no"}));
    EXPECT_EQ(source->verdicts[1][0],
              (Decision{.verdict = Settle::VERDICT_NACK, .backoff = true, .reason = "an exception of the handler"}));
}

TEST(HandlerPool, NeverHandlesMoreThanAskedFor) {
    const auto source = std::make_shared<FakeSource>(1000, Code::kOk);
    const RunResult result = run(*source, {.threads = 4, .messages_max = 101}, [](Message&) { return Verdict::ack(); });
    EXPECT_EQ(result.ended, Code::kOk);
    EXPECT_EQ(result.handled, 101U);
    EXPECT_EQ(source->verdicts.size(), 101U) << "none was taken in vain";
}

TEST(HandlerPool, AStopLetsHandlersFinish) {
    const auto source = std::make_shared<FakeSource>(2, Code::kOk);
    std::stop_source stop;
    std::latch both(2);
    const RunResult result = run(*source, {.threads = 3, .stop = stop.get_token()}, [&](Message&) {
        both.arrive_and_wait();
        stop.request_stop();
        return Verdict::ack();
    });
    EXPECT_EQ(result.ended, Code::kStopped);
    EXPECT_EQ(result.acked, 2U);
}

TEST(HandlerPool, StoppedBeforeItBegins) {
    const auto source = std::make_shared<FakeSource>(5);
    std::stop_source stop;
    stop.request_stop();
    const RunResult result = run(*source, {.stop = stop.get_token()}, [](Message&) { return Verdict::ack(); });
    EXPECT_EQ(result.ended, Code::kStopped);
    EXPECT_EQ(result.handled, 0U);
}

TEST(HandlerPool, EndsWhenNothingCameToAnyThread) {
    const auto source = std::make_shared<FakeSource>(1, Code::kOk);
    std::atomic<int> handled{0};
    std::jthread feeder([&] {
        for (int i = 0; i < 5; ++i) {  // each after the one before was handled
            for (int seen = handled; seen <= i; seen = handled) handled.wait(seen);
            source->add(1);
        }
    });
    const RunResult result = run(*source, {.threads = 2, .idle = 200ms}, [&](Message&) {
        ++handled;
        handled.notify_all();
        return Verdict::ack();
    });
    EXPECT_EQ(result.ended, Code::kEmpty);
    EXPECT_EQ(result.handled, 6U);
}

TEST(HandlerPool, AnErrorOfTheSourceEndsAllThreads) {
    const auto source = std::make_shared<FakeSource>(3, Code::kNotFound);
    const RunResult result = run(*source, {.threads = 4}, [](Message&) { return Verdict::ack(); });
    EXPECT_EQ(result.ended, Code::kNotFound);
    EXPECT_EQ(result.handled, 3U);
}

TEST(HandlerPool, RefusesAThreadCountThatMakesNoSense) {
    const auto source = std::make_shared<FakeSource>(0);
    EXPECT_THROW(run(*source, {.threads = 0}, [](Message&) { return Verdict::ack(); }), std::invalid_argument);
    EXPECT_THROW(run(*source, {.threads = 1025}, [](Message&) { return Verdict::ack(); }), std::invalid_argument);
}

}  // namespace
}  // namespace telpher::consumer
