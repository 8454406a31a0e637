#include "consumer/handler_pool.h"

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <vector>

namespace telpher::consumer {

namespace {

PoolHooks& no_hooks() {
    static PoolHooks none;
    return none;
}

}  // namespace

HandlerPool::HandlerPool(MessageSource& source, const RunOptions& options, const Handler& handler, const Clock& clock,
                         PoolHooks* hooks)
    : source_(source),
      options_(options),
      handler_(handler),
      clock_(clock),
      hooks_(hooks != nullptr ? *hooks : no_hooks()),
      last_arrival_ns_(clock.now().ns) {
    if (options.threads < 1 || options.threads > kThreadsMax)
        throw std::invalid_argument("RunOptions::threads must be 1..1024");
}

RunResult HandlerPool::run() {
    {
        const std::stop_callback on_stop(options_.stop, [this] { end(Code::kStopped); });
        std::vector<std::jthread> threads;
        threads.reserve(options_.threads - 1);
        try {
            while (threads.size() + 1 < options_.threads)
                threads.emplace_back([this, thread = static_cast<unsigned>(threads.size() + 1)] { work(thread); });
        } catch (...) {
            end(Code::kInternal);
            throw;
        }
        work(0);
    }
    const std::lock_guard lock(mutex_);
    return result_;
}

void HandlerPool::work(unsigned thread) {
    RunResult counts;
    hooks_.thread_begins(thread);
    take_all(thread, counts);
    hooks_.thread_ends(thread);
    const std::lock_guard lock(mutex_);
    result_.handled += counts.handled;
    result_.acked += counts.acked;
    result_.nacked += counts.nacked;
    result_.released += counts.released;
    result_.dead += counts.dead;
}

void HandlerPool::take_all(unsigned thread, RunResult& counts) {
    while (!ended_.load(std::memory_order_relaxed)) {
        hooks_.before_next();
        const bool counted = options_.messages_max > 0;
        if (counted && reserved_.fetch_add(1) >= options_.messages_max) break;
        auto message = next();
        if (!message) {
            end(message.error().code());
            break;
        }
        handle(thread, *message, counts);
        last_arrival_ns_.store(clock_.now().ns);  // whoever is at work is not idle
        if (counted && handled_.fetch_add(1) + 1 == options_.messages_max) end(Code::kOk);
    }
}

// Idle is the pool, not a thread: it is over when nothing came to any of them, and none was done, for so long.
Result<Message> HandlerPool::next() {
    if (options_.idle == kForever) return source_.next(kForever);
    for (;;) {
        const Instant idle_at = Instant{last_arrival_ns_.load()} + options_.idle;
        const Duration left = std::max(idle_at - clock_.now(), Duration{0});
        auto message = source_.next(std::chrono::ceil<Millis>(left));
        if (message) last_arrival_ns_.store(clock_.now().ns);
        if (message || message.error().code() != Code::kEmpty) return message;
        if (clock_.now() >= Instant{last_arrival_ns_.load()} + options_.idle) return message;
    }
}

Verdict HandlerPool::ask_handler(unsigned thread, Message& message) const {
    if (!hooks_.begins(thread, message)) return Verdict::release();
    Verdict verdict;
    try {
        verdict = handler_(message);
    } catch (const std::exception& error) {
        verdict = Verdict::nack(std::string(error.what()));
    } catch (...) {  // whatever it was, the message failed
        verdict = Verdict::nack("an exception of the handler");
    }
    hooks_.decided(thread, verdict);
    return verdict;
}

void HandlerPool::handle(unsigned thread, Message& message, RunResult& counts) const {
    const Verdict verdict = ask_handler(thread, message);
    ++counts.handled;
    switch (verdict.kind) {
        case Verdict::Kind::kAck:
            ++counts.acked;
            message.ack();
            break;
        case Verdict::Kind::kNack:
            ++counts.nacked;
            verdict.delay ? message.nack(*verdict.delay, verdict.reason) : message.nack(verdict.reason);
            break;
        case Verdict::Kind::kRelease:
            ++counts.released;
            message.release();
            break;
        case Verdict::Kind::kDead:
            ++counts.dead;
            message.dead(verdict.reason);
            break;
    }
}

void HandlerPool::end(Code why) {
    {
        const std::lock_guard lock(mutex_);
        if (ended_.exchange(true)) return;
        result_.ended = why;
    }
    source_.stop();
}

}  // namespace telpher::consumer
