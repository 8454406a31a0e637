// A random history of a queue: each command is done to a Queue and to a ReferenceQueue, a log of the outcomes is kept
// as a shard would, and a restart makes a new Queue from that log. Any difference throws. For one test.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "broker/queue/queue.h"
#include "reference_queue.h"

namespace telpher::queue {

/// A number to take decisions from, a few bits at a time. Smaller numbers are simpler commands, so that shrinking
/// works.
class Choices {
public:
    explicit Choices(std::uint64_t bits) : bits_(bits) {}
    std::uint64_t below(std::uint64_t bound) {
        const std::uint64_t choice = bits_ % bound;
        bits_ /= bound;
        return choice;
    }
    bool one_in(std::uint64_t n) { return below(n) == n - 1; }

private:
    std::uint64_t bits_;
};

class History {
public:
    explicit History(std::uint64_t start) : reference_(first_options(Choices(start))) {
        queue_ = std::make_unique<Queue>(reference_.options);
    }

    void step(std::uint64_t command);

private:
    static Options first_options(Choices choices);
    static Options options(Choices& choices);

    // Commands.
    void offer(Choices& choices);
    void admit(Choices& choices);
    void make_visible(Choices& choices);
    void attach(Choices& choices);
    void detach(Choices& choices);
    void set_credit(Choices& choices);
    void deliver(Choices& choices);
    void settle(Choices& choices);
    void extend(Choices& choices);
    void claim(Choices& choices);
    void handle_dead(Choices& choices);
    void advance(Choices& choices);
    void seal(Choices& choices);
    void change(Choices& choices);
    void look(Choices& choices);
    void cancel(Choices& choices);
    void shrink(Choices& choices);
    void store(Choices& choices, Range range);
    void relocate(Choices& choices);
    void check_moved(const Queue::Stretch& stretch, std::uint32_t index);
    void restart(Choices& choices);
    void from_log();
    void from_checkpoint();
    [[nodiscard]] std::vector<ReturnedRange> present_of(const std::vector<ReturnedRange>& runs) const;

    // What to do it with.
    ConsumerId some_consumer(Choices& choices) const;
    struct Target {
        ConsumerId consumer;
        Range range;
        std::uint32_t delivery;
    };
    Target target(Choices& choices) const;

    // The log, as a shard would write it.
    struct Record {
        enum Kind { kBatch, kDone, kDropped, kReturned, kDied, kMoved } kind;
        Range range;
        std::uint64_t batch = 0;
        std::uint64_t bytes = 0;
        Tries tries = {};
        Instant due = {};
        DeathNote note = {};
        std::uint32_t index = 0;
        Queue::Peeked::State state = Queue::Peeked::kReady;
        std::uint64_t messages = 0;  // done
        LiveBatch stored = {};       // moved ...
        std::vector<Range> present = {};
    };
    void log(const std::vector<Range>& ranges, Record::Kind kind) {
        for (const Range& range : ranges) log_.push_back({kind, range, 0, 0, {}, {}});
    }
    void log(const std::vector<ReturnedRange>& returned, Instant due) {
        for (const auto& [range, tries] : returned) log_.push_back({Record::kReturned, range, 0, 0, tries, due});
    }
    void log(const Settled& settled) {
        for (std::uint64_t left = settled.count; const Range& range : settled.done)
            log_.push_back({.kind = Record::kDone, .range = range, .messages = std::exchange(left, 0)});
        log(settled.returned, Instant{});
        for (const Delayed& delayed : settled.delayed)
            log_.push_back({Record::kReturned, delayed.range, 0, 0, delayed.tries, delayed.due});
        log(settled.died);
    }
    void log(const std::vector<Died>& died) {
        for (const Died& run : died) log_.push_back({Record::kDied, run.range, 0, 0, run.tries, {}, run.note});
    }
    static void replay(Queue& queue, const Record& record);

    void check();
    void check_freed();

    ReferenceQueue reference_;
    std::unique_ptr<Queue> queue_;
    std::vector<Record> log_;
    std::map<std::uint64_t, std::uint64_t> live_;  // messages of each batch, as the log's accounting has it
    std::set<ConsumerId> takes_holes_;
    std::uint64_t maxsize_ever_ = 0;
    Offset mark_;
    Offset again_;  // above all that was handed out more than once
    Instant now_{1'000'000'000};
    std::uint64_t tickets_ = 0;
    std::uint64_t consumers_ = 0;
    std::uint64_t batches_ = 0;
};

}  // namespace telpher::queue
