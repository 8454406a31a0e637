// Consumer, and the gets of a Queue.
#include <atomic>
#include <functional>
#include <optional>
#include <stop_token>

#include "consumer/handler_pool.h"
#include "consumer/queue_access.h"
#include "consumer/subscription.h"
#include "proto/session/queue_impl.h"
#include "telpher/client.h"

namespace telpher {

namespace {

using namespace std::chrono_literals;
using consumer::Subscription;

/// What a consumer's end waits for its verdicts to be committed.
constexpr Millis kCloseTimeout = 1s;
constexpr Millis kRunFlushTimeout = 5s;

/// get(0): how long to wait for a message that the broker says is ready, before asking again; and how long in all.
constexpr Millis kReadyWait = 100ms;
constexpr int kReadyAsks = 20;
constexpr Millis kReadyAskTimeout = 5s;

// The engine may be gone before the last message; on its own thread it is never asked.
std::shared_ptr<Subscription> make_subscription(const Queue::Impl& queue, Subscription::Options options) {
    std::weak_ptr<session::Engine> engine = queue.engine;
    return std::make_shared<Subscription>(
        std::move(options), queue.engine->clock(),
        [engine](Subscription& subscription, bool waits) {
            const auto alive = engine.lock();
            if (alive == nullptr) return;
            waits ? alive->drive(subscription) : alive->ready(subscription);
        },
        [engine](const std::function<bool()>& done, Instant deadline, const std::function<void()>& park) {
            if (const auto alive = engine.lock()) return alive->wait(done, deadline, park);
            park();
        });
}

}  // namespace

// --- Consumer ---

struct Consumer::Impl : consumer::MessageSource {
    /// `hooks`: of a worker process, whose leases are kept alive.
    Impl(std::shared_ptr<Queue::Impl> of, const ConsumeOptions& options, consumer::PoolHooks* hooks = nullptr)
        : queue(std::move(of)), subscription(make_subscription(*queue, subscription_options(options, hooks))) {
        if (options.stop.stop_possible()) on_stop.emplace(options.stop, [this] { subscription->stop(); });
        queue->engine->add(queue->link, subscription);
    }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    ~Impl() override {
        on_stop.reset();
        if (queue->engine->forked()) return;
        if (!subscription->close(kCloseTimeout)) return;
        queue->engine->post([leaving = subscription] { leaving->detach(); });
        queue->engine->remove(subscription);
    }

    static Subscription::Options subscription_options(const ConsumeOptions& options, consumer::PoolHooks* hooks) {
        Subscription::Options made;
        made.prefetch = options.prefetch;
        made.name = options.name;
        made.messages_max = options.messages_max;
        made.keep_leases = hooks != nullptr;
        if (hooks == nullptr) return made;
        made.on_deliver = [hooks](const consumer::Delivery& delivery) {
            hooks->delivered(delivery.first(), delivery.count(), delivery.number());
        };
        return made;
    }

    Result<Message> next(Millis timeout) override {
        auto message = subscription->next(timeout);
        if (!message && message.error().code() != Code::kEmpty) ended = message.error().code();
        return message;
    }
    void stop() override { subscription->stop(); }

    const std::shared_ptr<Queue::Impl> queue;  // keeps it open
    const std::shared_ptr<Subscription> subscription;
    std::atomic<Code> ended{Code::kOk};
    std::optional<std::stop_callback<std::function<void()>>> on_stop;
};

Consumer::Consumer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Consumer::Consumer(Consumer&&) noexcept = default;
Consumer& Consumer::operator=(Consumer&&) noexcept = default;
Consumer::~Consumer() = default;

Result<Message> Consumer::next(Millis timeout) { return impl_->next(timeout); }

Result<void> Consumer::flush(Millis timeout) { return impl_->subscription->flush(timeout); }

Code Consumer::ended() const { return impl_->ended; }

// --- Queue ---

Consumer Queue::consume(const ConsumeOptions& options) {
    return Consumer(std::make_shared<Consumer::Impl>(impl_, options));
}

static RunResult run_pool(const std::shared_ptr<Queue::Impl>& queue, const RunOptions& options,
                          const consumer::HandlerPool::Handler& handler, consumer::PoolHooks* hooks) {
    Consumer::Impl source(
        queue, {.prefetch = options.prefetch, .stop = {}, .name = {}, .messages_max = options.messages_max}, hooks);
    const RunResult result = consumer::HandlerPool(source, options, handler, queue->engine->clock(), hooks).run();
    source.stop();
    // What is not committed in time comes back to somebody: at least once.
    (void)source.subscription->flush(kRunFlushTimeout);
    return result;
}

RunResult Queue::run(const RunOptions& options, const std::function<Verdict(Message&)>& handler) {
    return run_pool(impl_, options, handler, nullptr);
}

RunResult QueueAccess::run(Queue& queue, const RunOptions& options, const consumer::HandlerPool::Handler& handler,
                           consumer::PoolHooks& hooks) {
    return run_pool(queue.impl_, options, handler, &hooks);
}

Result<Message> Queue::get(Millis timeout, std::stop_token stop) {
    if (impl_->engine->forked()) return fail(Code::kForked, "made before fork()");
    const auto getter = impl_->part<Subscription>(impl_->gets, [this] {
        Subscription::Options options;
        options.kind = Subscription::Kind::kGetter;
        return make_subscription(*impl_, std::move(options));
    });
    auto message = getter->next(timeout, stop);
    if (timeout > 0ms || message || message.error().code() != Code::kEmpty) return message;
    // Only what is there: the broker knows.
    for (int asked = 0; asked < kReadyAsks; ++asked) {
        const auto state = stats(kReadyAskTimeout);
        if (!state) return fail(state.error());
        if (state->sealed && state->unfinished() == 0) return fail(Code::kEnd);
        if (state->ready == 0 || state->paused) break;
        message = getter->next(kReadyWait, stop);
        if (message || message.error().code() != Code::kEmpty) return message;
    }
    return fail(Code::kEmpty);
}

Result<std::uint64_t> Queue::put(std::string_view body, const Message& under, const PutOptions& options) {
    return session::put_under(*impl_, body, {under.id(), under.delivery()}, options);
}

}  // namespace telpher
