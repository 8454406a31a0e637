// telpher-load: a producer or a consumer that writes down all it does and sees, for the tests that kill things under
// it.
//
//   telpher-load put --server URL --queue Q --name N --history FILE [--seed S] [--rate R] [--count N] [--bytes B]
//   telpher-load get --server URL --queue Q --name N --history FILE [--seed S] [--threads T] [--hold-ms H]
//
// `put` mixes put_async, put and put_many, with and without timeouts, until SIGTERM or --count, then waits for every
// outcome. `get` mixes confirmed acks, acks, nacks, releases and dropped messages, until the end of the queue or
// SIGTERM; with several threads each has a consumer and a history of its own (FILE.1, FILE.2, ...). Both exit 0 unless
// something surprised them.

#include <telpher/client.h>

#include <CLI/CLI.hpp>
#include <array>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <iostream>
#include <mutex>
#include <thread>

#include "proto/base/random.h"
#include "tests/support/deadline.h"
#include "tests/support/history.h"

namespace telpher::test {
namespace {

constexpr Millis kOutcomeWithin{60'000};
constexpr std::size_t kTicketsMax = 4'000;

std::atomic<bool> stop_asked{false};
static_assert(std::atomic<bool>::is_always_lock_free, "set by a signal handler");

struct Settings {
    std::string server, queue, name, history;
    std::uint64_t seed = 1;
    double rate = 1'000;
    std::uint64_t count = UINT64_MAX;
    std::size_t bytes = 100;
    unsigned threads = 1;
    std::uint64_t hold_ms = 0;
};

Queue open_queue(Client& client, const Settings& settings) {
    QueueOptions existing;
    existing.create = false;
    existing.wait = true;
    auto queue = client.open(settings.queue, existing, kOutcomeWithin);
    if (!queue) throw Failure(queue.error());
    return std::move(*queue);
}

ClientOptions client_options(const Settings& settings) {
    ClientOptions options;
    options.server = settings.server;
    options.name = settings.name;
    options.connect_timeout = kOutcomeWithin;
    options.log = [name = settings.name](const std::string& line) {
        std::cerr << name << " " << system_clock().wall().ms % 1'000'000 << " ms: " << line << "\n";
    };
    return options;
}

class Producer {
public:
    explicit Producer(const Settings& settings)
        : settings_(settings),
          history_(settings.history, settings.name),
          random_(settings.seed),
          client_(client_options(settings)),
          queue_(open_queue(client_, settings)),
          waiter_([this] { await_tickets(); }) {}

    Producer(const Producer&) = delete;
    Producer& operator=(const Producer&) = delete;
    ~Producer() { finish(); }

    /// Puts until stopped or done, and waits for every outcome; false if one did not come in time.
    bool run() {
        const Stopwatch watch;
        while (!stop_asked && next_ < settings_.count) {
            const double ahead_s = static_cast<double>(next_) / settings_.rate - watch.seconds();
            if (ahead_s > 0) {
                pass_time(
                    std::min<Duration>(100ms, std::chrono::nanoseconds(static_cast<std::int64_t>(ahead_s * 1e9))));
                continue;
            }
            const std::uint64_t dice = random_.below(100);
            if (dice < 60) {
                put_pipelined(1 + random_.below(20));
            } else if (dice < 80) {
                put_one();
            } else {
                put_many(1 + random_.below(60));
            }
        }
        finish();
        return !overdue_;
    }

private:
    void finish() {
        {
            const std::lock_guard lock(mutex_);
            done_ = true;
            changed_.notify_all();
        }
        if (waiter_.joinable()) waiter_.join();
    }

    /// Announces the next `count` puts and returns their payloads; the first one's sequence is in `first`.
    std::vector<std::string> announce(std::uint64_t count, std::uint64_t& first) {
        first = next_;
        next_ += count;
        std::vector<std::string> payloads;
        std::vector<Event> events;
        for (std::uint64_t seq = first; seq < next_; ++seq) {
            payloads.push_back(make_payload(settings_.name, seq, settings_.bytes));
            events.push_back(about(seq, Event::Kind::kPut));
            events.back().hash = payload_hash(payloads.back());
        }
        history_.record(events);
        return payloads;
    }

    [[nodiscard]] Event about(std::uint64_t seq, Event::Kind kind) const {
        return Event{.kind = kind, .producer = settings_.name, .seq = seq};
    }

    /// What the answer to a put says of its message.
    [[nodiscard]] Event outcome(std::uint64_t seq, Code code, std::uint64_t id) const {
        Event event = about(seq, Event::Kind::kUnknown);
        event.code = info(code).name;
        switch (code) {
            case Code::kOk:
                event.kind = Event::Kind::kConfirmed;
                event.id = id;
                event.code.clear();
                break;
            case Code::kFull:
            case Code::kSealed:
            case Code::kCancelled:
            case Code::kTimeout:
            case Code::kStopped:
            case Code::kTooLarge:
            case Code::kDeadlock:
            case Code::kDiskFull:
                event.kind = Event::Kind::kRefused;
                break;
            default:
                break;
        }
        return event;
    }
    void record_outcome(std::uint64_t seq, const Result<std::uint64_t>& result) {
        history_.record(outcome(seq, result ? Code::kOk : result.error().code(), result.value_or(0)));
    }

    PutOptions some_timeout() {
        constexpr std::array<Millis, 4> kTimeouts{Millis(5), Millis(100), Millis(2'000), kForever};
        PutOptions options;
        options.timeout = kTimeouts.at(random_.below(kTimeouts.size()));
        return options;
    }

    void put_pipelined(std::uint64_t count) {
        std::uint64_t seq = 0;
        for (const std::string& payload : announce(count, seq)) {
            const auto ticket = queue_.put_async(payload);
            if (!ticket) {
                record_outcome(seq, tl::unexpected(ticket.error()));
            } else {
                std::unique_lock lock(mutex_);
                changed_.wait(lock, [this] { return tickets_.size() < kTicketsMax; });
                tickets_.emplace_back(seq, *ticket);
                changed_.notify_all();
            }
            ++seq;
        }
    }

    void put_one() {
        std::uint64_t seq = 0;
        const auto payloads = announce(1, seq);
        record_outcome(seq, queue_.put(payloads.front(), some_timeout()));
    }

    void put_many(std::uint64_t count) {
        std::uint64_t seq = 0;
        const auto payloads = announce(count, seq);
        const std::vector<std::string_view> bodies(payloads.begin(), payloads.end());
        const auto runs = queue_.put_many(bodies, some_timeout());
        std::vector<Event> events;
        if (runs) {
            for (const Confirmed& run : *runs) {
                for (std::uint32_t i = 0; i < run.count; ++i) events.push_back(outcome(seq++, run.code, run.id + i));
            }
        }
        const Code otherwise = runs ? Code::kInternal : runs.error().code();
        while (seq < next_)
            events.push_back(outcome(seq++, otherwise == Code::kTimeout ? Code::kUnknown : otherwise, 0));
        history_.record(events);
    }

    void await_tickets() {
        for (;;) {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return done_ || !tickets_.empty(); });
            if (tickets_.empty()) return;
            const auto [seq, ticket] = tickets_.front();
            lock.unlock();
            auto result = queue_.wait(ticket, kOutcomeWithin);
            if (!result && result.error().code() == Code::kTimeout) {
                std::cerr << settings_.name << ": no outcome of " << seq << " in time\n";
                result = fail(Code::kUnknown);  // it is still on its way
                overdue_ = true;
            }
            record_outcome(seq, result);
            lock.lock();
            tickets_.pop_front();
            changed_.notify_all();
        }
    }

    const Settings& settings_;
    HistoryWriter history_;
    Random random_;
    Client client_;
    Queue queue_;
    std::uint64_t next_ = 0;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::pair<std::uint64_t, Ticket>> tickets_;  // guarded by mutex_, as done_
    bool done_ = false;
    bool overdue_ = false;  // the waiter's, until it is joined
    std::thread waiter_;
};

/// One consumer of a queue, on a thread of its own.
class Taker {
public:
    Taker(const Settings& settings, Queue& queue, HistoryWriter& history, unsigned number)
        : settings_(settings),
          name_(settings.name + "." + std::to_string(number)),
          random_(settings.seed + number),
          queue_(queue),
          history_(history) {}

    /// Takes until the end or until stopped; false if something else happened.
    bool run() {
        Consumer consumer = queue_.consume();
        while (!stop_asked) {
            auto message = consumer.next(Millis(100));
            if (message) {
                handle(*message);
            } else if (message.error().code() == Code::kEnd) {
                history_.record({.kind = Event::Kind::kEnd, .who = name_});
                const auto flushed = consumer.flush(kOutcomeWithin);
                // An ack that came too late after an outage, as in ack(): the checker judges what came of it.
                const bool late = !flushed && flushed.error().code() == Code::kLeaseLost;
                return flushed || late || fails("flush after the end", flushed.error());
            } else if (message.error().code() != Code::kEmpty) {
                return fails("next", message.error());
            }
        }
        return true;
    }

private:
    bool fails(const char* step, const Error& error) const {
        std::cerr << name_ << ": " << step << ": " << error.message() << "\n";
        return false;
    }

    void handle(Message& message) {
        const auto [producer, seq] = payload_name(message.text());
        history_.record({.kind = Event::Kind::kDelivered,
                         .who = name_,
                         .producer = producer,
                         .seq = seq,
                         .hash = payload_hash(message.text()),
                         .id = message.id(),
                         .delivery = message.delivery()});
        if (settings_.hold_ms > 0) pass_time(Millis(random_.below(settings_.hold_ms + 1)));
        const std::uint64_t dice = random_.below(100);
        if (dice < 90) return ack(message, dice < 70);
        if (dice < 95) return message.nack(Millis(random_.below(20)));
        if (dice < 98) return message.release();
        // Dropped without a verdict: released.
    }

    void ack(Message& message, bool confirmed) {
        const std::uint64_t id = message.id();
        history_.record({.kind = Event::Kind::kAck, .who = name_, .id = id});
        if (!confirmed) return message.ack();
        const auto settled = message.ack_confirmed(kOutcomeWithin);
        if (settled) {
            history_.record({.kind = Event::Kind::kSettled, .who = name_, .id = id});
        } else if (settled.error().code() == Code::kLeaseLost) {
            history_.record({.kind = Event::Kind::kLost, .who = name_, .id = id});
        } else {
            fails("ack", settled.error());
        }
    }

    const Settings& settings_;
    std::string name_;
    Random random_;
    Queue& queue_;
    HistoryWriter& history_;
};

int put(const Settings& settings) {
    Producer producer(settings);
    return producer.run() ? 0 : 1;
}

int get(const Settings& settings) {
    Client client(client_options(settings));
    Queue queue = open_queue(client, settings);
    HistoryWriter history(settings.history, settings.name);
    std::atomic<bool> fine{true};
    std::vector<std::thread> threads;
    for (unsigned i = 1; i <= settings.threads; ++i) {
        threads.emplace_back([&, i] {
            Taker taker(settings, queue, history, i);
            if (!taker.run()) fine = false;
        });
    }
    for (std::thread& thread : threads) thread.join();
    return fine ? 0 : 1;
}

int main(int argc, char** argv) try {
    Settings settings;
    CLI::App app("producer and consumer that write histories");
    app.require_subcommand(1);
    auto* const putting = app.add_subcommand("put");
    auto* const getting = app.add_subcommand("get");
    for (auto* const command : {putting, getting}) {
        command->add_option("--server", settings.server)->required();
        command->add_option("--queue", settings.queue)->required();
        command->add_option("--name", settings.name)->required();
        command->add_option("--history", settings.history)->required();
        command->add_option("--seed", settings.seed);
    }
    putting->add_option("--rate", settings.rate);
    putting->add_option("--count", settings.count);
    putting->add_option("--bytes", settings.bytes);
    getting->add_option("--threads", settings.threads);
    getting->add_option("--hold-ms", settings.hold_ms);
    CLI11_PARSE(app, argc, argv);
    for (const int signal : {SIGTERM, SIGINT}) std::signal(signal, [](int) { stop_asked = true; });
    return putting->parsed() ? put(settings) : get(settings);
} catch (const std::exception& error) {
    std::cerr << "telpher-load: " << error.what() << "\n";
    return 1;
}

}  // namespace
}  // namespace telpher::test

int main(int argc, char** argv) { return telpher::test::main(argc, argv); }
