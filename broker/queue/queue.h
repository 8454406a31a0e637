// One queue: who may put, what waits in line, what is ready, leased, delayed or done, and who gets what next. Pure: no
// file, no socket, no clock (time comes in as a value), no log. The shard feeds it, writes down what it decided, and
// sends.
//
// Threads: none of its own; owned by a shard. Lives from its creation (or replay) to its removal.
//
// Invariants (checked):
//  1. ready + leased + delayed <= maxsize and bytes <= max_bytes at every instant, except that a `set` may lower the
//  bound
//     below what is there (then nothing is admitted until it fits), that one message larger than max_bytes is admitted
//     into an empty queue, and that a batch admitted in parts counts by its mean until stored() says what a part
//     weighs.
//  2. Every offset below next_offset is in exactly one of ready, leased, delayed, dead, settled; dead ones are outside
//     the bound.
//  3. Only offsets below the visible end (committed) are ever leased.
//  4. Waiters are admitted in line; at most max(1, room / waiters) messages of one waiter a turn.
//  5. A message settled once is never ready, leased or delayed again.
//  6. The state costs ranges, not objects: memory grows with fragmentation, never with the number of messages alone.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "broker/queue/death.h"
#include "proto/base/clock.h"
#include "proto/base/ids.h"
#include "proto/limits.h"
#include "telpher/error.h"

namespace telpher::queue {

using TicketId =
    Id<struct TicketTag>;  ///< A put in line; given by the shard. The line is in the order of these numbers.
using ConsumerId = Id<struct ConsumerTag>;  ///< An attached consumer; given by the shard.
using BatchRef = Id<struct BatchRefTag>;    ///< The shard's number for a stored batch (body cache, log position).

enum class OnFull : std::uint8_t { kBlock = 1, kReject = 2, kDropOldest = 3 };
enum class Durability : std::uint8_t { kFsync = 1, kAsync = 2, kMemory = 3 };

struct Options {
    std::uint64_t maxsize = 10'000;  ///< Messages; 1..kMaxsizeMax.
    std::uint64_t max_bytes = 0;     ///< Bytes of records; 0 = no bound. A message counts as the mean of its batch.
    OnFull on_full = OnFull::kBlock;
    Durability durability = Durability::kFsync;
    std::uint64_t lease_ms = 0;  ///< A lease ends after this; 0 = as long as its session lives.
    std::uint32_t max_attempts = limits::kAttemptsDefault;  ///< Failed ones that make a dead letter; 0 = no limit.
    std::uint64_t backoff_ms = limits::kBackoffDefaultMs;   ///< Before the second attempt; doubles with each.
    std::uint64_t backoff_max_ms = limits::kBackoffMaxDefaultMs;
    bool operator==(const Options&) const = default;
};

/// A run of messages: [first, first + count).
struct Range {
    Offset first;
    std::uint64_t count = 0;
    [[nodiscard]] Offset end() const { return first + count; }
    bool operator==(const Range&) const = default;
};

/// Where messages are stored.
struct StoredBatch {
    BatchRef ref;
    Range range;
    std::uint64_t bytes = 0;  ///< Of their records; below 2^32.
    std::uint32_t index = 0;  ///< Of the first one in what `ref` names.
    WallTime put = {};        ///< By its producer's clock; remembered in whole seconds.
};

/// A batch of which some messages are not settled yet.
struct LiveBatch {
    StoredBatch batch;
    std::uint64_t messages = 0;  ///< Of it; at least one.
    std::uint64_t bytes = 0;     ///< Theirs.
    std::uint64_t of_count = 0;  ///< A piece of a batch of so many messages, which weigh `batch.bytes`; 0: all of it.
    std::uint64_t at = 0;        ///< Where in it the piece begins.
};

/// How often a message was handed out and how often its handling failed.
struct Tries {
    std::uint32_t deliveries = 0;
    std::uint32_t attempts = 0;  ///< Failed ones.
    bool operator==(const Tries&) const = default;
};

/// Messages that asked to come in.
struct Put {
    TicketId ticket;
    std::uint32_t count = 0;          ///< > 0
    std::uint64_t bytes = 0;          ///< Bytes of all its records.
    std::optional<Range> under = {};  ///< The lease (one message of this queue) this put is made under.
};

enum class Offered : std::uint8_t { kInLine, kSealed };

/// One step of admission: the next `count` messages of a ticket are in, or refused.
struct Admission {
    TicketId ticket;
    std::uint32_t count = 0;
    Offset first;                ///< Offset of the first; meaningless if refused.
    Code refused = Code::kOk;    ///< kFull (reject), kDeadlock; kOk = admitted.
    bool finished = false;       ///< The ticket has no more messages in line.
    std::vector<Range> dropped;  ///< drop-oldest: what went to make room (log it before the batch).
};

/// Messages given to a consumer: a run inside one batch.
struct Grant {
    ConsumerId consumer;
    BatchRef batch;
    std::uint32_t index = 0;     ///< Of the first message in its batch.
    Range range;                 ///< With holes only for a consumer that takes them; the first is there.
    Tries tries;                 ///< With this delivery counted: deliveries >= 1.
    std::uint64_t bytes = 0;     ///< What it counts against the consumer's byte credit.
    std::uint64_t messages = 0;  ///< How many of `range` are there; the others are gone.
};

/// Leases of one consumer at most, however much credit it has: what it holds is what one step may have to give back.
inline constexpr std::uint64_t kLeasesMax = limits::kCreditMessagesMax;

enum class Verdict : std::uint8_t { kAck = 1, kNack = 2, kRelease = 3, kDead = 4 };

/// Of a nack: as long as the queue's backoff says (retry.h).
inline constexpr Duration kBackoff{-1};

/// What a consumer decided.
struct Ruling {
    Verdict verdict = Verdict::kAck;
    Duration delay{0};    ///< Of a nack: until the next attempt, or kBackoff.
    DeathNote note = {};  ///< Of a nack or dead: what is remembered of it if it becomes a dead letter.
};

/// Messages that came back, and when they are ready again.
struct Delayed {
    Range range;
    Tries tries;
    Instant due;
    bool operator==(const Delayed&) const = default;
};

/// Messages that became dead letters.
struct Died {
    Range range;
    Tries tries;
    DeathNote note;
    bool operator==(const Died&) const = default;  // the same note, not an equal one
};

/// What a settle did, as ranges to log and to count.
struct Settled {
    std::uint64_t count = 0;  ///< Messages this call settled or returned.
    std::vector<Range> done;  ///< Acked now, with holes of what was gone before; `count` says how many they are.
    std::vector<std::pair<Range, Tries>>
        returned;                  ///< Nacked or released now, and ready at once: the tries to remember.
    std::vector<Delayed> delayed;  ///< Nacked now, ready later.
    std::vector<Died> died;        ///< Nacked once too often, or said to be dead.
    std::vector<Range> lost;       ///< Refused: somebody else holds them, or they were settled otherwise before.
    std::vector<Range>
        repeated;  ///< Done before: for an ack that is success again. For a nack or a release: in nobody's
                   ///< hands since that delivery; nothing changed, so a nack sent again is no second attempt.
};

/// Live messages gone from a batch (for the log's accounting).
struct Freed {
    BatchRef batch;
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    bool empty = false;  ///< Nothing of the batch is live any more.
};

struct Counters {
    std::uint64_t put = 0, acked = 0, nacked = 0, redelivered = 0, dropped = 0, expired = 0, rejected = 0,
                  high_water = 0, lost = 0,
                  died = 0;         ///< Became dead letters, ever.
    std::uint64_t lease_ended = 0;  ///< Leases that ran out of time, since the start.
};

class Queue {
public:
    explicit Queue(Options options);
    ~Queue();
    Queue(const Queue&) = delete;
    Queue& operator=(const Queue&) = delete;

    [[nodiscard]] const Options& options() const;
    void set_options(Options options);  ///< Durability cannot change (the shard refuses that).

    // --- puts ---
    /// Takes its place in line, by its number. kSealed if the queue is sealed or a seal is in line, unless made under a
    /// live lease: then it is admitted after the seal, which does not wait for it. Who needs several puts in order
    /// offers one at a time.
    Offered offer(const Put& put);
    /// The next admission there is room (or a refusal) for; nullopt = nothing more now. The caller stores the messages
    /// as one batch or several and tells their numbers with stored() before the next call.
    std::optional<Admission> admit_next();
    /// The batch that holds the messages just admitted, or the next part of them.
    void stored(const StoredBatch& batch);
    /// The ticket at the front of those admit_next() would serve, to reserve space for it; nullopt = no admission now.
    [[nodiscard]] std::optional<TicketId> next_admission() const;
    /// Takes a ticket out of line. Returns the messages of it that were still waiting (0 = not in line).
    std::uint32_t cancel(TicketId ticket);
    /// The ticket goes on as `renamed`, behind all others; a seal in line still waits for it if it did.
    void move_to_end(TicketId ticket, TicketId renamed);
    /// The lease that the ticket was put under is not its producer's any more.
    void forget_lease(TicketId ticket);
    /// The ticket has `count` fewer messages in line (some were cancelled); it keeps its place. count < what it has
    /// left.
    void shrink(TicketId ticket, std::uint32_t count, std::uint64_t bytes);
    [[nodiscard]] std::size_t waiters() const;
    [[nodiscard]] std::uint64_t room() const;

    // --- commit ---
    /// Everything below `end` is committed: it may be delivered.
    void make_visible(Offset end);
    [[nodiscard]] Offset visible_end() const;
    [[nodiscard]] Offset next_offset() const;

    // --- consumers ---
    /// With `holes` it may be granted ranges of which some messages are gone.
    void attach(ConsumerId consumer, bool holes = false);
    /// Leases of the consumer return to ready: (range, tries) to log. attempts unchanged.
    std::vector<std::pair<Range, Tries>> detach(ConsumerId consumer);
    /// The consumer's connection is gone: it is detached, but its leases are held for whoever claims them until
    /// `until`.
    void hold(ConsumerId consumer, Instant until);
    /// Absolute limits of what the consumer is granted since it attached; they only rise. While some bytes are left it
    /// gets at least one message, so the byte limit is passed by less than one message. What it claims does not count.
    void set_credit(ConsumerId consumer, std::uint64_t messages, std::uint64_t bytes);
    /// Grants what is ready to who has credit, in turn, in slices no larger than a fair share; at most `messages_max`
    /// messages.
    void deliver(Instant now, std::uint64_t messages_max, std::vector<Grant>& out);
    /// deliver() grants nothing from `end` on, until a higher one is allowed (at first: everything). So the shard can
    /// write down how far it may have handed out before it does.
    void allow(Offset end);
    /// deliver() stopped only because of allow().
    [[nodiscard]] bool held_back() const;
    /// How far deliver() could come with the credit there is: what should be allowed.
    [[nodiscard]] Offset reach() const;
    /// What deliver() granted and was never sent does not count against the consumer's credit.
    void refund(ConsumerId consumer, std::uint64_t messages, std::uint64_t bytes);
    /// Settles (offset, delivery) by `consumer`. Accepted if the lease is its own and has that delivery number, if the
    /// message is held (restart, lost connection) and that would have been its next one, or, for an ack, if nobody
    /// holds the message and its last delivery was that one. Any range is safe; it costs the runs of different standing
    /// in it. A dead letter can be acked so too, and what nobody holds be said to be dead. With `looks` (here and
    /// below) at most so many runs are looked at, which are taken off; the rest counts as lost and nothing happens to
    /// it.
    Settled settle(ConsumerId consumer, Range range, std::uint32_t delivery, const Ruling& ruling, Instant now,
                   std::uint64_t* looks = nullptr);
    /// Prolongs leases to now + lease (never shortens); returns the ranges that are not this consumer's any more, but
    /// not what is gone between two of its leases.
    std::vector<Range> extend(ConsumerId consumer, Range range, std::uint32_t delivery, Instant now, Duration lease,
                              std::uint64_t* looks = nullptr);
    /// What of a grant, or of a part of one, is still leased: parts of it, with holes if the consumer, which is
    /// attached, takes them.
    [[nodiscard]] std::vector<Grant> still_leased(const Grant& grant) const;
    /// Where the messages of a grant are stored now: those next to each other in one batch, in order.
    struct Stored {
        BatchRef batch;
        std::uint32_t index = 0;  ///< Of the first in its batch.
        Range range;
    };
    void stored_parts(Range range, std::vector<Stored>& out) const;
    /// The first message at or above `at` that is not gone; next_offset() if there is none.
    [[nodiscard]] Offset next_present(Offset at) const;
    /// Who has that message by that delivery; 0: it is held for whoever claims it.
    [[nodiscard]] std::optional<ConsumerId> holder(Offset offset, std::uint32_t delivery) const;
    /// After a restart or a resume: the consumer says what it holds. Takes held (or its own) leases over; returns what
    /// it lost.
    std::vector<Range> claim(ConsumerId consumer, Range range, std::uint32_t delivery, Instant now,
                             std::uint64_t* looks = nullptr);
    /// Leases that the consumer had at `claim_begin` and did not claim since return: it never got them. Their delivery
    /// counts.
    void claim_begin(ConsumerId consumer);
    std::vector<std::pair<Range, Tries>> claim_end(ConsumerId consumer);
    /// Ranges to ask back so that idle consumers get work: messages whose handler has not started, at most
    /// `messages_max`. Empty if nobody waits idle. The consumer answers with a release. Asking changes nothing here:
    /// asked again, the same again.
    std::vector<Grant> recall(std::uint64_t messages_max);

    // --- time ---
    /// When something is due next (delayed, lease end, hold end); Instant::never() if nothing.
    [[nodiscard]] Instant next_due() const;
    /// Delayed messages that are due become ready; leases past their end and holds return: what to log (attempts + 1
    /// for leases past their end, unchanged for holds; deliveries + 1 for holds).
    /// At most `runs_max` runs: then something is due still. A lease whose end was the last attempt makes a dead letter
    /// (in `died`) with that note.
    struct Ended {
        std::vector<std::pair<Range, Tries>> returned;
        std::vector<Died> died;
    };
    Ended run_timers(Instant now, std::uint64_t runs_max = UINT64_MAX, const DeathNote& note = {});

    // --- end ---
    /// Seals in line: what waits before it is admitted, later puts are refused. False if sealed, or a seal in line,
    /// already.
    bool seal();
    /// True once the seal has reached the front of the line (the shard logs it once: take_sealed_now()).
    [[nodiscard]] bool sealed() const;
    bool take_sealed_now();
    void reopen();
    /// Sealed, and nothing is ready, leased, delayed or in line.
    [[nodiscard]] bool drained() const;
    /// Nothing is ready, leased, delayed or in line (join without a seal waits for this).
    [[nodiscard]] bool idle() const;
    void pause(bool paused);
    [[nodiscard]] bool paused() const;

    // --- dead letters ---
    [[nodiscard]] std::uint64_t dead() const;
    /// Dead letters of `range` become ready, lowest id first, with no attempt counted: as many as there is room for,
    /// at most `messages_max`, and in at most `runs_max` runs. What to log.
    std::vector<std::pair<Range, Tries>> redrive(Range range, std::uint64_t messages_max, std::uint64_t runs_max);
    /// Dead letters of `range` are gone for good; the same bounds. What to log.
    std::vector<Range> drop_dead(Range range, std::uint64_t messages_max, std::uint64_t runs_max);

    /// The queue is being removed: everything live or dead is gone (take_freed() says what).
    void purge();

    // --- look ---
    [[nodiscard]] std::uint64_t ready() const;
    [[nodiscard]] std::uint64_t leased() const;  ///< Held ones (restart, lost connection) included.
    [[nodiscard]] std::uint64_t delayed() const;
    [[nodiscard]] std::uint64_t bytes() const;
    /// What all consumers may still be given; counts no further than `enough`.
    [[nodiscard]] std::uint64_t credit(std::uint64_t enough) const;
    /// Where a message is stored; nothing if it is not there (any more).
    struct Place {
        BatchRef batch;
        std::uint32_t index = 0;  ///< In the batch.
        WallTime put;             ///< When the batch was put, in whole seconds.
    };
    [[nodiscard]] std::optional<Place> place(Offset offset) const;
    /// Where the oldest ready message is stored, if one is ready.
    [[nodiscard]] std::optional<Place> oldest_ready() const;
    [[nodiscard]] Offset floor() const;           ///< Every offset below is settled.
    [[nodiscard]] Offset delivered_mark() const;  ///< Above every offset ever granted.
    [[nodiscard]] const Counters& counters() const;
    struct Peeked {
        Range range;
        BatchRef batch;
        std::uint32_t index;
        Tries tries;
        enum State : std::uint8_t { kLive = 0, kReady = 1, kLeased, kDelayed, kDead } state;
        DeathNote note;  ///< Of a dead letter.
    };
    /// Committed messages from `from` on, in offset order, without taking a lease; at most `messages_max`. Only those
    /// of that state; kLive: of any but dead.
    [[nodiscard]] std::vector<Peeked> peek(Offset from, std::uint64_t messages_max,
                                           Peeked::State state = Peeked::kLive) const;

    // --- accounting for the log ---
    /// What was freed since the last call, replay included. It grows until it is called; a batch may be in it more than
    /// once.
    std::vector<Freed> take_freed();

    /// Proves the invariants over everything there is, not only what a call touched; for tests. Not between
    /// admit_next() and stored().
    void check_all() const;

    // --- checkpoints ---
    /// Messages that are all in one place. `span` may have holes: messages that are gone.
    struct LiveRun {
        Peeked::State state =
            Peeked::kReady;  ///< Not kLeased: leases are not kept, only that the message was handed out.
        Range span;
        Tries tries;
        Instant due;     ///< Delayed.
        DeathNote note;  ///< Dead.
        /// All but the span is the same.
        [[nodiscard]] bool stands_as(const LiveRun& other) const;
    };
    /// Takes what is in a queue. The parts come in the order of these functions.
    class Saver {
    public:
        virtual ~Saver() = default;
        virtual void present(std::uint64_t part, std::string bytes) = 0;  ///< A piece of the set of messages.
        virtual void batch(const LiveBatch& batch) = 0;
        virtual void run(const LiveRun& run) = 0;
    };
    /// All there is, as replay would find it: what is leased is as it was before. Not between admit_next() and
    /// stored().
    void save(Saver& saver) const;

    // --- messages that are stored elsewhere from now on ---
    /// Messages of one batch and one standing, with nothing between them but what is gone.
    struct Stretch {
        LiveBatch stored;            ///< From the first message to the last.
        LiveRun standing;            ///< Of the same.
        std::vector<Range> present;  ///< What is there, in order.
    };
    /// What of `range` is still there, and stored in that batch. At most `gone_max` messages that are gone lie between
    /// two of a stretch.
    [[nodiscard]] std::vector<Stretch> stored_in(BatchRef batch, Range range, std::uint64_t gone_max) const;
    /// Stretches are stored there from now on. take_freed() says what left the old batches.
    void relocate(const std::vector<LiveBatch>& moved);

    // --- replay, in the order of the log, before any of the above ---
    /// What save() told, in its order, after restore(). False: it makes no sense.
    bool restore_present(std::uint64_t part, const std::string& bytes);
    bool restore_live(const LiveBatch& batch);
    bool restore_run(const LiveRun& run);
    /// All that was told fits together: to be asked before anything else is restored.
    [[nodiscard]] bool restored_whole() const;
    /// A batch that holds what was in others before, or in none that the replay has seen; it stands so. `present` is
    /// what is there of it, in order, the first message and the last among them.
    void restore_moved(const LiveBatch& batch, const std::vector<Range>& present, const LiveRun& standing);
    /// What is remembered of dead letters among them; does not count.
    void restore_moved_dead(Range range, Tries tries, const DeathNote& note);
    /// Where a snapshot begins: what is below `next_offset` and not told with restore_batch() is settled.
    void restore(std::uint64_t next_offset, bool sealed, bool paused, const Counters& counters);
    void restore_batch(const StoredBatch& batch);  ///< Ready; counts as put.
    /// What is here of it is gone; counts as `messages`, or as all of it.
    void restore_done(Range range, bool dropped, std::optional<std::uint64_t> messages = std::nullopt);
    /// due <= 0: ready; else delayed. What is settled stays so; what is dead was redriven.
    void restore_returned(Range range, Tries tries, Instant due);
    void restore_died(Range range, Tries tries, const DeathNote& note);  ///< What is settled stays so.
    /// The end of the replay: all of it is committed, and what is ready (or due by `now`) and may be in hands is held
    /// until `hold_until` for its old consumer: what never came back below `mark`, what did below `again`. Delayed
    /// messages stay delayed.
    void restore_finish(Offset mark, Offset again, Instant hold_until, Instant now);
    /// Replaces the counters: for what replay cannot count (nacked, redelivered, lost), and a memory queue that starts
    /// empty.
    void restore_counters(const Counters& counters);
    void restore_sealed(bool sealed);             ///< A seal or a reopening in the log.
    void restore_nacked(std::uint64_t messages);  ///< Adds to the counter.
    /// A memory queue starts empty, with message ids from `next` on.
    void restore_empty(Offset next);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace telpher::queue
