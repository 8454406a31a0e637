#include "consumer/handler_pool.h"

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <vector>

namespace telpher::consumer {

HandlerPool::HandlerPool(MessageSource& source, const RunOptions& options, const Handler& handler, const Clock& clock)
    : source_(source), options_(options), handler_(handler), clock_(clock), last_arrival_ns_(clock.now().ns) {
    if (options.threads < 1 || options.threads > kThreadsMax)
        throw std::invalid_argument("RunOptions::threads must be 1..1024");
}

RunResult HandlerPool::run() {
    {
        const std::stop_callback on_stop(options_.stop, [this] { end(Code::kStopped); });
        std::vector<std::jthread> threads;
        threads.reserve(options_.threads - 1);
        try {
            while (threads.size() + 1 < options_.threads) threads.emplace_back([this] { work(); });
        } catch (...) {
            end(Code::kInternal);
            throw;
        }
        work();
    }
    const std::lock_guard lock(mutex_);
    return result_;
}

void HandlerPool::work() {
    RunResult counts;
    while (!ended_.load(std::memory_order_relaxed)) {
        const bool counted = options_.messages_max > 0;
        if (counted && reserved_.fetch_add(1) >= options_.messages_max) break;
        auto message = next();
        if (!message) {
            end(message.error().code());
            break;
        }
        handle(*message, counts);
        if (counted && handled_.fetch_add(1) + 1 == options_.messages_max) end(Code::kOk);
    }
    const std::lock_guard lock(mutex_);
    result_.handled += counts.handled;
    result_.acked += counts.acked;
    result_.nacked += counts.nacked;
    result_.released += counts.released;
    result_.dead += counts.dead;
}

// Idle is the pool, not a thread: it is over when nothing came to any of them for so long.
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

Verdict HandlerPool::ask_handler(Message& message) const {
    try {
        return handler_(message);
    } catch (const std::exception& error) {
        return Verdict::nack(std::string(error.what()));
    } catch (...) {  // whatever it was, the message failed
        return Verdict::nack("an exception of the handler");
    }
}

void HandlerPool::handle(Message& message, RunResult& counts) const {
    const Verdict verdict = ask_handler(message);
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
