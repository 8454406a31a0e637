// A queue on its shard: the pure queue and what the shard keeps beside it: its producers, its consumers' subscriptions,
// who waits in join, and what is not committed yet. Owned by the shard thread (Catalog). Lives from creation or replay
// to removal.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/queue/producer_window.h"
#include "broker/queue/queue.h"
#include "broker/queue_metrics.h"
#include "broker/session.h"
#include "proto/base/clock.h"
#include "proto/telpher.pb.h"

namespace telpher::broker {

using queue::ConsumerId;
using queue::TicketId;

/// A producer on a queue.
struct Producer {
    ProducerId id;
    queue::ProducerWindow window;
    SessionId session;  ///< Whose it is; 0 after a restart until it is opened again.
    std::string user;   ///< Who opened it; empty: not known, or anybody.
    PeerId peer;        ///< The connection it was opened on: puts of an older one are not its own.
    HandleId handle;
    bool open = false;          ///< Counts as a producer of the queue.
    std::string name;           ///< Empty: it has none.
    bool fenced = false;        ///< Another one has its name now.
    bool broken = false;        ///< It has a name and something of it was refused: nothing more is stored.
    Sequence stored_below;      ///< With a name: everything below is stored, by it or by whoever had the name before.
    bool known = false;         ///< Its opening is in the log (or it has stored something): holes are legal.
    std::deque<TicketId> line;  ///< Its tickets, oldest first; only the first is in the queue's line.
    Sequence committed_below;   ///< Verdicts below may be told.
    Sequence confirm_from;      ///< Verdicts from here on are not told yet (or asked for again).
    bool skipped = false;       ///< Sequences above those that wait were cancelled before they came.
    bool confirm_due = false;   ///< Named in the queue's list of producers to tell.
    WallTime last_put;
    Instant orphan_until = Instant::never();  ///< Open, but without a session: closed then.

    /// Gives it a name; what is below `first` was stored under that name before.
    void begin_named(std::string called, Sequence first);
};

/// What was granted and must not leave yet: its body is on its way from the log, or a record is not safe.
struct UnsentGrant {
    queue::Grant grant;
    Lsn safe_at;  ///< The record that says it had come back; 0 = it had not.
};

/// A consumer attached to the queue.
struct Subscription {
    std::uint32_t number = 0;
    SessionId session;
    QueueId queue;
    ConsumerId consumer;
    std::uint64_t settled = 0;      ///< Committed up to this settle number.
    std::uint64_t settle_seen = 0;  ///< The highest that came in.
    bool settled_due = false;
    std::vector<std::pair<std::uint64_t, queue::Range>> lost;  ///< To be told with the next SETTLED.
    std::deque<UnsentGrant> unsent;      ///< Given, but the first waits; in the order they were given.
    std::uint32_t ended_generation = 0;  ///< END was sent for this generation (generations start at 1).
    std::string name;
};

struct Joiner {
    SessionId session;
    std::uint64_t req = 0;
    std::uint32_t generation = 0;
    bool sealed = false;  ///< Waits for the seal too.
};

struct HostedQueue {
    HostedQueue(QueueId number, std::string called, const queue::Options& options)
        : id(number), name(std::move(called)), queue(options) {
        if (durable()) queue.allow(mark_logged);
    }

    const QueueId id;
    const std::string name;
    queue::Queue queue;
    std::string owner;  ///< The user who made it (see Catalog::give()); empty: nobody with a name.
    std::uint32_t generation = 1;
    std::uint64_t lost = 0;             ///< Messages a memory queue lost in restarts of this generation's life.
    std::uint64_t memory_lost = 0;      ///< Replay: what a memory queue held, as last written down.
    std::uint32_t lost_generation = 0;  ///< The generation that a restart ended: joins of it or before answer Lost.
    std::uint64_t lost_lately = 0;      ///< Lost since it was made or reopened: then joins of this generation do too.

    std::map<ProducerId, Producer> producers;
    std::map<std::string, ProducerId, std::less<>> producer_names;  ///< Who has which; each is in `producers`.
    std::uint32_t open_producers = 0;                               ///< Of them.
    Instant expire_at;  ///< The next look for those that nobody uses any more.
    std::vector<ProducerId> confirm_due;
    std::set<std::pair<SessionId, HandleId>> openers;  ///< Handles of it on living connections.
    std::vector<std::uint32_t> subscriptions;
    std::vector<std::uint32_t> settled_due;  ///< Subscriptions to send SETTLED to.
    std::vector<Joiner> joiners;

    std::vector<std::pair<SessionId, std::uint64_t>>
        sealers;               ///< Who asked for the seal that is in line, with its request.
    bool end_checked = false;  ///< An end check is in the commit gate, or was made, at that record.
    Lsn end_checked_at;

    bool seal_asked = false;            ///< No more puts; the seal goes in line when the puts before it are all in it.
    std::size_t behind = 0;             ///< Tickets that wait behind their producer's first.
    Duration blocked{0};                ///< Sum over tickets of the time they waited for room.
    std::size_t blocked_producers = 0;  ///< Producers whose first ticket is parked.

    std::shared_ptr<std::uint64_t> reason_bytes =
        std::make_shared<std::uint64_t>(0);  ///< Of the notes that are alive, which may outlive the queue.

    bool touched = false;              ///< In the shard's list of queues to look after this cycle.
    Instant timer = Instant::never();  ///< As entered in the shard's timer set.
    Instant recall_at;                 ///< Not before: the next look for leases to ask back.
    bool recall_due = false;           ///< A look is wanted then.
    Duration recall_pause{0};          ///< Between askings that bring nothing; grows.
    bool mark_due = false;             ///< In the shard's list of marks to log.
    Offset mark_logged;                ///< Delivered mark as logged; of a durable queue nothing above it is handed out.
    Offset again_logged;  ///< The same of messages that had come back: none from here on is in hands again.
    Offset mark_base;     ///< Delivered mark when that was logged.
    std::uint64_t unfinished_logged = 0;  ///< Of a memory queue: what was in it when that was logged.

    QueueMetrics metrics;
    LeaseTimes lease_times;

    /// How far the log must say that messages were handed out. A durable queue's is ahead of it: what is put while
    /// consumers wait is marked in the same group.
    [[nodiscard]] Offset mark_needed() const { return durable() ? queue.reach() : queue.delivered_mark(); }
    /// How far it should, if it is written anyway: who empties a backlog finds the next round marked.
    [[nodiscard]] Offset mark_wanted() const;
    [[nodiscard]] bool durable() const { return queue.options().durability != queue::Durability::kMemory; }
    /// Ready, leased and delayed.
    [[nodiscard]] std::uint64_t unfinished() const { return queue.ready() + queue.leased() + queue.delayed(); }
    void set_open(Producer& producer, bool open);
    /// Takes a producer, which has nothing waiting, and its name out of the tables.
    void forget(ProducerId producer);
    /// What is remembered of a death. Its reason stays out of memory (the log has it) while kReasonsKeptBytes of
    /// reasons are there.
    [[nodiscard]] queue::DeathNote note(queue::Death death) const;
    /// What everybody who uses it is told when it goes.
    [[nodiscard]] Error removed() const { return Error(Code::kNotFound, "queue " + name + " was removed"); }
    [[nodiscard]] v1::QueueState state() const;
};

}  // namespace telpher::broker
