#include "producer/feed.h"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "proto/base/clock.h"
#include "proto/command/exit.h"
#include "proto/command/message_json.h"

namespace telpher {
namespace {

// Calls that take no stop token are made of short waits.
constexpr Millis kSlice{250};
/// Before the queue is opened again.
constexpr Millis kPause{500};
/// So often what is stored is looked at while the source has something to give.
constexpr std::uint64_t kLookEvery = 64;

/// Errors that trying again does not mend.
bool is_final(Code code) {
    switch (code) {
        case Code::kCancelled:        // behind a refusal that may be over
        case Code::kUnknown:          // asked again when the name is opened
        case Code::kUnknownProducer:  // the name was forgotten: it begins anew
            return false;
        default:
            return !info(code).retryable;
    }
}

}  // namespace

Result<void> Feed::run() {
    ClientOptions options = globals_.client_options();
    options.leave_timeout = Millis{0};  // finish() has waited as long as it should
    Client client(std::move(options));
    Code told = Code::kOk;
    for (;;) {
        const auto done = run_once(client);
        if (done || done.error().code() == Code::kStopped) return leave();
        if (is_final(done.error().code())) {
            // Whoever has the name now has the state file too.
            if (done.error().code() != Code::kFenced) static_cast<void>(source_.save());
            return done;
        }
        if (std::exchange(told, done.error().code()) != done.error().code() && !globals_.quiet)
            command::print_note(done.error().message() + "; trying again");
        pause();
        if (stopped()) return leave();
    }
}

/// The end of a stop. What a source cannot give again is lost now, and nobody may think otherwise.
Result<void> Feed::leave() {
    if (auto saved = source_.save(); !saved) return saved;
    if (const std::uint64_t lost = source_.at_risk(); lost > 0)
        return fail(Code::kTimeout, std::to_string(lost) + " messages were received and not stored: they are lost");
    return {};
}

void Feed::pause() const {
    pollfd stop{signals_.fd(), POLLIN, 0};
    ::poll(&stop, 1, static_cast<int>(kPause.count()));
}

/// One opening of the name: from the first record that is not stored on, until something ends it.
Result<void> Feed::run_once(Client& client) {
    auto queue = open(client);
    if (!queue) return fail(queue.error());
    const auto first = first_record(*queue);
    if (!first) return fail(first.error());
    if (auto there = source_.seek(*first); !there) return there;
    next_ = *first;
    options_ = setup_.put;
    options_.stop = signals_.token();
    const auto outcomes = std::make_shared<Outcomes>();
    outcomes->stored_below = *first;
    queue->on_confirm([this, outcomes](const Confirmed& run) {
        if (run.code == Code::kOk) {
            outcomes->stored_below = run.first + run.count;
            confirmed_ += run.count;
        } else {
            Code none = Code::kOk;
            outcomes->refusal.compare_exchange_strong(none, run.code);
        }
    });
    auto ended = pump(*queue, *outcomes);
    const bool in_order = ended || ended.error().code() == Code::kStopped;
    const auto finished = in_order ? finish(*queue, *outcomes) : Result<void>();
    if (auto noted = stored(*outcomes); !noted) return noted;
    if (!finished) return finished;
    const Code refusal = outcomes->refusal;
    if (refusal != Code::kOk && refusal != Code::kCancelled && !stopped()) return fail(refusal);
    return ended;
}

/// Waits for the broker as long as it takes; for the queue only if told so.
Result<Queue> Feed::open(Client& client) const {
    QueueOptions options = setup_.open.options;
    options.create = setup_.open.create;
    options.wait = setup_.open.wait;
    for (;;) {
        auto queue = client.open(setup_.queue, options, kForever, signals_.token());
        if (queue || queue.error().code() != Code::kUnreachable) return queue;
    }
}

Result<std::uint64_t> Feed::first_record(Queue& queue) const {
    for (;;) {
        auto first = queue.next_sequence(kSlice);
        if (first || first.error().code() != Code::kTimeout) return first;
        if (stopped()) return fail(Code::kStopped);
    }
}

/// Puts records until the source ends, a stop, or a refusal.
Result<void> Feed::pump(Queue& queue, const Outcomes& outcomes) {
    for (;;) {
        if (stopped()) return fail(Code::kStopped);
        if (outcomes.refusal != Code::kOk) return fail(outcomes.refusal);
        if (next_ - outcomes.stored_below >= source_.window()) {
            if (auto noted = stored(outcomes); !noted) return noted;
            static_cast<void>(queue.flush(Millis{20}));
            continue;
        }
        from_source_.headers.clear();
        const auto record = source_.next(from_source_);
        if (record) {
            if (auto done = put(queue, *record); !done) return done;
            if (next_ % kLookEvery == 0) {
                if (auto noted = stored(outcomes); !noted) return noted;
            }
            continue;
        }
        if (record.error().code() == Code::kEnd) return {};
        if (record.error().code() != Code::kEmpty) return fail(record.error());
        if (auto noted = stored(outcomes); !noted) return noted;
        source_.wait(signals_.fd(), next_ == outcomes.stored_below ? Millis{1'000} : Millis{50});
    }
}

/// What `record` says to put, as it is or as JSON; key and headers go into options_.
Result<std::string_view> Feed::body_of(std::string_view record) {
    options_.key = setup_.put.key;
    options_.headers = setup_.put.headers;
    if (setup_.json) {
        auto message = command::parse_message(record);
        if (!message) return fail(Code::kUsage, "record " + std::to_string(next_) + ": " + message.error().detail());
        body_ = std::move(message->body);
        options_.key = std::move(message->key);
        options_.headers = std::move(message->headers);
        record = body_;
    }
    options_.headers.insert(options_.headers.end(), from_source_.headers.begin(), from_source_.headers.end());
    return record;
}

Result<void> Feed::put(Queue& queue, std::string_view record) {
    const auto body = body_of(record);
    if (!body) return source_.leave_out(body.error()) ? Result<void>() : fail(body.error());
    const auto ticket = queue.put_async(*body, options_);
    if (ticket) {
        ++next_;
        ++sent_;
        return {};
    }
    const Error error(ticket.error().code(), "record " + std::to_string(next_) + ": " + ticket.error().detail());
    const bool left_out = error.code() == Code::kTooLarge && source_.leave_out(error);
    return left_out ? Result<void>() : fail(error);
}

Result<void> Feed::stored(const Outcomes& outcomes) { return source_.stored_below(outcomes.stored_below); }

/// Waits for the outcome of what was read. What has none in time is read again at the next start.
Result<void> Feed::finish(Queue& queue, const Outcomes& outcomes) {
    const Instant end = system_clock().now() + setup_.drain;
    while (outcomes.stored_below < next_ && outcomes.refusal == Code::kOk) {
        static_cast<void>(queue.flush(kSlice));
        if (stopped() && system_clock().now() >= end) break;
    }
    return {};
}

PutCounters Feed::counters() const {
    PutCounters counters;
    counters.sent = sent_;
    counters.confirmed = confirmed_;
    return counters;
}

}  // namespace telpher
