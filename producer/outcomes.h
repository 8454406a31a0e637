// What became of every put of one producer: outcomes in any order go in, merged runs in sequence order are kept until
// they are too many, so that a ticket can be asked for later at no cost per message. Pure; guarded by its owner.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "producer/range.h"
#include "telpher/client.h"

namespace telpher::producer {

/// The outcome of one put: its id, or why it was refused.
struct Outcome {
    Code code = Code::kOk;
    std::uint64_t id = 0;
    bool operator==(const Outcome&) const = default;
};

class Outcomes {
public:
    explicit Outcomes(std::size_t runs_max) : runs_max_(runs_max) {}

    /// Before anything else: there is nothing below `sequence`.
    void begin_at(std::uint64_t sequence) { decided_below_ = sequence; }
    /// Notes a run. Sequences that have their outcome already keep it; the others are appended to `fresh`, in runs.
    void add(const Confirmed& run, std::vector<Confirmed>& fresh);
    /// Whatever has no outcome below `below` gets `code`.
    void fill_below(std::uint64_t below, Code code, std::vector<Confirmed>& fresh);

    /// Every sequence below has its outcome.
    [[nodiscard]] std::uint64_t decided_below() const { return decided_below_; }
    [[nodiscard]] bool decided(std::uint64_t sequence) const;
    /// What of `range` has no outcome, in order.
    [[nodiscard]] std::vector<Range> undecided(Range range) const;
    /// nullopt: undecided, or forgotten (decided, but too long ago).
    [[nodiscard]] std::optional<Outcome> find(std::uint64_t sequence) const;
    /// Appends the remembered runs of [from, to), which are all below decided_below(), to `runs`.
    void collect(std::uint64_t from, std::uint64_t to, std::vector<Confirmed>& runs) const;

private:
    struct Run {
        std::uint64_t first;
        std::uint64_t end;
        Outcome outcome;  // of the first; ids rise by one
    };
    void note(const Run& run, std::vector<Confirmed>& fresh);
    void absorb();
    void append(const Run& run);

    std::size_t runs_max_;
    std::uint64_t decided_below_ = 0;
    std::deque<Run> runs_;                // without holes up to decided_below_; the oldest were forgotten
    std::map<std::uint64_t, Run> ahead_;  // by first; above decided_below_
};

/// The part of `run` within [from, to), which is not empty.
Confirmed cut(const Confirmed& run, std::uint64_t from, std::uint64_t to);
/// Joins neighbours that belong together in `runs`, which are in sequence order.
void merge(std::vector<Confirmed>& runs);

}  // namespace telpher::producer
