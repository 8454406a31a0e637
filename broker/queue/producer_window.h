// What one producer has put into one queue: which of its sequences are stored (and where), refused, or still waiting,
// so that a resend gets the verdict it had, and a stored message is never stored twice. Pure; owned by the shard with
// its queue.
//
// Invariants: (1) every sequence has at most one verdict, and keeps it; (2) messages are stored in sequence order (a
// refusal, such as the answer to a cancel, may come out of order); (3) below next() whatever is neither waiting nor
// stored counts as refused (holes are legal); (4) at most kProducerRangesMax verdicts are remembered: the oldest go
// first, and a producer says with `known_below` which verdicts it has seen.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "proto/base/ids.h"
#include "telpher/error.h"

namespace telpher::queue {

/// One verdict over a run of sequences.
struct SequenceVerdict {
    Sequence first;
    std::uint32_t count = 0;
    Code code = Code::kOk;  ///< kOk = stored from `offset` on; else the refusal.
    Offset offset;
    bool operator==(const SequenceVerdict&) const = default;
};

class ProducerWindow {
public:
    /// A part of a PUT seen again or for the first time.
    struct Part {
        enum class Kind : std::uint8_t { kNew, kWaiting, kDecided } kind;
        Sequence first;
        std::uint32_t count = 0;
        SequenceVerdict verdict;  ///< kDecided only.
    };
    /// Splits [first, first + count) by what is known of it, in order. A sequence below what is remembered is an error
    /// kProtocol (the producer said it knew the verdict).
    [[nodiscard]] Result<std::vector<Part>> classify(Sequence first, std::uint32_t count) const;

    /// The new part [first, first+count) has taken its place in line. `first` may leave a hole (those get no verdict
    /// any more and count as refused with kCancelled).
    void waiting(Sequence first, std::uint32_t count);
    /// Gives the verdict over waiting sequences: the next ones, if they are stored; any, if they are refused.
    void decided(const SequenceVerdict& verdict);
    /// Below `next` no new sequence comes: what is neither waiting nor stored is refused.
    void skip_to(Sequence next);
    /// The producer has seen every verdict below `below`: forget them.
    void known_below(Sequence below);

    [[nodiscard]] Sequence next() const;           ///< One above the highest sequence seen (waiting or decided).
    [[nodiscard]] Sequence decided_below() const;  ///< Every sequence below has its verdict.
    /// Verdicts from `from` on, in order, merged where they touch (for CONFIRM), at most `max`. Holes are in it as
    /// kCancelled, but for endless ones, so that it says something of every sequence that may be waited for.
    [[nodiscard]] std::vector<SequenceVerdict> verdicts(Sequence from, std::size_t max) const;

    // Replay and snapshot.
    void restore(Sequence first, std::uint32_t count, Offset offset);  ///< A stored range, in sequence order.
    [[nodiscard]] std::vector<SequenceVerdict> stored() const;

private:
    struct Run {
        Sequence first;
        std::uint32_t count = 0;
        [[nodiscard]] Sequence end() const { return first + count; }
    };
    /// What is known at `at`, cut at `end`; at < end.
    [[nodiscard]] Part part(Sequence at, Sequence end) const;
    [[nodiscard]] Sequence known_above(Sequence at) const;
    void stop_waiting(Sequence first, std::uint32_t count);
    void remember(const SequenceVerdict& verdict);

    std::deque<SequenceVerdict> decided_;  // in sequence order; what lies between and is not waiting was refused
    std::deque<Run> waiting_;              // in sequence order
    Sequence next_;
    Sequence known_below_;
};

}  // namespace telpher::queue
