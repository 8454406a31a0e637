// Who waits for which outcome. The waiting threads own their Waiters (on their stacks) and take them out themselves;
// whoever brings outcomes is told whom to wake. Guarded by the part's mutex; pure.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "producer/batcher.h"
#include "producer/outcomes.h"
#include "proto/base/clock.h"
#include "proto/session/parker.h"

namespace telpher::producer {

/// One thread's wait. The fields belong to the part's mutex, except `done`.
struct Waiter {
    enum class Kind : std::uint8_t {
        kPut,     ///< For its own put; when its time is over the put is cancelled.
        kMany,    ///< For many puts of its own; likewise.
        kTicket,  ///< For a put that goes on without it.
        kAll,     ///< Until every sequence below `end` is decided.
        kCancel,  ///< The same, and takes back what has no outcome yet: all that is not decided becomes its own.
    };
    explicit Waiter(Kind kind_of_wait) : kind(kind_of_wait) {}

    const Kind kind;
    session::Parker& parker = session::Parker::mine();
    std::atomic<bool> done{false};

    std::uint64_t end = 0;             ///< kAll, kCancel
    std::vector<Range> ranges;         ///< kPut, kTicket: one sequence; kMany: its puts so far, in order.
    std::uint64_t undecided = 0;       ///< kMany: puts without an outcome, those it has not made yet among them.
    std::vector<Confirmed> collected;  ///< kMany
    Outcome outcome;                   ///< kPut, kTicket; else kTimeout or kStopped if that ended the wait.
    Code ended_by = Code::kOk;         ///< kTimeout or kStopped once its time was over.
    Instant deadline = Instant::never();
    Instant cancelled_at;  ///< When the broker was asked to take its puts out of line.

    /// True if its puts are its own: their refusals are told to it and to nobody else.
    [[nodiscard]] bool owns() const { return kind == Kind::kPut || kind == Kind::kMany || kind == Kind::kCancel; }
    void wait() {
        parker.park_until([this] { return done.load(std::memory_order_acquire); });
    }
};

class Waiters {
public:
    using Wake = std::vector<session::Parker*>;

    void add(Waiter& waiter);
    void remove(Waiter& waiter);
    void set_deadline(Waiter& waiter, Instant deadline);

    /// `run` was decided just now. Returns how many of its sequences have an owner.
    std::uint64_t decided(const Confirmed& run, Wake& wake);
    /// Every sequence below is decided.
    void all_decided(std::uint64_t below, Wake& wake);
    /// Ends the wait of `waiter` for another reason than an outcome.
    void finish(Waiter& waiter, Code code, Wake& wake);

    /// True if `waiter`, which may be gone, is still here. Costs a look at all.
    [[nodiscard]] bool waits(const Waiter* waiter) const;
    /// Those whose time is over; their deadlines are taken away.
    [[nodiscard]] std::vector<Waiter*> expired(Instant now);
    [[nodiscard]] Instant next_deadline() const;
    [[nodiscard]] std::vector<Waiter*> cancelling() const;

private:
    void complete(Waiter& waiter, Wake& wake);

    std::multimap<std::uint64_t, Waiter*> by_sequence_;  // kPut, kTicket
    std::vector<Waiter*> wide_;                          // kMany, kAll
    std::set<std::pair<Instant, Waiter*>> deadlines_;
};

}  // namespace telpher::producer
