// The client library: one Client per process, Queue handles as values, Messages as leases.
//
// Threads: Client and Queue may be used by any number of threads. A Message belongs to one thread at a time. One engine
// thread per client owns the connection; callbacks and handlers never run on it. All blocking calls take a timeout and
// a stop token. Outcomes one must expect (full, empty, sealed, timeout) are values; exceptions (std::logic_error,
// telpher::Failure) are for misuse and for a construction that cannot succeed. After fork() every call on an object of
// the parent fails with kForked.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "telpher/error.h"
#include "telpher/export.h"
#include "telpher/options.h"

namespace telpher {

class Queue;
class Message;
class Consumer;

/// Thrown by constructors and by Client::queue().
class TELPHER_API Failure : public std::runtime_error {
public:
    explicit Failure(const telpher::Error& error) : std::runtime_error(error.message()), error_(error) {}
    [[nodiscard]] const telpher::Error& error() const { return error_; }

private:
    telpher::Error error_;
};

/// A put on its way: the sequence number the library gave it in its queue. Trivially copyable; no allocation.
struct Ticket {
    std::uint64_t sequence = 0;
};

/// A run of confirmed puts: sequences [first, first + count) have the ids [id, id + count), or all were refused with
/// `code`.
struct Confirmed {
    std::uint64_t first = 0;
    std::uint32_t count = 0;
    Code code = Code::kOk;
    std::uint64_t id = 0;
};

/// What the broker knows of a queue; counters since it was made.
struct QueueStats {
    std::string name;
    std::uint64_t maxsize = 0, max_bytes = 0;
    OnFull on_full = OnFull::kBlock;
    Durability durability = Durability::kFsync;
    Millis lease{0};
    std::uint32_t max_attempts = 0;
    Millis backoff{0}, backoff_max{0};
    std::uint64_t ready = 0, leased = 0, delayed = 0, dead = 0, bytes = 0;
    bool sealed = false, paused = false;
    std::uint32_t generation = 0, producers = 0, blocked_producers = 0, consumers = 0;
    std::uint64_t put = 0, acked = 0, nacked = 0, redelivered = 0, dropped = 0, expired = 0, rejected = 0,
                  high_water = 0, lost = 0;
    std::uint64_t died = 0;  ///< Messages that became dead letters, ever; `dead` is how many are there now.
    std::uint64_t blocked_ms = 0;
    std::string owner;  ///< The user who made it, whose quota it counts in; empty: nobody with a name.
    [[nodiscard]] std::uint64_t unfinished() const { return ready + leased + delayed; }
};

/// What a broker says of itself.
struct BrokerStats {
    std::string version, data_dir;
    std::uint64_t boot = 0, uptime_ms = 0, log_bytes = 0, resident_bytes = 0, cpu_us = 0, commits = 0,
                  committed_lsn = 0;
    std::uint32_t sessions = 0, queues = 0;
    std::uint64_t connections = 0, kicked = 0;
    std::vector<std::pair<std::string, std::uint64_t>> refused{};  ///< By reason: "unknown_key", "denied", ...
};

/// What made a message a dead letter.
enum class DeathCause : std::uint8_t {
    kNone = 0,
    kVerdict = 1,   ///< A consumer said so.
    kAttempts = 2,  ///< The last attempt failed.
    kLease = 3,     ///< The lease of the last attempt ended unsettled.
};

/// One message seen without taking a lease.
struct Peeked {
    std::uint64_t id = 0;
    std::string body, key;
    std::vector<std::pair<std::string, std::string>> headers;
    enum class State : std::uint8_t {
        kLive = 0,
        kReady = 1,
        kLeased = 2,
        kDelayed = 3,
        kDead = 4
    } state = State::kReady;
    std::uint32_t deliveries = 0, attempts = 0;
    std::int64_t put_ms = 0;
    // Of a dead letter:
    DeathCause cause = DeathCause::kNone;
    std::int64_t dead_ms = 0;  ///< Wall clock of the broker, milliseconds.
    std::string reason;        ///< What the consumer said of it; empty if nothing, or if the broker keeps too many.
};

/// What a redrive or a drop of dead letters did.
struct DeadHandled {
    std::uint64_t messages = 0;
    bool more = false;       ///< Dead letters of the range are left.
    std::uint64_t next = 0;  ///< The id of the first of them.
    bool full = false;       ///< The redrive stopped because the queue has no room.
};

/// A message given to this process: a lease. Settle it once; destroyed without a verdict it is released, never acked.
class TELPHER_API Message {
public:
    Message(Message&&) noexcept;
    Message& operator=(Message&&) noexcept;
    ~Message();

    [[nodiscard]] std::uint64_t id() const;
    [[nodiscard]] std::span<const std::byte> body() const;  ///< Valid as long as this Message.
    [[nodiscard]] std::string_view text() const;            ///< The body as characters.
    [[nodiscard]] std::string_view key() const;             ///< Empty if none.
    [[nodiscard]] std::vector<std::pair<std::string_view, std::string_view>> headers() const;
    [[nodiscard]] std::uint32_t attempt() const;   ///< 1 = first try; failed handlings + 1.
    [[nodiscard]] std::uint32_t delivery() const;  ///< 1 = handed out for the first time.
    [[nodiscard]] bool redelivered() const { return delivery() > 1; }
    [[nodiscard]] std::int64_t put_ms() const;  ///< Wall clock of the producer, milliseconds.

    /// Verdicts: sent in the background, in ranges; Queue::flush() or Consumer::flush() waits until they are committed.
    void ack();
    /// Failed: again after the queue's backoff, or a dead letter if that was the last attempt. What is said of it
    /// (the last 4 KiB of `reason`) is kept with the dead letter.
    void nack(std::string_view reason = {});
    void nack(Millis delay, std::string_view reason = {});  ///< The same after `delay` (0..7 days).
    void release();                                         ///< Hand back, no blame.
    void dead(std::string_view reason = {});                ///< A dead letter now: no further attempt makes sense.
    /// Settles and waits until the broker has it committed: then it is never delivered again. kLeaseLost: somebody else
    /// has it.
    Result<void> ack_confirmed(Millis timeout = kForever);
    /// Prolongs the lease of a queue with a lease time.
    Result<void> extend(Millis lease, Millis timeout = kForever);

    struct Impl;
    explicit Message(Impl&&);

private:
    friend class Queue;
    alignas(8) std::byte storage_[112];  // Impl in place: no allocation per message
};

/// Messages as a range: `for (Message& m : queue.consume())`. Ends when the queue is sealed and drained, or stopped.
class TELPHER_API Consumer {
public:
    Consumer(Consumer&&) noexcept;
    Consumer& operator=(Consumer&&) noexcept;
    ~Consumer();  ///< Flushes settles (up to 1 s), releases the rest, detaches.

    /// The next message; kEmpty after `timeout`, kEnd when sealed and drained, kStopped, kLost, or a lasting error.
    Result<Message> next(Millis timeout = kForever);
    /// Waits until every verdict given so far is committed.
    Result<void> flush(Millis timeout = kForever);

    class Iterator;
    Iterator begin();
    struct Sentinel {};
    [[nodiscard]] static Sentinel end() { return {}; }
    /// Why the range ended: kEnd, kStopped or an error.
    [[nodiscard]] Code ended() const;

    struct Impl;
    explicit Consumer(std::shared_ptr<Impl>);

private:
    std::shared_ptr<Impl> impl_;
};

/// What a handler says of its message.
struct Verdict {
    enum class Kind : std::uint8_t { kAck, kNack, kRelease, kDead } kind = Kind::kAck;
    std::optional<Millis> delay{};  ///< Of a nack; none: the queue's backoff.
    std::string reason{};           ///< Of a nack or dead: the last 4 KiB are kept with a dead letter.

    static Verdict ack() { return {}; }
    static Verdict nack(std::string reason = {}) { return {Kind::kNack, {}, std::move(reason)}; }
    static Verdict nack(Millis delay, std::string reason = {}) { return {Kind::kNack, delay, std::move(reason)}; }
    static Verdict release() { return {Kind::kRelease, {}, {}}; }
    static Verdict dead(std::string reason = {}) { return {Kind::kDead, {}, std::move(reason)}; }
};

/// What run() did.
struct RunResult {
    std::uint64_t handled = 0, acked = 0, nacked = 0, released = 0, dead = 0;
    Code ended = Code::kEnd;  ///< kEnd, kStopped, kEmpty (idle), kOk (messages_max) or an error.
};

/// A queue of a broker. A value: copies are the same queue of the same client.
class TELPHER_API Queue {
public:
    [[nodiscard]] const std::string& name() const;

    // --- puts ---
    /// Waits for room and for the confirm. Returns the message id. Errors: kFull (reject), kSealed, kTimeout, kStopped,
    /// kTooLarge, kUnknown, kDeadlock, kDiskFull. A put whose time is over is taken back first, so kTimeout and
    /// kStopped may come later than asked; kUnknown if that could not be done because the connection was gone and did
    /// not come back within 3 s, or if the broker has forgotten this producer (an hour without it, or a memory queue
    /// after a restart).
    Result<std::uint64_t> put(std::string_view body, const PutOptions& options = {});
    /// Puts while holding `under`, a message of this queue: allowed after sealing; kDeadlock instead of hanging when
    /// every holder of the full queue waits in such a put.
    Result<std::uint64_t> put(std::string_view body, const Message& under, const PutOptions& options = {});
    /// Pipelines; waits only while the window is full. The outcome comes with wait(), flush() or on_confirm().
    Result<Ticket> put_async(std::string_view body, const PutOptions& options = {});
    /// Waits for the outcome of one ticket. A wait that times out leaves the put on its way.
    Result<std::uint64_t> wait(Ticket ticket, Millis timeout = kForever);
    /// Waits until every put so far has its outcome, and every verdict on what get() gave is committed; the first
    /// refusal since the last flush, if there was one.
    Result<void> flush(Millis timeout = kForever);
    /// Takes back every put to this queue that has no outcome yet, of all threads: what is not admitted is kCancelled
    /// and certainly not in the queue. Returns when all have their outcome; kUnknown if the connection is lost for
    /// good.
    Result<void> cancel();
    /// Called for every run of outcomes in sequence order, on a thread of the library that is not the engine's. Set
    /// before the first put.
    void on_confirm(std::function<void(const Confirmed&)> callback);
    /// Puts all in order and waits for every outcome; the runs of outcomes in order. Timed out or stopped: what was not
    /// admitted is kCancelled, certainly not in the queue.
    Result<std::vector<Confirmed>> put_many(std::span<const std::string_view> bodies, const PutOptions& options = {});

    /// The sequence of the next put. Without a producer name sequences begin with 0 in each handle. With one
    /// (QueueOptions::producer_name) they are those of all puts under this name to this queue: exactly the records
    /// below are stored, across crashes of this process and of the broker, so a caller that can read its records again
    /// begins with this one. Waits until the broker has said so; the first put does too.
    ///
    /// Opening a name takes it over: whoever had it before gets kFenced, and nothing more of it is stored. After a put
    /// of a name was refused or taken back, or its outcome got lost, no later one of this handle is stored: they are
    /// kCancelled; open the queue again to go on. A name is forgotten 30 days after its last put, and when a memory
    /// queue is lost in a restart of the broker: then this handle gives kUnknownProducer, and the name begins with 0.
    Result<std::uint64_t> next_sequence(Millis timeout = kForever);

    // --- gets ---
    /// One message; kEmpty after `timeout` (0: only what is there), kEnd when sealed and drained.
    Result<Message> get(Millis timeout = kForever, std::stop_token stop = {});
    [[nodiscard]] Consumer consume(const ConsumeOptions& options = {});
    /// Runs `handler` on `options.threads` threads until the end, a stop, idle or messages_max. An exception from the
    /// handler is a nack with its text as the reason.
    RunResult run(const RunOptions& options, const std::function<Verdict(Message&)>& handler);

    // --- the end ---
    /// No more puts (in line: those before it are admitted). Flushes this client's puts to the queue first.
    Result<void> seal(Millis timeout = kForever);
    /// The next generation of a sealed queue.
    Result<void> reopen(Millis timeout = kForever);
    /// Waits until the queue is sealed and everything in it is settled. kTimeout; kLost for a memory queue that lost
    /// messages in a restart of the broker and was not reopened since.
    Result<QueueStats> join(Millis timeout = kForever, std::stop_token stop = {});
    /// Like join() without waiting for the seal: until nothing is unfinished.
    Result<QueueStats> wait_idle(Millis timeout = kForever, std::stop_token stop = {});

    Result<QueueStats> stats(Millis timeout = kForever);
    Result<void> pause(Millis timeout = kForever);
    Result<void> resume(Millis timeout = kForever);
    /// Messages from id `from` on, without taking a lease: those of that state, or (kLive) all but dead letters.
    Result<std::vector<Peeked>> peek(std::uint32_t messages_max, std::uint64_t from = 0, Millis timeout = kForever,
                                     Peeked::State state = Peeked::State::kLive);

    struct Impl;
    explicit Queue(std::shared_ptr<Impl>);

private:
    friend struct QueueAccess;  // the worker runtime
    std::shared_ptr<Impl> impl_;
};

/// A connection to a broker that mends itself.
class TELPHER_API Client {
public:
    /// Connects in the background. Throws Failure (kUsage) if the endpoint makes no sense.
    explicit Client(ClientOptions options = {});
    explicit Client(std::string server);
    ~Client();  ///< Flushes puts and settles (up to ClientOptions::leave_timeout), then leaves.
    Client(Client&&) noexcept;
    Client& operator=(Client&&) noexcept;

    /// Opens (and makes) a queue. `stop` ends the wait. Errors: kNotFound, kQueueMismatch, kBadName, kUnreachable,
    /// kStopped, ...
    Result<Queue> open(std::string_view name, const QueueOptions& options = {}, Millis timeout = Millis{10'000},
                       const std::stop_token& stop = {});
    /// open() for people who prefer a throw (Failure).
    Queue queue(std::string_view name, const QueueOptions& options = {});

    // --- administration ---
    Result<void> create(std::string_view name, const QueueOptions& options,
                        Millis timeout = Millis{10'000});  ///< Idempotent.
    Result<void> set(std::string_view name, const QueueOptions& options, Millis timeout = Millis{10'000});
    Result<void> remove(std::string_view name, bool force = false, Millis timeout = Millis{10'000});
    Result<std::vector<QueueStats>> list(Millis timeout = Millis{10'000});
    Result<QueueStats> show(std::string_view name, Millis timeout = Millis{10'000});
    Result<std::vector<Peeked>> peek(std::string_view name, std::uint32_t messages_max, std::uint64_t from = 0,
                                     Millis timeout = Millis{10'000}, Peeked::State state = Peeked::State::kLive);
    /// Dead letters with ids [first, first + count), lowest first, at most `messages_max` (0: as many as the broker
    /// does at once), become ready with no attempt counted, as far as the queue has room. kSealed: the queue has ended.
    Result<DeadHandled> redrive(std::string_view name, std::uint64_t first, std::uint64_t count,
                                std::uint32_t messages_max = 0, Millis timeout = Millis{10'000});
    /// The same: they are gone for good.
    Result<DeadHandled> drop_dead(std::string_view name, std::uint64_t first, std::uint64_t count,
                                  std::uint32_t messages_max = 0, Millis timeout = Millis{10'000});
    Result<void> pause(std::string_view name, bool paused, Millis timeout = Millis{10'000});
    Result<BrokerStats> status(Millis timeout = Millis{10'000});

    struct Impl;

private:
    std::shared_ptr<Impl> impl_;
};

/// Iterator of a Consumer's range: input, one pass.
class Consumer::Iterator {
public:
    explicit Iterator(Consumer& consumer) : consumer_(&consumer) { ++*this; }
    Message& operator*() { return *current_; }
    Message* operator->() { return &*current_; }
    Iterator& operator++() {
        current_.reset();
        auto next = consumer_->next();
        if (next) current_.emplace(std::move(*next));
        return *this;
    }
    bool operator!=(Sentinel) const { return current_.has_value(); }

private:
    Consumer* consumer_;
    std::optional<Message> current_;
};

inline Consumer::Iterator Consumer::begin() { return Iterator(*this); }

}  // namespace telpher
